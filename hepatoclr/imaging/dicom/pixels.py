"""The HU of a series' images, whatever way they are stored."""

import warnings
from collections.abc import Iterator, Mapping

import numpy as np
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import volumes
from hepatoclr.imaging.dicom.headers import Image, number, open_dicom
from hepatoclr.imaging.dicom.series import ambiguous, transfer_syntax

TISSUE_HU = (-1000, 3071)
INT16 = np.iinfo(np.int16)
RETIRED_JPEG = (UID("1.2.840.10008.1.2.4.53"), UID("1.2.840.10008.1.2.4.55"))
LOSSY_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, *RETIRED_JPEG)
HTJ2K = (HTJ2KLossless, HTJ2KLosslessRPCL, UID("1.2.840.10008.1.2.4.203"))
# functions of imagecodecs, which survives damage that kills GDCM, and reads HTJ2K and 12 bits
DECODERS = {
    **dict.fromkeys((*LOSSY_JPEG, JPEGLossless, JPEGLosslessSV1), "jpeg_decode"),
    **dict.fromkeys((JPEGLSLossless, JPEGLSNearLossless), "jpegls_decode"),
    **dict.fromkeys((JPEG2000Lossless, JPEG2000, *HTJ2K), "jpeg2k_decode"),
}
OVERLAY_BITS = [(group, 0x0102) for group in range(0x6000, 0x601F, 2)]


def read(
    places: list[Image], copies: Mapping[int, list[Image]]
) -> tuple[np.ndarray, dict[str, str]]:
    """Decode a series.

    Args:
        places: One image for each place.
        copies: Further images by number of the place, which must show the same.

    Returns:
        int16 HU, shape (images, rows, columns), each image rescaled by its own slope and
        intercept, padding set to air; flags.

    Raises:
        BadCase: An image cannot be decoded, or a copy shows something else.
    """
    hu = np.empty((len(places), *places[0].size), np.int16)
    flags: dict[str, str] = {}
    for place, (image, stored) in enumerate(_decoded(places)):
        hu[place] = _hounsfield(stored, image, flags)
    differing = [
        image.position[2]
        for place, others in copies.items()
        for image, stored in _decoded(others)
        if not np.array_equal(_hounsfield(stored, image, flags), hu[place])
    ]
    if differing:
        raise ambiguous([*places, *sum(copies.values(), [])], differing)
    return hu, flags


def _decoded(images: list[Image]) -> Iterator[tuple[Image, np.ndarray]]:
    """Stored numbers of images; a file is opened once for all its frames."""
    path, dataset = None, Dataset()
    for image in images:
        try:
            with warnings.catch_warnings(action="ignore"):
                if image.path != path:
                    path, dataset = image.path, open_dicom(image.path)
                stored = _stored(dataset, image)
            if stored.shape != tuple(image.size):
                raise ValueError("the pixels do not fill the image")
        except (BadCase, OSError):
            raise
        except Exception as error:  # pydicom and the decoders raise nearly anything
            raise BadCase(
                f"the pixels cannot be decoded (stored as {transfer_syntax(image.header)}): a file "
                "is cut short, or its compression is not known. Export the series again, "
                "uncompressed."
            ) from error
        yield image, stored


def _stored(dataset: Dataset, image: Image) -> np.ndarray:
    """Decode one image, rows and columns."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in DECODERS:
        index = image.frame if frames > 1 else None
        stored = pixel_array(dataset, index=index, raw=True, correct_unused_bits=False)
        return _in_range(stored, dataset)
    import imagecodecs  # 0.2 s: most CT is not compressed

    decode = getattr(imagecodecs, DECODERS[syntax])
    packed = get_frame(dataset.PixelData, image.frame, number_of_frames=frames)
    return _signed(decode(packed), dataset)


def _in_range(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Check that pixels keep to the bits that the header names for them.

    Raises:
        BadCase: They do not, and no overlay explains it: overflow, or the wrong sign.
    """
    kept = _signed(stored, dataset)
    overlay = any(dataset.get(tag) and dataset[tag].value for tag in OVERLAY_BITS)
    if not overlay and not np.array_equal(kept, stored):
        raise BadCase(
            f"pixels hold numbers outside the {dataset.BitsStored} bits that their header names: "
            "an overflow, or a wrong sign. Export the series again."
        )
    return kept


def _signed(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Read the stored bits of pixels with the sign that the header names, without other bits."""
    kind = "i" if dataset.PixelRepresentation else "u"
    stored = stored.astype(stored.dtype.newbyteorder("=")).view(f"{kind}{stored.dtype.itemsize}")
    unused = 8 * stored.dtype.itemsize - dataset.BitsStored
    return (stored << unused) >> unused if unused > 0 else stored


def _hounsfield(stored: np.ndarray, image: Image, flags: dict[str, str]) -> np.ndarray:
    """Rescale an image to int16 HU, with padding set to air; adds to the flags."""
    header = image.header
    slope, intercept = (
        number(header, keyword, default if header.get(keyword) in (None, "") else None)
        for keyword, default in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    if not slope or intercept is None or "ModalityLUTSequence" in header:
        raise BadCase("the images have no linear rescale to HU. Export the series again.")
    if slope == 1 and intercept.is_integer() and abs(intercept) <= INT16.max:
        hu = stored.astype(np.int32) + int(intercept)
    else:
        hu = np.rint(stored.astype(np.float32) * np.float32(slope) + np.float32(intercept))
    padding = number(header, "PixelPaddingValue")
    if padding is not None:
        limit = number(header, "PixelPaddingRangeLimit", padding)
        ends = [_with_sign(value, header) * slope + intercept for value in (padding, limit)]
        low, high = min(ends), max(ends)
        if high <= TISSUE_HU[0] or low >= TISSUE_HU[1]:
            hu[(hu > low - 0.5) & (hu < high + 0.5)] = volumes.AIR
        else:
            flags["padding"] = f"padding stands for {low:g} HU, which may be tissue; it was kept"
    if (
        header.file_meta.TransferSyntaxUID in (*LOSSY_JPEG, JPEGLSNearLossless)
        or header.get("LossyImageCompression") == "01"
    ):
        flags["lossy"] = "the images were compressed with losses"
    return np.clip(hu, volumes.AIR, INT16.max).astype(np.int16)


def _with_sign(value: float, header: Dataset) -> float:
    """Read a padding value with the sign of the pixels; some exports write the other's."""
    bits = int(header.BitsAllocated)
    if header.PixelRepresentation and value >= 2 ** (bits - 1):
        return value - 2**bits
    return value + 2**bits if not header.PixelRepresentation and value < 0 else value
