"""A liver mask in DICOM: a SEG, or a series of images."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID, RTStructureSetStorage, SegmentationStorage

from hepatoclr.base import files
from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import formats, geometry, masks, volumes
from hepatoclr.imaging.dicom.headers import open_dicom
from hepatoclr.imaging.volumes import Volume

SEGS = (SegmentationStorage, UID("1.2.840.10008.5.1.4.1.1.66.7"))  # the second of label maps
TAGS = [
    *("SOPClassUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient"),
]
DIRECTIONS = {"L": (1, 0, 0), "R": (-1, 0, 0), "P": (0, 1, 0), "A": (0, -1, 0)}
SAME_DIRECTION = 1e-3  # of cosines
CONVERT = "Convert the mask to NIfTI or DICOM SEG."


def read(path: Path, ct: Volume, label: int | None) -> Volume:
    """Read a mask.

    Images that say wholly where they lie may lie on any grid. Of others, as of a series whose
    positions lack x and y, there must be as many as the CT has slices, as large and as high; then
    they lie as the CT's images were stored.

    Args:
        path: A file, or a folder; beside a SEG other objects may lie.
        ct: The CT; its facts, where it has some, say how it was stored.
        label: Number of the liver's segment in a SEG.

    Returns:
        Numbers as stored, canonical; of a SEG the wanted segments' shares. The facts have `format`
        and `flags`.

    Raises:
        BadCase: It cannot be read, or it cannot be told where it lies.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # they quote values: identities
            return _read(files.below(path), ct, label)
    except BadCase:
        raise
    except Exception as error:  # highdicom and pydicom raise nearly anything on damaged files
        if not formats.is_damage(error):
            raise
        raise BadCase(
            "the mask is neither NIfTI (.nii, .nii.gz), nor a DICOM SEG of one regular volume, nor "
            "a series of DICOM images. Convert it again."
        ) from error


def _read(paths: Iterable[Path], ct: Volume, label: int | None) -> Volume:
    headers_of = {
        path: open_dicom(path, stop_before_pixels=True, specific_tags=TAGS)
        for path in paths
        if formats.kind(path) == formats.DICOM
    }
    classes = {
        path: header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID")
        for path, header in headers_of.items()
    }
    segs = [path for path, uid in classes.items() if uid in SEGS]
    if len(segs) > 1:
        raise BadCase(f"{len(segs)} DICOM SEGs lie there. Give the one that is meant.")
    if segs:
        return _seg(segs[0], label)
    if RTStructureSetStorage in classes.values():
        raise BadCase(f"the mask is an RTSTRUCT, outlines instead of voxels. {CONVERT}")
    images = {path: header for path, header in headers_of.items() if header.get("Rows")}
    if len(images) < 2:
        raise BadCase(
            f"the mask has {len(images)} DICOM images. Give the folder of a series that has an "
            "image for each slice of the CT, a DICOM SEG or a NIfTI file."
        )
    return _series(images, ct)


def _seg(path: Path, label: int | None) -> Volume:
    """Read segments of a DICOM SEG, on its own grid."""
    from highdicom.seg import segread  # 0.6 s: images go without

    stored = segread(path)
    labels = list(stored.segment_numbers)
    flags = masks.check_label(label, labels)
    wanted = stored.get_volume(segment_numbers=labels if label is None else [label])
    turned = volumes.canonical(wanted.array.max(axis=-1), volumes.LPS_TO_RAS @ wanted.affine)
    return replace(turned, facts={"format": "dicom_seg", "flags": flags})


def _series(images: Mapping[Path, Dataset], ct: Volume) -> Volume:
    """Read a series of images, each a slice of the mask."""
    kinds = {
        (one.Rows, one.Columns, one.get("NumberOfFrames") or 1, one.get("SamplesPerPixel", 1))
        for one in images.values()
    }
    directions = np.array([_numbers(one, "ImageOrientationPatient", 6) for one in images.values()])
    (_, _, frames, samples), *others = kinds
    if others or frames != 1 or samples != 1 or np.ptp(directions, axis=0).max() > SAME_DIRECTION:
        raise BadCase(
            "the mask's DICOM images differ in size or direction, are in colour or have several "
            f"frames. {CONVERT}"
        )
    places = np.array([_numbers(one, "ImagePositionPatient", 3) for one in images.values()])
    if np.isnan(places[:, 2]).any():
        raise BadCase(
            "the mask's images do not say how high they lie (Image Position (Patient)), and their "
            f"numbers do not tell which end is up. {CONVERT}"
        )
    if len(np.unique(np.nan_to_num(places), axis=0)) < len(places):
        raise BadCase(
            "several of the mask's images lie at one place, as masks of several organs do. Give "
            "the folder of the liver's."
        )
    spacing = _numbers(next(iter(images.values())), "PixelSpacing", 2)
    array = np.stack([pixel_array(open_dicom(path), raw=True) for path in images])
    wholly = np.isfinite(places).all() and np.isfinite(directions[0]).all()
    if wholly and np.isfinite(spacing).all() and places[:, :2].any():
        found = _where_it_says(array, places, directions[0], spacing)
    else:
        found = _as_the_ct(array, places[:, 2], directions[0], ct)
    return replace(found, facts={"format": "dicom_series", "flags": {}})


def _where_it_says(
    array: np.ndarray, places: np.ndarray, directions: np.ndarray, spacing: np.ndarray
) -> Volume:
    """A mask on the grid that its images name."""
    row, column = directions.reshape(2, 3)
    normal = np.cross(row, column)
    order = np.argsort(places @ normal)
    step = geometry.fit_stack(places[order], normal).step
    affine = geometry.affine(row, column, spacing, step, places[order[0]])
    return volumes.canonical(array[order].transpose(2, 1, 0), volumes.LPS_TO_RAS @ affine)


def _as_the_ct(
    array: np.ndarray, heights: np.ndarray, directions: np.ndarray, ct: Volume
) -> Volume:
    """A mask on the CT's grid, image by image."""
    order = np.argsort(heights)
    if np.isnan(directions).any():  # of DICOM it is known how the CT's images were stored
        stored = ct.facts["stored_orientation"] if "transfer_syntax" in ct.facts else "LPS"
        directions = np.concatenate([DIRECTIONS[letter] for letter in stored[:2]])
    affine = np.eye(4)
    affine[:3, :2] = directions.reshape(2, 3).T
    turned = volumes.canonical(array[order].transpose(2, 1, 0), volumes.LPS_TO_RAS @ affine).array
    apart = np.inf
    if (
        turned.shape == ct.array.shape
        and not {"tilt", "oblique"} & ct.facts.get("flags", {}).keys()
    ):
        apart = np.abs(heights[order] - ct.z_mm(np.arange(len(order)))).max()
    if apart > ct.spacing[0] / 2:
        raise BadCase(
            "the mask's images do not say wholly where they lie (position, orientation, spacing), "
            f"and in number, size or height they are not those of the CT. {CONVERT}"
        )
    return Volume(turned, ct.affine)


def _numbers(header: Dataset, keyword: str, count: int) -> np.ndarray:
    """The last values of an element, NaN where they are missing."""
    stored = header.get(keyword)
    stored = [stored] if stored is None or isinstance(stored, (str, float)) else list(stored)
    values = [np.nan] * count + [
        float(value) if value not in ("", None) else np.nan for value in stored
    ]
    return np.array(values[-count:])
