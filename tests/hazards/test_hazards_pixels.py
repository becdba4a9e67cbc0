"""Hazards of pixels, made by code: how they are stored, what they mean, how the patient lies."""

from functools import partial

import imagecodecs
import numpy as np
import pytest
from example_ct import ORIGIN, SPACING, image, write_series
from hazards import HU, hazard
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
)

HAZARDS = []
hazard = partial(hazard, into=HAZARDS)


@pytest.mark.parametrize("case", HAZARDS)
def test_hazard(case, tmp_path):
    case.check(tmp_path)


# --- transfer syntaxes ---


LOSSLESS = {
    ImplicitVRLittleEndian: None,
    ExplicitVRBigEndian: None,
    DeflatedExplicitVRLittleEndian: None,
    RLELossless: None,
    JPEGLossless: partial(imagecodecs.ljpeg_encode, bitspersample=16),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: partial(imagecodecs.jpeg2k_encode, codecformat="J2K", reversible=True),
    HTJ2KLossless: partial(imagecodecs.htj2k_encode, reversible=True),
}


def stored_as(uid):
    """Make a change of an image that stores it in a transfer syntax."""

    def store(_, one):
        pixels, encode = one.pixel_array, LOSSLESS[uid]
        if uid == RLELossless:
            one.compress(uid)
        elif uid == ExplicitVRBigEndian:
            one.PixelData = pixels.astype(">u2").tobytes()
        elif encode:
            one.PixelData = encapsulate([encode(pixels)])
            one["PixelData"].VR = "OB"
        one.file_meta.TransferSyntaxUID = uid

    return store


for uid in LOSSLESS:

    @hazard()
    def syntax(folder, uid=uid):
        write_series(folder, HU, stored_as(uid))

    HAZARDS[-1] = pytest.param(*HAZARDS[-1].values, id=f"stored as {uid.name}")


@hazard(flags=("lossy",), within=40)
def lossy_jpeg_of_eight_bits(folder):
    def store(number, one):
        grey = np.full((20, 16), 100 + number, np.uint8)
        grey[:10] += 40
        one.PixelData = encapsulate([imagecodecs.jpeg_encode(grey, level=98)])
        one["PixelData"].VR = "OB"
        one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7
        one.RescaleSlope, one.RescaleIntercept = 10, -1200
        one.file_meta.TransferSyntaxUID = JPEGBaseline8Bit

    write_series(folder, HU, store)


GREY = np.repeat((100 + np.arange(9))[:, None, None], 20, 1) + 40 * (np.arange(20)[:, None] < 10)
HAZARDS[-1].values[0].hu = np.broadcast_to(10 * GREY - 1200, HU.shape)


@hazard("cannot be decoded (stored as MPEG2 Main Profile")
def a_video_as_pixels(folder):
    def store(_, one):
        one.PixelData = encapsulate([b"\0\0\1\xba" * 20])
        one["PixelData"].VR = "OB"
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"

    write_series(folder, HU, store)


@hazard("cannot be decoded (stored as JPEG 2000")
def a_damaged_code_stream(folder):
    def store(number, one):
        stored_as(JPEG2000Lossless)(number, one)
        if number == 3:
            one.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\7" * 80])

    write_series(folder, HU, store)


# --- numbers and HU ---


@hazard()
def rescaled_image_by_image(folder):
    def rescale(number, one):
        one.RescaleIntercept = -1024 - number
        one.PixelData = (one.pixel_array + np.uint16(number)).tobytes()

    write_series(folder, HU, rescale)


@hazard()
def signed_pixels(folder):
    def sign(_, one):
        one.PixelData = (one.pixel_array.astype(np.int16) - 1024).tobytes()
        one.PixelRepresentation, one.RescaleIntercept = 1, 0

    write_series(folder, HU, sign)


@hazard()
def signed_pixels_of_twelve_bits(folder):
    def sign(_, one):
        one.PixelData = (one.pixel_array.astype(np.int16) - 1024).tobytes()
        one.PixelRepresentation, one.RescaleIntercept = 1, 0
        one.BitsStored, one.HighBit = 12, 11

    write_series(folder, HU, sign)


@hazard("pixels hold numbers outside the 12 bits")
def negative_numbers_called_unsigned(folder):
    def sign(_, one):
        one.PixelData = (one.pixel_array.astype(np.int16) - 1024).tobytes()
        one.RescaleIntercept, one.BitsStored, one.HighBit = 0, 12, 11

    write_series(folder, HU, sign)


@hazard("intensities are not Hounsfield units (0..32767)")
def negative_numbers_called_unsigned_of_sixteen_bits(folder):
    def sign(_, one):
        one.PixelData = (one.pixel_array.astype(np.int16) - 1024).tobytes()
        one.RescaleIntercept = 0

    write_series(folder, HU, sign)


@hazard("pixels hold numbers outside the 11 bits")
def more_than_the_named_bits(folder):
    write_series(folder, HU, BitsStored=11, HighBit=10)


@hazard()
def an_overlay_in_unused_bits(folder):
    def overlay(_, one):
        pixels = one.pixel_array.copy()
        pixels[::2] |= 0x8000
        one.PixelData, one.BitsStored, one.HighBit = pixels.tobytes(), 12, 11
        one.add_new((0x6000, 0x0100), "US", 16)
        one.add_new((0x6000, 0x0102), "US", 15)

    write_series(folder, HU, overlay)


