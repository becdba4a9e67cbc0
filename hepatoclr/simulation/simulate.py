"""Synthetic cohorts: labelled CT of patients who never lived, the pipeline's embedded demo.

`cohort` draws who is in it and what a reader wrote; `write_case` scans a patient and stores the
scan the way hospitals do, in one of several formats, with a true mask of the liver. Everything
about a patient follows from (seed, cohort, index), never from the other patients.
"""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hepatoclr.base import files, imports, names
from hepatoclr.base.errors import UserError
from hepatoclr.imaging.volumes import AIR, Volume, nib
from hepatoclr.simulation import scanner, signs
from hepatoclr.simulation.patients import Patient, patient, site
from hepatoclr.simulation.signs import STAGES

IMAGES = ("ct.nii.gz", "dicom", "dicom.zip")
ORIENTATIONS = ("RAS", "LPS", "LPI", "PIR", "RSA", "ASL", "LAS", "SPR")
PADDING = -2000  # outside the field of view, in series that declare a padding value
UNREAD = "unread"
DRAWN = ("confusion", "reader_noise", "effect", "seed")  # settings that say who is in a cohort
BLOCK = 10  # patients among whom the stages are balanced


# --- who is in a cohort --------------------------------------------------------------------


def by_cohort(cohorts: Mapping[str, Mapping], **settings) -> dict[str, dict[str, dict]]:
    """Draw the cohorts that are to be simulated, see `by_case`, by their names."""
    return {
        name: by_case(name, **given["simulate"], **settings)
        for name, given in cohorts.items()
        if "simulate" in given
    }


def by_case(name: str, **settings) -> dict[str, dict]:
    """Draw a cohort, see `cohort`; its rows by the name of their case."""
    return {names.case(row["patient_id"]): row for row in cohort(name, **settings)}


def cohort(
    name: str,
    patients: int,
    stages: Sequence[float],
    reader: str,
    labelled: float,
    confounding: float,
    hospital: str,
    confusion: Mapping[str, Sequence[float]],
    reader_noise: float,
    effect: float,
    seed: int,
) -> list[dict]:
    """Draw a cohort.

    Args:
        name: Name of the cohort.
        patients: Number of patients; more patients leave the first ones as they are.
        stages: Share of F0..F4 among the patients, adding to 1.
        reader: "histology" writes the stage, "radiologist" a grade.
        labelled: Share of the patients whose CT was read; the label of others is `UNREAD`.
        effect: See `patients.patient`.
        confounding, hospital: See `patients.site`.
        confusion: For each label of the radiologist, its probability at F0..F4; with none the
            radiologist goes by the signs, see `signs.reading`.
        reader_noise: The radiologist's error.
        seed: Seed of the demo.

    Returns:
        One manifest row per patient: patient_id, image, liver_mask (paths relative to the
        parent of the case's folder), label, site, and the true stage 0..4; from histology also
        weak_label, what the radiologist would have written.

    Raises:
        UserError: Shares or probabilities do not add to 1, or the reader is unknown.
    """
    if reader not in ("histology", "radiologist"):
        raise UserError(f'reader must be "histology" or "radiologist", not "{reader}".')
    _check_shares(f"cohorts.{name}.simulate.stages", stages)
    if confusion:
        _check_confusion(confusion)
    rows = []
    for index in range(patients):
        stage = _stage(name, index, stages, seed)
        who = person(name, index, stage, seed, effect, confounding, hospital)
        rng = who.rng("reader")
        if confusion:
            reading = _pick_label(stage, confusion, rng)
        else:
            reading = signs.reading(who.signs, reader_noise, rng)
        if rng.random() >= labelled:
            reading = UNREAD
        labels = {"label": reading}
        if reader == "histology":
            labels = {"label": STAGES[stage], "weak_label": reading}
        patient_id = f"{name}-{index + 1:04d}"
        case = names.case(patient_id)
        row = {"patient_id": patient_id, "image": f"{case}/{IMAGES[index % len(IMAGES)]}"}
        row |= {"liver_mask": f"{case}/liver.nii.gz", **labels, "site": who.site, "stage": stage}
        rows.append(row)
    return rows


