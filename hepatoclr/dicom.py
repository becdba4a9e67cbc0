"""The one axial CT series of a folder: which files belong to it, where its images lie, their HU."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, CTImageStorage

from hepatoclr import geometry, volumes
from hepatoclr.errors import BadCase
from hepatoclr.volumes import Volume

SAME_PLANE = 1e-4
TISSUE_HU = (-1000, 3071)
DAMAGED = "damaged DICOM"
SHORT = "CT image of a short series"
UNPLACED = "CT image without position"
TAGS = [
    "SOPClassUID",
    "ImageType",
    "Modality",
    "Manufacturer",
    "SliceThickness",
    "KVP",
    "GantryDetectorTilt",
    "ConvolutionKernel",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "LossyImageCompression",
]
MAKERS = ("Canon", "GE", "Hitachi", "Neusoft", "Philips", "Siemens", "Toshiba", "UIH")
KERNELS = re.compile(
    r"[A-Z]|(YA|YB|YC|YD|IMR\d|FC)\d{0,2}|[BDHIQTU][a-z]?\d\d[a-z]?"
    r"|(STANDARD|STD|SOFT|DETAIL|CHEST|CHST|LUNG|BONE|BONEPLUS|EDGE|ULTRA)[+]?"
)


@dataclass(frozen=True)
class Image:
    """One axial CT image.

    Attributes:
        path: Its file.
        header: The elements named in `TAGS`.
        row, column: Unit vectors along a row and along a column, patient axes (LPS).
        position: Centre of the first pixel, mm, patient axes (LPS).
        spacing: Distance of pixels along a column and along a row, mm.
        size: Number of rows and columns.
    """

    path: Path
    header: Dataset
    row: np.ndarray
    column: np.ndarray
    position: np.ndarray
    spacing: np.ndarray
    size: np.ndarray

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the image; towards the head if the patient lies as usual."""
        return np.cross(self.row, self.column)

    @property
    def series_uid(self) -> str:
        """What names the series; empty in some anonymised exports."""
        return str(self.header.get("SeriesInstanceUID") or "")

    def fits(self, other: "Image") -> bool:
        """Say whether two images can be of one volume."""
        planes = [(image.row, image.column, image.spacing, image.size) for image in (self, other)]
        apart = np.abs(np.concatenate(planes[0]) - np.concatenate(planes[1])).max()
        return self.series_uid == other.series_uid and bool(apart < SAME_PLANE)


def read(folder: Path) -> Volume:
    """Read the CT volume of a folder, nested folders included.

    Returns:
        HU in float32 with padding set to air, canonical; facts of the DICOM headers.

    Raises:
        BadCase: The folder does not hold exactly one axial CT volume on a regular grid.
    """
    images, ignored = sort_out(folder)
    series = only_volume(images, ignored)
    ignored += Counter({SHORT: len(images) - len(series)})
    spacing = geometry.slice_spacing(np.array([i.position for i in series]), series[0].normal)
    affine = _affine(series[0], spacing)
    hu = _pixels(series)
    facts = {
        **_technique(series[0]),
        "stored_orientation": volumes.orientation(affine),
        "ignored": dict(sorted(ignored.items())),
        "warnings": [*_remarks(series, spacing), *_pad_with_air(hu, series)],
    }
    return replace(volumes.canonical(hu.transpose(2, 1, 0), affine), facts=facts)


def sort_out(folder: Path) -> tuple[list[Image], Counter[str]]:
    """Find the axial CT images of a folder, and count what else is there.

    Raises:
        BadCase: A DICOM file is damaged, so that the volume might lack a slice.
    """
    images, ignored = [], Counter()
    for path in _files(folder):
        found = _examine(path)
        if isinstance(found, Image):
            images.append(found)
        else:
            ignored[found] += 1
    if DAMAGED in ignored:
        raise BadCase(
            f"the headers of {ignored[DAMAGED]} DICOM files are damaged. "
            "Export the series again, or remove them if they are no part of it."
        )
    return images, ignored


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder; links to folders are not followed, they may form a ring."""

    def stop(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=stop):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _examine(path: Path) -> Image | str:
    """Read a file's header: an axial CT image, or the name of what it is instead."""
    if not path.is_file():
        return "not a file"
    try:
        # pydicom's warnings quote values, which may be identities
        with warnings.catch_warnings(action="ignore"):
            header = dcmread(path, stop_before_pixels=True, specific_tags=TAGS)
            list(header)  # elements are decoded when they are first asked for: all, here
            return _kind(header) or _image(path, header)
    except InvalidDicomError:
        return "not DICOM"
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - damaged bytes make pydicom raise nearly anything
        return DAMAGED


