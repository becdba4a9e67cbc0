"""Nobody is named: what is planted in the source of a cohort is nowhere in the results."""

import base64
import csv
import gzip
import io
import re
import zipfile

import blosc2
import example_ct
import nibabel as nib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, PngImagePlugin
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from safetensors.torch import save_file
from tiny_project import result

NAME, DATE, TIME, ROOT = "SNTLX7", "19331107", "231159.713377", "2.25.7777123457"
PLANTED = (NAME, DATE, "1933-11-07", TIME, ROOT)
VALUES = {
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT", "AE", "CS"), NAME),
    "PN": f"{NAME}^Doe",
    "UR": f"https://{NAME}.example",
    "DA": DATE,
    "TM": TIME,
    "DT": DATE + TIME,
    "UI": f"{ROOT}.1",
}
# without these as they are, an image is no CT image in HU without burned-in text
NEEDED = {
    *("SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "PhotometricInterpretation"),
    *("RescaleType", "LossyImageCompression", "BurnedInAnnotation", "SpecificCharacterSet"),
}
SHAPE, LIVER, PIXEL = (20, 64, 64), np.s_[3:17, 2:62, 2:62], 1.8


def everywhere():
    """A data set with a sentinel in every element of text that the standard knows."""
    made = Dataset()
    for tag, (kind, _, _, _, keyword) in DicomDictionary.items():
        if kind in VALUES and keyword not in NEEDED and tag > 0x0002FFFF:
            made.add_new(tag, kind, VALUES[kind])
    inner, outer = Dataset(), Dataset()
    inner.PatientName = inner.PatientComments = NAME
    outer.OtherPatientIDs, outer.RequestAttributesSequence = NAME, [inner]
    made.OtherPatientIDsSequence = made.ReferencedStudySequence = [outer]
    block = made.private_block(0x0099, f"{NAME} CREATOR", create=True)
    for offset, kind in enumerate(("LO", "PN", "UT", "DA")):
        block.add_new(offset, kind, VALUES[kind])
    block.add_new(0x10, "UN", NAME.encode())
    return made


ALL_TEXT = everywhere()


def planted(number, image):
    """Write the sentinels into an image, its file meta information and its preamble."""
    pixels = image.PixelData
    image.update(ALL_TEXT)
    image.PixelData, image.PixelSpacing = pixels, [PIXEL, PIXEL]
    image.ImageType, image.BurnedInAnnotation = ["ORIGINAL", "PRIMARY", "AXIAL", NAME], "NO"
    image.file_meta.SourceApplicationEntityTitle = NAME
    image.file_meta.ImplementationVersionName = NAME
    image.file_meta.PrivateInformationCreatorUID = f"{ROOT}.2"
    image.file_meta.PrivateInformation = NAME.encode()
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.3.{number}"
    image.preamble = NAME.encode().ljust(128, b" ")


def series(folder, change=planted):
    """A CT with a liver, sentinels in all files and in their names."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[LIVER] = 100
    return example_ct.write_series(folder / NAME, hu, change, prefix=f"{NAME}_")


def nifti(path, array):
    """A NIfTI file with sentinels in every text of its header and in an extension."""
    image = nib.Nifti1Image(array.transpose(2, 1, 0), example_ct.affine((2.5, PIXEL, PIXEL)))
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[field] = NAME.encode()
    for kind in ("comment", "afni"):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(kind, NAME.encode()))
    nib.save(image, path)


def two_series(number, image):
    planted(number, image)
    image.SeriesInstanceUID = f"{ROOT}.{number % 2}"
    image.ImagePositionPatient = [0, 0, number // 2 * 2.5]


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def sources(folder):
    """Image and mask of each case of a cohort, of those too that cannot be used."""
    folder = folder / f"{NAME}^archive"
    folder.mkdir()
    ct, mask = np.full(SHAPE, -1000, np.int16), np.zeros(SHAPE, np.uint8)
    ct[LIVER], mask[LIVER] = 100, 1
    masks = {name: folder / f"{NAME}_{name}.nii.gz" for name in ("mask", "cutmask")}
    for path in masks.values():
        nifti(path, mask)
    cut(masks["cutmask"])
    images = {
        "dicom": series(folder / "dicom"),
        "twoseries": series(folder / "two", two_series),
        "cutdicom": series(folder / "cut"),
    }
    stray = example_ct.image(np.zeros((4, 4), np.uint16), (0, 0, 0))
    planted(0, stray)
    stray.SOPClassUID = stray.file_meta.MediaStorageSOPClassUID = f"{ROOT}.9"
    stray.save_as(images["dicom"] / f"{NAME}.SR", enforce_file_format=True)
    (images["dicom"] / f"{NAME}.txt").write_text(NAME)
    cut(images["cutdicom"] / f"{NAME}_004.dcm")
    images["zip"] = folder / f"{NAME}.zip"
    with zipfile.ZipFile(images["zip"], "w") as archive:
        archive.comment = NAME.encode()
        for file in sorted(images["dicom"].iterdir()):
            archive.write(file, f"{NAME}/{file.name}")
    for name in ("nifti", "cutnifti"):
        images[name] = folder / f"{NAME}_{name}.nii.gz"
        nifti(images[name], ct)
    cut(images["cutnifti"])
    images["cutmask"] = images["nifti"]
    return {case: (image, masks.get(case, masks["mask"])) for case, image in images.items()}


def png_texts(picture):
    """The text chunks of a PNG, unpacked."""
    image = Image.open(io.BytesIO(picture))
    image.load()
    return repr((image.text, image.info)).encode()


def inside(path):
    """All that a file holds: its bytes, and what is compressed in it."""
    yield path.read_bytes()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes()) if path.stat().st_size else b""
    elif path.suffix == ".png":
        yield png_texts(path.read_bytes())
    elif path.suffix == ".b2nd":
        array = blosc2.open(str(path))
        yield repr((dict(array.schunk.vlmeta), dict(array.schunk.meta))).encode()
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        yield repr((table.schema.metadata, table.to_pydict())).encode()
    elif path.suffix in (".svg", ".html"):
        for picture in re.findall(rb"base64,\s*([A-Za-z0-9+/=\s]+)", path.read_bytes()):
            yield base64.b64decode(picture)
            yield png_texts(base64.b64decode(picture))


def found(path, name=""):
    """What of the planted texts a file, or its name, holds."""
    texts = [name.encode(), *inside(path)]
    codes = ("utf-8", "utf-16-le", "utf-16-be")
    return [
        word
        for word in PLANTED
        if any(word.lower().encode(code) in text.lower() for text in texts for code in codes)
    ]


def leaks(folder):
    """The files below a folder that hold planted text."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    hits = {str(path.relative_to(folder)): path for path in files}
    return {name: words for name, path in hits.items() if (words := found(path, name))}


def plant_png(path, chunk):
    info = PngImagePlugin.PngInfo()
    if chunk == "iTXt":
        info.add_itxt("Comment", NAME * 40, zip=True)
    else:
        info.add_text("Comment", NAME * 40, zip=chunk == "zTXt")
    Image.new("L", (4, 4)).save(path, pnginfo=info)


def plant_b2nd(path):
    array = blosc2.zeros((4, 4), urlpath=str(path), mode="w")
    array.schunk.vlmeta["name"] = NAME


def plant_svg(path):
    plant_png(packed := path.with_suffix(".png"), "zTXt")
    picture = base64.b64encode(packed.read_bytes()).decode()
    packed.unlink()
    path.write_text(f'<image xlink:href="data:image/png;base64,\n{picture}"/>')


CONTAINERS = {
    "log.log": lambda path: path.write_text(f"reading /data/{NAME.lower()}/ct"),
    "facts.json": lambda path: path.write_text(f'{{"date": "{DATE}"}}'),
    "wide.bin": lambda path: path.write_bytes(NAME.encode("utf-16-le")),
    "broad.bin": lambda path: path.write_bytes(b"\0\1\2" + ROOT.encode("utf-16-be")),
    f"{NAME}.csv": lambda path: path.write_text(""),
    "ct.nii.gz": lambda path: nifti(path, np.zeros((2, 2, 2), np.uint8)),
    "text.png": lambda path: plant_png(path, "tEXt"),
    "packed.png": lambda path: plant_png(path, "zTXt"),
    "international.png": lambda path: plant_png(path, "iTXt"),
    "embedded.svg": plant_svg,
    "x.b2nd": plant_b2nd,
    "x.safetensors": lambda path: save_file({"w": torch.zeros(1)}, path, metadata={"p": NAME}),
    "column.parquet": lambda path: pd.DataFrame({"t": [TIME] * 9}).to_parquet(path),
    "key.parquet": lambda path: pd.DataFrame({NAME: [1]}).to_parquet(path),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_search_finds_what_is_planted(name, tmp_path):
    CONTAINERS[name](tmp_path / name)
    assert list(leaks(tmp_path)) == [name]


def test_the_search_finds_nothing_where_nothing_is(tmp_path):
    (tmp_path / "x.csv").write_text("patient_id\n0001\n")
    assert leaks(tmp_path) == {}


def test_the_sources_name_somebody_in_every_kind_of_text(tmp_path):
    assert len(ALL_TEXT) > 1500
    cases = sources(tmp_path)
    for path in (*cases["nifti"], *cases["dicom"][0].iterdir()):
        assert found(path)


def test_no_text_of_the_sources_reaches_the_results(project):
    cases = sources(project.folder)
    with open(project.folder / "clinic.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "scan_id", "image", "liver_mask"])
        for case, paths in cases.items():
            table.writerow(["x", case, *(path.relative_to(project.folder) for path in paths)])
    project.snakemake("--cores", "2", cohorts="{clinic: {role: external, manifest: clinic.csv}}")
    cohort = pd.read_csv(result(project, "cohorts/clinic.csv"), keep_default_na=False)
    assert cohort.set_index("scan_id")["step"].to_dict() == {
        "dicom": "",
        "twoseries": "ingest",
        "cutdicom": "ingest",
        "zip": "",
        "nifti": "",
        "cutnifti": "ingest",
        "cutmask": "segment",
    }
    assert result(project, "predictions/external/clinic/linear/simclr/seed1.csv").is_file()
    assert leaks(project.folder / "results") == {}


def test_a_missing_image_is_told_without_its_path(project):
    table = project.folder / "clinic.csv"
    table.write_text(f"patient_id,image,liver_mask\nx,{NAME}/ct,{NAME}.nii.gz\n")
    clinic = "{clinic: {role: external, manifest: clinic.csv}}"
    text = project.snakemake("-n", check=False, cohorts=clinic)
    assert "row 2: image does not exist" in text
    assert NAME not in text
