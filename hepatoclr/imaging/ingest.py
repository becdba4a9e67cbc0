"""Raw CT, as a hospital exports it, to a canonical volume in Hounsfield units."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hepatoclr.base.errors import BadCase, UserError
from hepatoclr.imaging import formats, geometry, nifti, resample, volumes
from hepatoclr.imaging.volumes import Volume

INT16_MAX = np.iinfo(np.int16).max
LARGEST_TILT_DEGREES = 45
LEANING = {
    "tilt": "the slices are shifted against each other, as by a gantry tilted",
    "oblique": "the slices lean against the axial plane",
}


def read_ct(
    path: str | Path,
    series: Mapping | None = None,
    series_uid: str = "",
    fill_slices: int = 0,
) -> Volume:
    """Read a CT: a DICOM folder, a NIfTI file, or a zip of either.

    Args:
        path: Folders may be nested and may hold other objects too, as long as there is one
            axial CT volume among them that is wanted, or one NIfTI file and no DICOM.
        series: Which DICOM series is wanted where there are several, see `read.series.choose`.
        series_uid: Its UID, where it is known.
        fill_slices: Most neighbouring slices of a DICOM series that may be missing, at one place;
            they are interpolated.

    Returns:
        int16 HU, canonical, slices axial, nothing below air (-1024); tilted, sheared and oblique
        volumes are resampled. The facts say how it was stored, what was ignored and what is odd
        (`flags`), and hold no text that could name anybody.

    Raises:
        BadCase: What was found is not one CT volume on a regular grid; the message says what
            was found and what to do, and names no path.
        UserError: The disk or network failed.
    """
    path = Path(path)
    wanted = {"series_uid": series_uid, "fill_slices": fill_slices}
    if series is not None:
        wanted["preference"] = series
    try:
        form, found = _read(path, wanted)
        return _as_ct(found, form)
    except PermissionError as error:
        raise BadCase("a file or folder may not be read: permission denied.") from error
    except OSError as error:  # a disk or network that fails; its own words name the path
        raise UserError(
            f"reading the CT failed: {error.strerror or type(error).__name__}. Run again; nothing "
            "is lost."
        ) from error


def _read(path: Path, wanted: Mapping) -> tuple[str, Volume]:
    """Read what a path holds; with the name of its format."""
    if path.is_dir():
        found = formats.nifti_in(path)
        return ("nifti", nifti.read(found)) if found else ("dicom", _dicom(path, **wanted))
    if not path.exists():
        raise BadCase("there is no such file or folder. Check `image` in the manifest.")
    if not path.is_file():
        raise BadCase("it is neither a file nor a folder. Check `image` in the manifest.")
    kind = formats.kind(path)
    if kind == formats.NIFTI or (not kind and nifti.is_named(path)):
        return "nifti", nifti.read(path)
    if kind == formats.ZIP or (not kind and path.suffix.lower() == ".zip"):
        with formats.unpacked(path) as folder:
            return "zip", _read(folder, wanted)[1]
    if kind == formats.DICOM:
        return "dicom", _dicom(path, **wanted)
    if kind:
        raise formats.refusal(kind)
    raise BadCase(
        "the file is neither NIfTI (.nii, .nii.gz), nor DICOM, nor a zip archive. "
        "Give a folder of DICOM files, a zip of one, or a NIfTI file."
    )


def _as_ct(found: Volume, form: str) -> Volume:
    """Check that a volume can be a CT, make its slices axial, and complete its facts."""
    slices, *_ = found.array.shape
    if slices < geometry.MIN_SLICES:
        raise BadCase(
            f"the volume has {slices} slices; at least {geometry.MIN_SLICES} are needed. "
            "Give the whole series."
        )
    ct = replace(found, array=_hounsfield(found.array))
    tilt, oblique = resample.angles(ct.affine)
    if tilt > LARGEST_TILT_DEGREES:
        raise BadCase(
            f"the slices are shifted as if by a gantry tilted by {tilt:.0f} degrees, more than any "
            "can be. Export the CT again."
        )
    flags = dict(found.facts["flags"])
    if not resample.is_axial(ct.affine):
        name, degrees = ("tilt", tilt) if tilt > resample.TILT_DEGREES else ("oblique", oblique)
        flags[name] = f"{LEANING[name]} by {degrees:.1f} degrees; resampled to axial slices"
        ct = resample.to_axial(ct)
    facts = {
        "format": form,
        "slices": len(ct.array),
        "size": list(ct.array.shape),
        "spacing_mm": [round(length, 6) for length in ct.spacing],
        "pixel_sha256": pixel_sha256(ct.array),
        "tilt_degrees": round(tilt, 2),
        "oblique_degrees": round(oblique, 2),
        **found.facts,
        "flags": flags,
    }
    return replace(ct, facts=facts)


def pixel_sha256(array: np.ndarray) -> str:
    """Digest of the shape and the voxels of a volume, 16 hex digits: equal images, equal digests.

    It tells nothing of headers, file names or formats.
    """
    voxels = np.ascontiguousarray(array, "<i2")
    found = hashlib.sha256(repr(array.shape).encode())
    found.update(voxels.data)
    return found.hexdigest()[:16]


def _hounsfield(array: np.ndarray) -> np.ndarray:
    """Make int16 of HU, with air for anything below it; slice by slice, to spare memory."""
    hu = array if array.dtype == np.int16 else np.empty(array.shape, np.int16)
    low, high = np.inf, -np.inf
    for source, target in zip(array, hu, strict=True):
        if source.dtype.kind == "f" and not np.isfinite(source).all():
            raise BadCase("some voxels are not numbers (NaN or infinite). Export the CT again.")
        above = source[source > volumes.AIR]  # what is not padding
        if above.size:
            low, high = min(low, above.min()), max(high, above.max())
        rounded = np.rint(source) if source.dtype.kind == "f" else source
        target[...] = np.clip(rounded, volumes.AIR, INT16_MAX)
    # in every CT there is something lighter than water, and something heavier
    if high < 0 or low >= 0 or high >= INT16_MAX:
        low, high = array.min(), array.max()
        raise BadCase(
            f"intensities are not Hounsfield units ({low:g}..{high:g}). "
            "Export the CT with its rescale, not as a picture."
        )
    return hu


def _dicom(folder: Path, **wanted) -> Volume:
    # pydicom takes 0.3 s to import: NIfTI cases go without
    from hepatoclr.imaging.dicom import read

    return read.read(folder, **wanted)