def _kind(header: Dataset) -> str | None:
    """Name what a DICOM object is unless it is a single CT image; only names of the standard."""
    # some anonymisers empty SOPClassUID in the data set but not in the file's meta information
    uid = header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or ""
    if not uid:
        return DAMAGED
    if uid != CTImageStorage:
        name = UID(uid).name
        return name if name and name != uid else "unknown object"
    if "LOCALIZER" in (header.get("ImageType") or ""):
        return "localizer"
    # without these a header was cut short, and the series may have lost a slice
    if not header.get("Modality") or not header.get("Rows") or not header.get("Columns"):
        return DAMAGED
    if header.Modality != "CT":
        return "CT image of another modality"
    if header.get("SamplesPerPixel", 1) != 1 or (header.get("NumberOfFrames") or 1) != 1:
        return "CT image in colour or of several frames"
    return None


def _image(path: Path, header: Dataset) -> Image | str:
    """Place an image in the patient, or say why that cannot be done."""
    position = _numbers(header, "ImagePositionPatient", 3)
    cosines = _numbers(header, "ImageOrientationPatient", 6)
    spacing = _numbers(header, "PixelSpacing", 2)
    if position is None or cosines is None or spacing is None or not geometry.plausible(spacing):
        return UNPLACED
    row, column = cosines.reshape(2, 3)
    if not geometry.perpendicular(row, column):
        return UNPLACED
    row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
    if np.abs(np.cross(row, column)).argmax() != 2:
        return "CT image that is not axial"
    size = np.array([int(header.Rows), int(header.Columns)])
    return Image(path, header, row, column, position, spacing, size)


