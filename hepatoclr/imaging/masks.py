"""Which voxels of a mask are liver, whatever numbers a program wrote for it."""

import numpy as np

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import volumes

NOISE = 1e-3  # by which a float may be off a whole number
LOWEST = -0.25  # of the largest value, to which splines fall
MOST_LABELS = 12  # Couinaud's segments, vessels, tumours
STEPS = 1000  # to which values are rounded before they are compared
RIM = (0.05, 0.95)  # of the largest value: surely neither outside nor inside
SOLID = 0.01  # share of the values between that form pieces of one value, as labels do
INSIDE, LEAST_INSIDE = 0.9, 0.15  # of the largest value; share of a mask that has as much

THRESHOLDED = "values of the mask lie between 0 and {:g}; from half of that on they are liver"


def liver(values: np.ndarray, label: int | None = None) -> tuple[np.ndarray, dict[str, str]]:
    """Tell the liver from what is around it.

    What is not a number, or not above 0, is never liver. Values between 0 and the largest are left
    by interpolation, antialiasing and networks, or are labels; labels form pieces of one value.

    Args:
        values: Numbers, shape (z, y, x).
        label: The liver's value; None takes every label.

    Returns:
        uint8, 1 where liver; flags: `labels` where several are taken, `thresholded` where values
        between were cut at half of the largest.

    Raises:
        BadCase: There is no such label, or it cannot be told which voxels are liver.
    """
    values = _numbers(values)
    found = np.zeros(values.shape, np.uint8)
    above = values > 0
    if not above.any():
        return found, {}
    box = volumes.box(above)
    inside, whole = _whole(values[box])
    top = inside.max()
    if inside[inside > 0].min() >= (1 - NOISE) * top:
        labels = [top]
    elif _has_pieces(inside, whole):
        labels = _labels(inside, whole)
    elif label in (None, np.rint(top)):
        labels = []
        _check_levels(inside)
    else:
        raise _interpolated()
    if labels:
        flags = check_label(label, labels)
        found[box] = inside > 0 if label is None else inside == label
    else:
        flags = {"thresholded": THRESHOLDED.format(values.max())}
        found[box] = inside >= top / 2
    if found[np.ix_(*[[0, -1]] * 3)].all():
        raise BadCase(
            "the mask is liver in every corner of the volume, as if inside and outside were "
            "exchanged. Write 1 where liver, 0 elsewhere."
        )
    return found, flags


def check_label(label: int | None, labels: list) -> dict[str, str]:
    """Check that a mask has a label, or few enough to take all; with the flag that earns."""
    listed = ", ".join(f"{value:g}" for value in labels[:20]) or "none"
    if label is not None and label not in labels:
        raise BadCase(f"the mask has no label {label}; it has {listed}. Check the liver's label.")
    if label is not None or len(labels) < 2:
        return {}
    if len(labels) > MOST_LABELS:
        raise BadCase(
            f"the mask has {len(labels)} labels. Say which is the liver's by liver_label in the "
            "manifest."
        )
    return {"labels": f"the mask has several labels ({listed}), and all of them count as liver"}


def _numbers(values: np.ndarray) -> np.ndarray:
    """Set what is no number to 0.

    Raises:
        BadCase: The numbers are those of an image, or none is above 0 but some are below.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0, posinf=np.inf, neginf=0)
    low, top = values.min(), values.max()
    if top == np.inf:
        raise BadCase("some values of the mask are infinite. Write 1 where liver, 0 elsewhere.")
    if low < 0:
        below = values[values < 0]
        if low < LOWEST * top and ((below > low) & (below < below.max())).any():
            raise _image(low, top)
        if top <= 0:
            raise BadCase(
                f"no value of the mask is above 0, but some are {low:g}. Write 1 where liver."
            )
    return values


def _whole(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Take noise from labels: values from 0, as whole numbers where they are; and whether."""
    values = np.maximum(values, 0)
    if values.dtype.kind != "f":
        return values, True
    if values.max() < 1:
        values = values / values.max()
    rounded = np.rint(values)
    whole = bool(np.abs(values - rounded).max() <= NOISE)
    return rounded if whole else values, whole


def _has_pieces(values: np.ndarray, whole: bool) -> bool:
    """Say whether values below the largest fill pieces, as labels do, rather than a rim."""
    top = values.max()
    few = whole and len(np.unique(values)) <= MOST_LABELS + 1
    low, high = (0, 1) if few else RIM
    between = (values > low * top) & (values < high * top)
    steps = np.rint(values * (STEPS / top)).astype(np.int16)
    alone = np.zeros_like(between)  # beside another value
    for axis in range(3):
        differ = np.diff(steps, axis=axis) != 0
        alone[(slice(None),) * axis + (slice(1, None),)] |= differ
        alone[(slice(None),) * axis + (slice(-1),)] |= differ
    return np.count_nonzero(between & ~alone) > SOLID * np.count_nonzero(between)


def _labels(values: np.ndarray, whole: bool) -> list:
    """The labels of a mask, ascending."""
    if not whole:
        raise _interpolated()
    return np.unique(values[values > 0]).tolist()


def _check_levels(values: np.ndarray) -> None:
    """Check that a mask's inside is near its largest value, as it is in no image."""
    top = values.max()
    near, held = (np.count_nonzero(values >= share * top) for share in (INSIDE, RIM[0]))
    if near < LEAST_INSIDE * held:
        raise _image(values.min(), top)


def _interpolated() -> BadCase:
    return BadCase(
        "the mask has values between its labels, as interpolation leaves them, so its labels "
        "cannot be told. Resample it with the nearest neighbour."
    )


def _image(low: float, top: float) -> BadCase:
    return BadCase(
        f"the mask's values, {low:g} to {top:g}, are neither labels nor shares from 0 on; it may "
        "be an image. Check liver_mask in the manifest."
    )
