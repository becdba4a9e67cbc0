"""The CT volume of a DICOM folder: which images it is made of, where they lie, their HU.

`headers` says what each file is, `series` which images form the volume, `whole` whether they are
of one scan and all there, `geometry` whether they lie on a grid, and `pixels` what HU they hold.
Only positions place an image, never numbers or names of files; the tags that describe spacing and
tilt are compared with them and reported.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from hepatoclr.imaging import geometry, resample, volumes
from hepatoclr.imaging.dicom import headers, pixels, series, whole
from hepatoclr.imaging.dicom.headers import Image
from hepatoclr.imaging.volumes import Volume

THINNER_MM = 0.1  # SliceThickness may be rounded to one decimal, and the distance is off by less
ANY_SERIES = {"description": [], "thickness_mm": [0, 100], "slices": geometry.MIN_SLICES}


def read(
    folder: Path,
    preference: Mapping = ANY_SERIES,
    series_uid: str = "",
    fill_slices: int = 0,
) -> Volume:
    """Read the CT volume of a folder, nested folders included.

    Args:
        folder: It may hold other objects too; or one file of several frames.
        preference: Which of several series is wanted, see `series.choose`.
        series_uid: The UID of the series, where it is known.
        fill_slices: Most neighbouring slices that may be missing, once, and are interpolated.

    Returns:
        int16 HU with padding set to air, on the stored grid, axes canonical; facts and flags of
        the DICOM headers.

    Raises:
        BadCase: The folder does not hold exactly one wanted CT volume whose images lie evenly.
    """
    found = headers.scan(folder)
    images = series.choose(found, preference, series_uid)
    places, copies = series.split_copies(images)
    first = places[0]
    stack = geometry.fit_stack(
        np.array([image.position for image in places]), first.normal, fill_slices
    )
    hu, flags = pixels.read(places, copies)
    if stack.missing:
        hu = geometry.fill_gap(hu, stack)
    lps = geometry.affine(first.row, first.column, first.spacing, stack.step, first.position)
    affine = volumes.LPS_TO_RAS @ lps
    facts = {
        **series.technique(first),
        "stored_orientation": volumes.orientation(affine),
        "ignored": dict(sorted((found.ignored + series.count_unused(found, images)).items())),
        "flags": {**_flags(places, copies, stack, affine), **_loss(images, found), **flags},
    }
    return replace(volumes.canonical(hu.transpose(2, 1, 0), affine), facts=facts)


def _loss(images: list[Image], found: headers.Folder) -> dict[str, str]:
    """The flag of a series that may lack images at its ends."""
    signs = whole.signs_of_loss(images, found)
    return {"incomplete": f"images may be missing: {', '.join(signs)}"} if signs else {}


def _flags(
    places: list[Image], copies: dict, stack: geometry.Stack, affine: np.ndarray
) -> dict[str, str]:
    """What is odd about a series without making it unusable."""
    first = places[0]
    spacing = abs(float(stack.step @ first.normal))
    thickness = headers.number(first.header, "SliceThickness")
    tag = headers.number(first.header, "GantryDetectorTilt", 0.0)
    flags = {}
    # thicker than their distance they overlap, which is usual; thinner, some may be missing
    if thickness and spacing - thickness > THINNER_MM:
        flags["thickness"] = (
            f"slices {thickness:g} mm thick lie {spacing:g} mm apart; some may be missing"
        )
    if abs(tag) > resample.TILT_DEGREES and max(resample.angles(affine)) < resample.TILT_DEGREES:
        flags["tilt_tag"] = f"GantryDetectorTilt is {tag:g} degrees, but the images stand straight"
    if stack.missing:
        flags["gap"] = f"{stack.missing} missing slices were interpolated {stack.where}"
    if copies:
        flags["copies"] = f"{sum(map(len, copies.values()))} exact copies of images were dropped"
    return flags