AIR_OUTSIDE = HU.copy()
AIR_OUTSIDE[:, 0] = -1024


def padded(folder, stored, signed, told):
    """Write HU with a row of padding."""

    def pad(_, one):
        numbers = one.pixel_array.astype(np.int32) - 1024 * signed
        numbers[0] = stored
        one.PixelData = (numbers % 65536).astype(np.uint16).tobytes()
        one.PixelRepresentation, one.RescaleIntercept = signed, -1024 * (not signed)
        one.add_new("PixelPaddingValue", "SS" if told < 0 else "US", told)

    write_series(folder, HU, pad)


@hazard(hu=AIR_OUTSIDE)
def padding_below_air(folder):
    padded(folder, -2000, 1, -2000)


@hazard(hu=AIR_OUTSIDE)
def padding_far_below_air(folder):
    padded(folder, -32768, 1, -32768)


@hazard(hu=AIR_OUTSIDE)
def padding_written_without_its_sign(folder):
    padded(folder, -2000, 1, 63536)


@hazard(hu=AIR_OUTSIDE)
def padding_above_everything(folder):
    padded(folder, 65535, 0, 65535)


@hazard(hu=AIR_OUTSIDE)
def padding_written_with_a_sign_that_is_not(folder):
    padded(folder, 63536, 0, -2000)


@hazard("intensities are not Hounsfield units (24..")
def intercept_missing(folder):
    def forget(_, one):
        del one.RescaleIntercept, one.RescaleSlope

    write_series(folder, HU, forget)


@hazard("intensities are not Hounsfield units (-1024..")
def intercept_missing_behind_padding(folder):
    def forget(_, one):
        numbers = one.pixel_array.astype(np.int16)
        numbers[0] = -2000
        one.PixelData, one.PixelRepresentation = numbers.tobytes(), 1
        del one.RescaleIntercept, one.RescaleSlope

    write_series(folder, HU, forget)


@hazard("intensities are not Hounsfield units (0..255)")
def pictures_of_eight_bits(folder):
    def flatten(_, one):
        one.PixelData = np.linspace(0, 255, 320).astype(np.uint8).tobytes()
        one.BitsAllocated, one.BitsStored, one.HighBit, one.RescaleIntercept = 8, 8, 7, 0

    write_series(folder, HU, flatten)


@hazard("no linear rescale to HU")
def slope_of_nought(folder):
    write_series(folder, HU, RescaleSlope=0)


@hazard("no linear rescale to HU")
def an_intercept_that_is_no_number(folder):
    write_series(folder, HU, lambda _, one: one.add_new("RescaleIntercept", "LO", "about"))


@hazard("9 x CT image in colour")
def colour(folder):
    def paint(_, one):
        one.PixelData = np.zeros((20, 16, 3), np.uint8).tobytes()
        one.SamplesPerPixel, one.PhotometricInterpretation, one.PlanarConfiguration = 3, "RGB", 0
        one.BitsAllocated, one.BitsStored, one.HighBit = 8, 8, 7

    write_series(folder, HU, paint)


# --- how the patient lies ---


def lying(row, column, up):
    """Write the same body, stored by other rows, columns and order of images."""

    def make(folder):
        axes = np.array([row, column, np.cross(row, column)]).T
        order = np.abs(axes).argmax(axis=0)  # which of x, y, z an axis of the images follows
        body = HU.transpose(2, 1, 0).transpose(*order)
        flips = [axis for axis in range(3) if axes[order[axis], axis] < 0]
        body = np.flip(body, flips)
        lengths = np.array([SPACING[2], SPACING[1], SPACING[0]])
        far = np.array(ORIGIN) + lengths * (np.array(HU.shape[::-1]) - 1)
        corner = np.where(axes.sum(axis=1) < 0, far, ORIGIN)
        lengths = lengths[order]
        numbers = range(body.shape[2])
        folder.mkdir(exist_ok=True)
        for k in numbers if up else reversed(numbers):
            made = image(
                (body[:, :, k].T + 1024).astype(np.uint16), corner + k * lengths[2] * axes[:, 2],
                ImageOrientationPatient=[*row, *column], PixelSpacing=[lengths[1], lengths[0]],
                InstanceNumber=k,
            )  # fmt: skip
            made.save_as(folder / f"{k:03d}.dcm", enforce_file_format=True)

    return make


for name, row, column in (
    ("supine", (1, 0, 0), (0, 1, 0)),
    ("prone", (-1, 0, 0), (0, -1, 0)),
    ("feet first", (-1, 0, 0), (0, 1, 0)),
    ("feet first prone", (1, 0, 0), (0, -1, 0)),
    ("decubitus on the left", (0, 1, 0), (-1, 0, 0)),
    ("decubitus on the right", (0, -1, 0), (1, 0, 0)),
    ("transposed", (0, 1, 0), (1, 0, 0)),
    ("transposed and turned", (0, -1, 0), (-1, 0, 0)),
):
    hazard()(lying(row, column, up=True))
    HAZARDS[-1] = pytest.param(*HAZARDS[-1].values, id=name)