def _numbers(header: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """Values of an element, or None if they are not `count` finite numbers."""
    try:
        values = np.array(header.get(keyword), dtype=float).ravel()
    except (TypeError, ValueError):
        return None
    return values if values.size == count and np.isfinite(values).all() else None


def _number(header: Dataset, keyword: str, default: float | None = None) -> float | None:
    values = _numbers(header, keyword, 1)
    return default if values is None else float(values[0])


def only_volume(images: list[Image], ignored: Counter[str]) -> list[Image]:
    """Take the only volume among axial CT images, its images in ascending order.

    Args:
        images: What `sort_out` found.
        ignored: What else it found; told if there is no volume.

    Raises:
        BadCase: There is none, or more than one.
    """
    groups: list[list[Image]] = []
    for image in images:
        group = next((group for group in groups if image.fits(group[0])), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    found = [group for group in groups if len(group) >= geometry.MIN_SLICES]
    if not found:
        seen = sorted((ignored + Counter({SHORT: len(images)})).items())
        raise BadCase(
            f"no axial CT series of at least {geometry.MIN_SLICES} images was found, but "
            f"{', '.join(f'{count} x {kind}' for kind, count in seen) or 'no file at all'}. "
            "Give the folder of the CT series."
        )
    if len(found) > 1:
        listed = "; ".join(sorted(_describe(group) for group in found))
        raise BadCase(f"{len(found)} CT series were found: {listed}. Keep one in the folder.")
    chosen = found[0]
    uid = chosen[0].series_uid
    if uid and sum(image.series_uid == uid for image in images) > len(chosen):
        raise BadCase(
            "the images of the CT series differ in size, spacing or direction. "
            "Export the series again, one reconstruction alone."
        )
    return sorted(chosen, key=lambda image: float(image.position @ chosen[0].normal))


def _describe(series: list[Image]) -> str:
    """Tell series apart without their descriptions, which may hold names."""
    heights = np.sort([image.position @ series[0].normal for image in series])
    technique = _technique(series[0])
    return (
        f"{len(series)} images {np.median(np.diff(heights)):.2f} mm apart, "
        f"{technique['slice_thickness_mm']} mm thick, kernel {technique['kernel']}"
    )


def _affine(first: Image, spacing: float) -> np.ndarray:
    """Pixel column, pixel row and slice to RAS mm; `first` is the lowest image."""
    affine = np.eye(4)
    affine[:3, 0] = first.row * first.spacing[1]
    affine[:3, 1] = first.column * first.spacing[0]
    affine[:3, 2] = first.normal * spacing
    affine[:3, 3] = first.position
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _pixels(series: list[Image]) -> np.ndarray:
    """Decode a series: HU in float32, shape (images, rows, columns).

    Each image is rescaled by its own slope and intercept. Reading floats keeps that so: an
    integer type would be chosen by the first image alone.
    """
    # ITK's warnings hold paths
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    paths = [str(image.path) for image in series]
    syntax = _transfer_syntax(series[0].header)
    try:
        hu = sitk.GetArrayFromImage(sitk.ReadImage(paths, sitk.sitkFloat32, "GDCMImageIO"))
    except RuntimeError as error:
        raise BadCase(
            f"the pixels cannot be decoded (stored as {syntax}): a file is cut short, "
            "or its compression is not known. Export the series again, uncompressed."
        ) from error
    if hu.shape != (len(series), *series[0].size):
        raise BadCase("the pixels do not fill the images. Export the series again.")
    return hu


def _pad_with_air(hu: np.ndarray, series: list[Image]) -> list[str]:
    """Set padding to air, in place; returns remarks.

    Padding that stands for a HU of tissue is left alone: some exports name 0 as padding where
    0 is water.
    """
    kept = set()
    for image, pixels in zip(series, hu, strict=True):
        padding = _number(image.header, "PixelPaddingValue")
        if padding is None:
            continue
        limit = _number(image.header, "PixelPaddingRangeLimit", padding)
        slope = _number(image.header, "RescaleSlope", 1.0)
        intercept = _number(image.header, "RescaleIntercept", 0.0)
        low, high = sorted(value * slope + intercept for value in (padding, limit))
        if high <= TISSUE_HU[0] or low >= TISSUE_HU[1]:
            pixels[(pixels > low - 0.5) & (pixels < high + 0.5)] = volumes.AIR
        else:
            kept.add(f"PixelPaddingValue stands for {low:g} HU, which may be tissue; it was kept")
    return sorted(kept)


def _technique(image: Image) -> dict:
    """Facts of a header: numbers, and words of closed lists only, since text may hold names."""
    header = image.header
    maker = str(header.get("Manufacturer") or "").upper()
    kernel = header.get("ConvolutionKernel") or ""
    kernel = kernel if isinstance(kernel, str) else kernel[0]
    return {
        "manufacturer": next((name for name in MAKERS if maker.startswith(name.upper())), None),
        "kernel": kernel if KERNELS.fullmatch(kernel) else None,
        "kvp": _number(header, "KVP"),
        "slice_thickness_mm": _number(header, "SliceThickness"),
        "transfer_syntax": _transfer_syntax(header),
    }


def _transfer_syntax(header: Dataset) -> str:
    uid = header.file_meta.get("TransferSyntaxUID") or UID("")
    return uid.name if uid and uid.name != uid else "unknown transfer syntax"


def _remarks(series: list[Image], spacing: float) -> list[str]:
    """What is odd about a series without making it unusable."""
    header = series[0].header
    thickness = _number(header, "SliceThickness")
    tilt = _number(header, "GantryDetectorTilt", 0.0)
    found = []
    if thickness is not None and abs(thickness - spacing) > geometry.TOLERANCE_MM:
        found.append(f"SliceThickness {thickness:g} mm differs from spacing {spacing:g} mm")
    if abs(tilt) > 0.1:
        found.append(f"GantryDetectorTilt is {tilt:g} degrees, but the images stand straight")
    if any(image.header.get("LossyImageCompression") == "01" for image in series):
        found.append("the images were compressed with losses")
    return found