def person(
    cohort: str,
    index: int,
    stage: int,
    seed: int,
    effect: float,
    confounding: float,
    hospital: str = "own",
) -> Patient:
    """Draw a patient of a cohort.

    Args:
        cohort: Name of the cohort.
        index: Number of the patient in it, from 0.
        stage: METAVIR stage, 0..4.
        seed: Seed of the demo.
        effect: See `patients.patient`.
        confounding, hospital: See `patients.site`.
    """
    key = _key(cohort, index, seed)
    return patient(key, stage, effect, site(key, stage, confounding, hospital))


def _key(cohort: str, index: int, seed: int) -> tuple[int, ...]:
    return seed, zlib.crc32(cohort.encode()), index


def pictured(row: Mapping) -> dict:
    """What a patient's CT depends on of its manifest row: not on what a reader wrote."""
    return {key: row[key] for key in ("patient_id", "image", "liver_mask", "site", "stage")}


def _check_shares(what: str, shares: Sequence[float]) -> None:
    if len(shares) != len(STAGES):
        raise UserError(f"{what} must be {len(STAGES)} numbers, F0..F4, not {len(shares)}.")
    _check_sum(what, shares)


def _check_sum(what: str, shares: Sequence[float]) -> None:
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        found = " + ".join(f"{share:g}" for share in shares)
        raise UserError(f"{what} must be >= 0 and add to 1; found {found} = {sum(shares):g}.")


def _check_confusion(confusion: Mapping[str, Sequence[float]]) -> None:
    for label, row in confusion.items():
        if len(row) != len(STAGES):
            raise UserError(
                f"simulate.confusion.{label} must be {len(STAGES)} numbers, F0..F4, not {len(row)}."
            )
    for stage, column in zip(STAGES, zip(*confusion.values(), strict=True), strict=True):
        _check_sum(f"simulate.confusion: column {stage} ({', '.join(confusion)})", column)


def _pick(shares: Sequence[float], u: float) -> int:
    """Invert the cumulative distribution at u in [0, 1)."""
    steps = np.cumsum(shares)
    return int(np.searchsorted(steps / steps[-1], u, side="right"))


def _stage(name: str, index: int, stages: Sequence[float], seed: int) -> int:
    """Draw the stage of a patient: shuffled, yet balanced in each block of patients.

    Evenly spaced quantiles per block keep the counts near the shares; the golden ratio shifts them
    from block to block so that no quantile is missed twice.
    """
    block, place = divmod(index, BLOCK)
    root = (seed, zlib.crc32(name.encode()), zlib.crc32(b"stages"))
    start = np.random.default_rng(root).random()
    rank = np.random.default_rng([*root, block]).permutation(BLOCK)[place]
    return _pick(stages, (rank + (start + block * 0.6180339887) % 1) / BLOCK)


def _pick_label(stage: int, confusion: Mapping, rng: np.random.Generator) -> str:
    """Draw what the radiologist makes of a stage."""
    return list(confusion)[_pick([row[stage] for row in confusion.values()], rng.random())]


# --- scans and files -----------------------------------------------------------------------


