"""What the files of a DICOM folder are: axial CT images, or something else that is counted."""

import errno
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hepatoclr.base import files, imports
from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import geometry

with imports.without("gdcm", "requests"):
    from pydicom import Dataset, dcmread
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import (
        UID,
        CTImageStorage,
        EnhancedCTImageStorage,
        ExplicitVRBigEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        LegacyConvertedEnhancedCTImageStorage,
    )

LARGEST_SIDE = 4096
LONGEST_FIRST = 256  # bytes of the first element of a data set
LONGEST_VALUE = 1024  # bytes; longer ones, the pixels, are left in the file
MULTI_FRAME = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
# of Rescale Type (PS3.3 C.11.1.1.2, and what exports write); US, unspecified, stands in plain CT
HU_TYPES = re.compile(r"(H\.?U\.?|HOUN\w*)([ _(].*)?|US|", re.IGNORECASE)
# words of Image Type (PS3.3 C.8.15.2, C.8.16.1, and makers' own) of what is computed from slices
COMPUTED = {
    *("MIP", "MINIP", "MAX_IP", "MIN_IP", "MAXIMUM", "MINIMUM", "PROJECTION IMAGE"),
    *("PERFUSION", "QUANTITY", "STD_DEVIATION", "SUBTRACTION", "DIVISION", "MULTIPLICATION"),
    *("RCBF", "RCBV", "MTT", "TTP", "TMAX", "EFF_ATOMIC_NUM", "ELECTRON_DENSITY"),
    *("MAT_FRACTIONAL", "MAT_REMOVED", "MAT_SPECIFIC", "MAT_MODIFIED", "MAT_VALUE_BASED"),
}
PIXELS = tag_for_keyword("PixelData")
NOT_DICOM, NOT_A_FILE, LOCALIZER = "not DICOM", "not a file", "localizer"
DAMAGED, COMMA = "damaged DICOM", "DICOM with decimal commas"
NO_PIXELS = "CT image without pixels"
UNPLACED = "CT image without position"
SHARED, PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
# without these in some images their pixels would be read as others (they have no default)
OF_PIXELS = ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "PixelPaddingRangeLimit")
# a volume has one value, where each of its images has not one of its own
ONE_VALUE = ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")
# along the slice axis a value never comes back after another
NEVER_BACK = (
    *("AcquisitionNumber", "AcquisitionTime", "AcquisitionDateTime", "FrameAcquisitionNumber"),
    *("FrameAcquisitionDateTime", "TemporalPositionIdentifier", "TemporalPositionIndex"),
    *("KVP", "ConvolutionKernel", "SliceThickness", "ContrastBolusAgent", "SeriesDescription"),
)
TAGS = [
    *("SOPClassUID", "ImageType", "Modality", "Manufacturer", "ManufacturerModelName"),
    *("SeriesInstanceUID", "InstanceNumber", "GantryDetectorTilt", *ONE_VALUE, *NEVER_BACK),
    *("ImagePositionPatient", "ImageOrientationPatient", "SamplesPerPixel", "NumberOfFrames"),
    *("Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *(*OF_PIXELS, "RescaleType", "ModalityLUTSequence", "LossyImageCompression"),
    *("BurnedInAnnotation", "PixelData", SHARED, PER_FRAME),
]
DECIMALS = {tag_for_keyword(name) for name in TAGS if dictionary_VR(name) == "DS"}


@dataclass(frozen=True)
class Image:
    """One axial CT image: a file, or a frame of one.

    Attributes:
        path: Its file.
        frame: Its place in a multi-frame object, from 0; 0 in a file of one image.
        header: The elements named in `TAGS`; those of a frame as a single image would have them.
        row, column: Unit vectors along a row and along a column, patient axes (LPS).
        position: Centre of the first pixel, mm, patient axes (LPS).
        spacing: Distance of pixels along a column and along a row, mm.
        size: Number of rows and columns.
    """

    path: Path
    frame: int
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
        return self.series_uid == other.series_uid and self.lies_as(other)

    def lies_as(self, other: "Image") -> bool:
        """Say whether no pixel of two images laid on each other is half a pixel off, or more."""
        if (self.size != other.size).any():
            return False
        apart = np.linalg.norm(self._sides() - other._sides(), axis=1).sum()
        return bool(apart < min(self.spacing) / 2)

    def _sides(self) -> np.ndarray:
        """Vectors from the first pixel to the last of its row and of its column, mm."""
        lengths = self.spacing[::-1] * (self.size[::-1] - 1)
        return np.stack([self.row, self.column]) * lengths[:, None]


@dataclass
class Folder:
    """What a folder holds.

    Attributes:
        images: Its axial CT images.
        ignored: How often it holds what else, by names of the DICOM standard or of this module.
        beside: The same by series (empty where it has no UID).
        unreadable: What is no readable DICOM file.
    """

    images: list[Image] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    beside: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unreadable: list[Path] = field(default_factory=list)


def scan(folder: Path) -> Folder:
    """Find the axial CT images of a folder, and count what else is there.

    Args:
        folder: Or one file, as of an Enhanced CT.

    Raises:
        BadCase: A DICOM file is damaged, so that the volume might lack a slice.
    """
    found = Folder()
    for path in [folder] if folder.is_file() else files.below(folder):
        header, images = examine(path)
        found.images += [image for image in images if isinstance(image, Image)]
        others = [image for image in images if isinstance(image, str)]
        found.ignored.update(others)
        if {NOT_DICOM, NOT_A_FILE} & set(others):
            found.unreadable.append(path)
        else:
            found.beside[str(header.get("SeriesInstanceUID") or "")].update(others)
    if COMMA in found.ignored:
        raise BadCase(
            f"{found.ignored[COMMA]} DICOM files write numbers with a decimal comma, which DICOM "
            "does not know. Export the series again, or correct the headers."
        )
    if DAMAGED in found.ignored:
        raise BadCase(
            f"the headers of {found.ignored[DAMAGED]} DICOM files are damaged. "
            "Export the series again, or remove them if they are no part of it."
        )
    return found


def _is_bare(start: bytes) -> bool:
    """Say whether a file begins as a data set, without preamble: with an element of few bytes.

    Its tag is of group 2 or 8, and the lowest of these stand first.
    """
    order = {b"\x08\x00": "little", b"\x02\x00": "little", b"\x00\x08": "big"}.get(start[:2])
    if not order or len(start) < 12:
        return False
    length = start[6:8] if start[4:6].isalpha() else start[4:8]
    return (
        int.from_bytes(start[2:4], order) < 0x100 and int.from_bytes(length, order) <= LONGEST_FIRST
    )


def open_dicom(path: Path, **options) -> Dataset:
    """Read a DICOM file, with the preamble and file meta information or without.

    Args:
        path: The file.
        **options: Of pydicom's `dcmread`.

    Raises:
        InvalidDicomError: It is none.
    """
    with open(path, "rb") as file:
        bare = _is_bare(file.read(132))
    found = dcmread(path, force=bare, **options)
    if not found.file_meta.get("TransferSyntaxUID"):
        implicit, little = found.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        found.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return found


def examine(path: Path) -> tuple[Dataset, list[Image | str]]:
    """Read a file's header, and give its axial CT images, or the name of what it is instead.

    Of a damaged header nothing is given.
    """
    nothing = Dataset()
    if not path.is_file():
        return nothing, [NOT_A_FILE]
    try:
        # pydicom's warnings quote values, which may be identities
        with warnings.catch_warnings(action="ignore"):
            header = open_dicom(path, defer_size=LONGEST_VALUE, specific_tags=TAGS)
            for tag in header.keys() - {PIXELS}:
                header[tag]  # elements are decoded when they are first asked for: here
            kind = COMMA if _has_comma(header) else _kind(header)
            return header, [kind] if kind else [_image(path, *own) for own in _frames(header)]
    except InvalidDicomError:
        return nothing, [NOT_DICOM]
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # damaged bytes that send the reader astray
            return nothing, [DAMAGED]
        raise
    except Exception:  # noqa: BLE001 - damaged bytes make pydicom raise nearly anything
        return nothing, [DAMAGED]


def _has_comma(header: Dataset) -> bool:
    """Say whether a number is written with a decimal comma."""
    numbers = [header[tag] for tag in header.keys() & DECIMALS]
    values = [one.value if one.VM > 1 else [one.value] for one in numbers]
    return any("," in str(value) for value in sum(map(list, values), []))


def _kind(header: Dataset) -> str:
    """Name what a DICOM object is unless it is a CT image; only names of the standard."""
    # some anonymisers empty SOPClassUID in the data set but not in the file's meta information
    uid = UID(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    words = _words(header)
    if not uid:
        return DAMAGED
    if uid != CTImageStorage and uid not in MULTI_FRAME:
        return uid.name if uid.name and uid.name != uid else "unknown object"
    if "LOCALIZER" in words:
        return LOCALIZER
    if not header.get("Rows") or not header.get("Columns") or "PixelData" not in header:
        return NO_PIXELS
    if header.get("Modality") != "CT":
        return "CT image of another modality" if header.get("Modality") else "CT without Modality"
    if header.get("SamplesPerPixel", 1) != 1:
        return "CT image in colour"
    if words & COMPUTED:
        return "map or projection computed from CT"
    if header.get("BurnedInAnnotation") == "YES":
        return "CT image with text burned in"
    if (header.get("NumberOfFrames") or 1) != 1 and uid not in MULTI_FRAME:
        return "CT image of several frames"
    return NO_PIXELS if max(header.Rows, header.Columns) > LARGEST_SIDE else ""


def _words(header: Dataset) -> set[str]:
    """The values of Image Type."""
    value = header.get("ImageType") or ()
    return {str(word).upper() for word in ([value] if isinstance(value, str) else value)}


def _frames(header: Dataset) -> Iterator[tuple[int, Dataset]]:
    """The images of an object, each with the header that it would have as a file of its own."""
    if PER_FRAME not in header:
        yield 0, header
        return
    shared = header.get(SHARED) or [Dataset()]
    for number, own in enumerate(header[PER_FRAME].value):
        frame = Dataset()
        frame.update(header)
        frame.file_meta = header.file_meta
        for groups in (shared[0], own):
            for group in groups:
                if group.VR == "SQ" and group.value:
                    frame.update(group.value[0])
        frame.ImageType = frame.get("FrameType") or header.get("ImageType")
        yield number, frame


def _image(path: Path, frame: int, header: Dataset) -> Image | str:
    """Place an image in the patient, or say why that cannot be done."""
    kind = str(header.get("RescaleType") or "").strip()
    if _words(header) & COMPUTED or not HU_TYPES.fullmatch(kind):
        return "map or projection computed from CT"
    position = numbers(header, "ImagePositionPatient", 3)
    cosines = numbers(header, "ImageOrientationPatient", 6)
    spacing = numbers(header, "PixelSpacing", 2)
    if (
        position is None
        or cosines is None
        or spacing is None
        or not geometry.is_plausible_spacing(spacing)
    ):
        return UNPLACED
    row, column = cosines.reshape(2, 3)
    if not geometry.are_perpendicular(row, column):
        return UNPLACED
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row  # what rounded cosines are off
    column /= np.linalg.norm(column)
    if np.abs(np.cross(row, column)).argmax() != 2:
        return "CT image that is not axial"
    size = np.array([int(header.Rows), int(header.Columns)])
    return Image(path, frame, header, row, column, position, spacing, size)


def numbers(header: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """Values of an element, or None if they are not `count` finite numbers."""
    try:
        values = np.array(header.get(keyword), dtype=float).ravel()
    except (TypeError, ValueError):
        return None
    return values if values.size == count and np.isfinite(values).all() else None


def number(header: Dataset, keyword: str, default: float | None = None) -> float | None:
    """Value of an element, or `default` if it is not one finite number."""
    values = numbers(header, keyword, 1)
    return default if values is None else float(values[0])
