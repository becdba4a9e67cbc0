"""Small CTs made by code, in HU and as DICOM series or NIfTI, and how they are looked at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import ingest

SPACING = (2.5, 0.9, 0.8)
ORIGIN = (-60.0, -80.5, 312.25)
AXIAL = (1, 0, 0, 0, 1, 0)


def random_hu(shape: tuple[int, int, int] = (9, 20, 16), seed: int = 0) -> np.ndarray:
    """HU without any symmetry, int16, shape (z, y, x)."""
    return np.random.default_rng(seed).integers(-1000, 1200, shape).astype(np.int16)


def affine(spacing: Sequence[float] = SPACING, origin: Sequence[float] = ORIGIN) -> np.ndarray:
    """Affine (RAS mm) of a series written with these settings."""
    z, y, x = spacing
    left, back, up = origin
    return np.array([[-x, 0, 0, -left], [0, -y, 0, -back], [0, 0, z, up], [0, 0, 0, 1.0]])


def image(stored: np.ndarray, position: Sequence[float], **elements) -> Dataset:
    """One CT image of stored numbers (rows, columns) with rescale 1, -1024."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID = made.FrameOfReferenceUID = "1.2.3"
    made.SeriesInstanceUID = "1.2.3.4"
    made.PatientID, made.PatientName, made.StudyID = "p", "Sentinel^Name", ""
    made.PatientBirthDate = made.PatientSex = made.StudyDate = made.StudyTime = ""
    made.AccessionNumber = made.ReferringPhysicianName = ""
    made.Modality, made.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.Manufacturer, made.ConvolutionKernel, made.KVP = "GE MEDICAL SYSTEMS", "STANDARD", 120
    made.SliceThickness, made.PixelSpacing = SPACING[0], list(SPACING[1:])
    made.ImageOrientationPatient, made.ImagePositionPatient = list(AXIAL), list(position)
    made.Rows, made.Columns = stored.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 16, 15
    made.PixelRepresentation = int(stored.dtype.kind == "i")
    made.RescaleSlope, made.RescaleIntercept, made.InstanceNumber = 1, -1024, 1
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    made.PixelData = stored.tobytes()
    return made


def write_series(
    folder: Path,
    hu: np.ndarray,
    change: Callable[[int, Dataset], None] = lambda number, image: None,
    prefix: str = "",
    **elements,
) -> Path:
    """Write HU (z, y, x) as a series, one file per slice.

    `change` may alter each image before it is written; `elements` are set in all of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(hu):
        position = (*ORIGIN[:2], ORIGIN[2] + number * SPACING[0])
        made = image((pixels + 1024).astype(np.uint16), position, **elements)
        change(number, made)
        dcmwrite(folder / f"{prefix}{number:03d}.dcm", made, enforce_file_format=True)
    return folder


def write_nifti(path, array_xyz=None, grid=None) -> Path:
    """Write an array (x, y, z) as NIfTI."""
    array_xyz = random_hu().transpose(2, 1, 0) if array_xyz is None else array_xyz
    image = nib.Nifti1Image(array_xyz, affine() if grid is None else grid)
    if grid is None:
        image.set_qform(affine(), code="scanner")
    nib.save(image, path)
    return path


def check(ct, hu, grid=None):
    """The volume is this HU on this grid."""
    np.testing.assert_array_equal(ct.array, hu)
    assert ct.array.dtype == np.int16
    np.testing.assert_allclose(ct.affine, affine() if grid is None else grid, atol=1e-6)


def refusal(path) -> str:
    """The message with which a path is refused; it names no path."""
    with pytest.raises(BadCase) as refused:
        ingest.read_ct(path)
    message = str(refused.value)
    assert "/" not in message
    assert "Sentinel" not in message
    assert message.endswith(".")
    return message