def write_case(
    row: Mapping,
    folder: Path,
    cohort: str,
    seed: int,
    effect: float,
    matrix: int,
    slice_mm: float,
) -> None:
    """Scan the patient of a manifest row; write the image and the true liver mask.

    Args:
        row: A row of `cohort`.
        folder: The case's folder.
        cohort: Name of the cohort.
        seed: Seed of the demo.
        effect: See `patients.patient`.
        matrix: Pixels along a side of a slice.
        slice_mm: Nominal distance between slices; each patient's is 0.7 to 1.4 times this.
    """
    index = int(row["patient_id"].rsplit("-", 1)[1]) - 1
    who = patient(_key(cohort, index, seed), int(row["stage"]), effect, row["site"])
    ct, liver = scanner.scan(who, matrix, slice_mm)
    rng = who.rng("files")
    image, mask = (Path(folder) / Path(row[name]).name for name in ("image", "liver_mask"))
    orientation = str(rng.choice(ORIENTATIONS))
    if image.name.endswith(".nii.gz"):
        _write_nifti(ct, orientation, image)
    elif image.suffix == ".zip":
        with tempfile.TemporaryDirectory() as series, files.atomic(image) as archive:
            _write_series(ct, Path(series), rng, who.key)
            _zip(Path(series), archive)
    else:
        with _atomic_folder(image) as series:
            _write_series(ct, series, rng, who.key)
    # masks often come from another program than the image, in its own orientation
    _write_nifti(liver, str(rng.choice((orientation, "LPS", "RAS"))), mask)


def _write_nifti(volume: Volume, orientation: str, path: Path) -> None:
    """Write a volume with its axes turned to `orientation`; the affine keeps it in place."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.io_orientation(volume.affine), nib.orientations.axcodes2ornt(orientation)
    )
    image = nib.Nifti1Image(volume.array.transpose(2, 1, 0), volume.affine).as_reoriented(turn)
    image.header["descrip"] = b"synthetic, HepatoCLR demo"
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner")
    with files.atomic(path) as temporary:
        nib.save(image, temporary)


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`; on success it takes its place."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp keeps others out
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _zip(folder: Path, archive: Path) -> None:
    """Zip a folder with the same bytes each time: sorted names, one fixed date."""
    with zipfile.ZipFile(archive, "w") as out:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"series/{path.name}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, path.read_bytes(), compresslevel=1)


def _write_series(ct: Volume, folder: Path, rng: np.random.Generator, key: tuple) -> None:
    """Write a DICOM series with the habits of scanners: order, names, padding and extras vary."""
    style = _series_style(rng)
    study = _study_tags(key)
    count = len(ct.array)
    order = range(count) if style["ascending"] else range(count - 1, -1, -1)
    file_numbers = rng.permutation(count) + 1
    for instance, k in enumerate(order, 1):
        pixels, tags = _slice(ct, k, style)
        tags |= study | {"SeriesNumber": 2, "InstanceNumber": instance}
        _write_dicom(pixels, tags, style["storage"], folder / f"IM{file_numbers[k]:04d}.dcm")
    if style["localizer"]:
        pixels, tags = _localizer(ct)
        tags |= study | {"SeriesNumber": 1, "InstanceNumber": 1}
        _write_dicom(pixels, tags, style["storage"], folder / "IM0000.dcm")
    if style["note"]:
        note = "Synthetic CT series of the HepatoCLR demo.\n"
        (folder / "README.txt").write_text(note, encoding="utf-8")


def _series_style(rng: np.random.Generator) -> dict:
    """Draw how a site stores its series."""
    storage = str(rng.choice(("unsigned", "signed", "padded")))
    chances = {"ascending": 0.5, "turned": 0.2, "localizer": 0.5, "note": 0.4, "gap": 0.5}
    return {"storage": storage} | {name: bool(rng.random() < p) for name, p in chances.items()}


def _study_tags(key: tuple) -> dict:
    """What all images of a patient have in common."""
    with imports.without("gdcm", "requests"):  # cases stored as NIfTI need not wait for pydicom
        from pydicom.uid import generate_uid

    seed, cohort_code, index = key
    uid = [generate_uid(entropy_srcs=["hepatoclr", what, *map(str, key)]) for what in "sf"]
    return {
        "PatientName": f"Synthetic^Patient{index + 1:04d}",
        "PatientID": f"synthetic-{seed}-{cohort_code:08x}-{index + 1:04d}",
        "PatientBirthDate": "",
        "PatientSex": "",
        "PatientPosition": "HFS",
        "StudyInstanceUID": uid[0],
        "FrameOfReferenceUID": uid[1],
        "PositionReferenceIndicator": "",
        "StudyDate": "20000101",
        "StudyTime": "000000",
        "StudyID": "1",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "Modality": "CT",
        "Manufacturer": "HepatoCLR synthetic",
        "AcquisitionNumber": 1,
        "KVP": "120",
    }


def _slice(ct: Volume, k: int, style: dict) -> tuple[np.ndarray, dict]:
    """Pixels (HU) and geometry of an axial slice; some sites store it turned by half a turn."""
    pixels = ct.array[k]
    corner, direction = np.array([0, 0, k, 1.0]), 1
    if style["turned"]:
        corner[:2], direction = np.array(pixels.shape[::-1]) - 1, -1
        pixels = pixels[::-1, ::-1]
    gap, *pixel = ct.spacing
    tags = {
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesDescription": "synthetic abdomen portal venous",
        "ImagePositionPatient": _decimal((ct.affine @ corner)[:3] * (-1, -1, 1)),
        "ImageOrientationPatient": [direction, 0, 0, 0, direction, 0],
        "PixelSpacing": _decimal(pixel),
        # the beam's width is not the distance between slices: readers must use the positions
        "SliceThickness": _decimal([1.25 * gap])[0],
        "SliceLocation": _decimal([ct.z_mm(k)])[0],
    }
    if style["gap"]:
        tags["SpacingBetweenSlices"] = _decimal([gap])[0]
    return pixels, tags


def _localizer(ct: Volume) -> tuple[np.ndarray, dict]:
    """The frontal overview a scan is planned on: a mean through the body, head up."""
    slices, rows, _ = ct.array.shape
    corner = ct.affine @ (0, (rows - 1) / 2, slices - 1, 1)
    return ct.array[::-1].mean(axis=1).astype(np.int16), {
        "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
        "SeriesDescription": "synthetic localizer",
        "ImagePositionPatient": _decimal(corner[:3] * (-1, -1, 1)),
        "ImageOrientationPatient": [1, 0, 0, 0, 0, -1],
        "PixelSpacing": _decimal([ct.spacing[0], ct.spacing[2]]),
        "SliceThickness": _decimal([rows * ct.spacing[1]])[0],
    }


def _decimal(values: Sequence[float]) -> list[str]:
    """DICOM decimal strings, at most 16 characters."""
    return [f"{value:.6f}" for value in values]


def _write_dicom(hu: np.ndarray, tags: dict, storage: str, path: Path) -> None:
    """Write one image as CT Image Storage, explicit VR little endian."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    numbers = [str(tags[name]) for name in ("SeriesNumber", "InstanceNumber")]
    uid = [generate_uid(entropy_srcs=[tags["StudyInstanceUID"], *numbers[:n]]) for n in (1, 2)]
    pixels, encoding = _encode(hu, storage)
    ds = Dataset()
    ds.SOPClassUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = CTImageStorage, *uid
    for name, value in (tags | encoding).items():
        setattr(ds, name, value)
    if storage == "padded":
        # its VR follows the pixels', which pydicom cannot know from the value alone
        ds.add_new("PixelPaddingValue", "SS", PADDING)
    ds.PixelData = pixels.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.save_as(path, enforce_file_format=True)


def _encode(hu: np.ndarray, storage: str) -> tuple[np.ndarray, dict]:
    """Pixels as stored, and the tags that say how."""
    unsigned = storage == "unsigned"
    intercept, bits = (AIR, 12) if unsigned else (0, 16)
    stored = (hu.astype(np.int32) - intercept).astype("<u2" if unsigned else "<i2")
    if storage == "padded":
        stored[hu == AIR] = PADDING
    return stored, {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": hu.shape[0],
        "Columns": hu.shape[1],
        "BitsAllocated": 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0 if unsigned else 1,
        "RescaleIntercept": str(intercept),
        "RescaleSlope": "1",
        "RescaleType": "HU",
        "WindowCenter": "60",
        "WindowWidth": "400",
    }
