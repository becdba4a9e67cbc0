"""Where the slices of a stack lie in the patient, and what grid they form."""

from dataclasses import dataclass

import numpy as np

from hepatoclr.base.errors import BadCase

MIN_SLICES = 5
SPACING_LIMITS_MM = (0.05, 20.0)
# some scanners write positions with one decimal: each coordinate is off by half of it at most
ROUNDED_MM = 0.05
# a line through two such positions is off as much as they are, and a third one lies beside it; a
# step between two, against the mean of four steps or more, by a quarter more. A tenth is slack
LINE, STEP = 1.1 * 2, 1.1 * 2.5
ASIDE_MM = LINE * 3**0.5 * ROUNDED_MM
SAME_PLACE_MM = 0.01  # numbers written in other ways, such as 312.25 and 312.249999
# products of direction cosines with three decimals are off by 0.0018 at most
COSINE_TOLERANCE = 2e-3


@dataclass(frozen=True)
class Stack:
    """An even stack of slices.

    Attributes:
        step: From one slice to the next, mm; across the slices unless the stack leans, as with a
            tilted gantry.
        gap: Number of slices below the gap, where some are missing.
        missing: How many are missing there.
        where: The gap in words.
    """

    step: np.ndarray
    gap: int = 0
    missing: int = 0
    where: str = ""


def is_plausible_spacing(spacing: np.ndarray) -> bool:
    """Say whether distances between voxel centres, mm, can be those of a CT."""
    low, high = SPACING_LIMITS_MM
    return bool(np.all((spacing >= low) & (spacing <= high)))


def are_perpendicular(first: np.ndarray, second: np.ndarray) -> bool:
    """Say whether two vectors are perpendicular and of length one, as direction cosines are."""
    products = np.array([first @ first - 1, second @ second - 1, first @ second])
    return bool(np.abs(products).max() < COSINE_TOLERANCE)


def degrees_between(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two lines, degrees, from 0 to 90."""
    # the cross product keeps small angles exact, which the cosine would lose
    across = np.linalg.norm(np.cross(first, second))
    return float(np.degrees(np.arctan2(across, abs(first @ second))))


def affine(
    row: np.ndarray, column: np.ndarray, spacing: np.ndarray, step: np.ndarray, corner: np.ndarray
) -> np.ndarray:
    """Where the pixels of a stack lie, as DICOM says it.

    Args:
        row, column: Unit vectors along a row and along a column.
        spacing: Distance of pixels along a column and along a row, mm.
        step: From one slice to the next, mm.
        corner: Centre of the first pixel of the first slice, mm.

    Returns:
        4x4: pixel column, pixel row and slice to mm, in the axes of what is given.
    """
    axes = [row * spacing[1], column * spacing[0], step, corner]
    return np.vstack([np.stack(axes, axis=1), [0, 0, 0, 1]])


def fit_stack(positions: np.ndarray, normal: np.ndarray, most_missing: int = 0) -> Stack:
    """Find the even stack that slices form.

    Args:
        positions: Corner of each slice in mm, shape (slices, 3), ascending along `normal`.
        normal: Unit vector across the slices.
        most_missing: Most neighbouring slices that may be missing, at one place.

    Raises:
        BadCase: The slices lie unevenly, or do not lie one above the other.
    """
    heights = positions @ normal
    error = ROUNDED_MM * float(np.abs(normal).sum())  # of a height
    steps = np.diff(heights)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])  # the median, one of them
    if usual < SAME_PLACE_MM:
        raise BadCase("the images lie side by side, not one above the other. Give an axial series.")
    tolerance = min(STEP * error, 0.45 * usual)
    usual = float(steps[np.abs(steps - usual) < tolerance].mean())
    widest = int(steps.argmax())
    missing = round(steps[widest] / usual) - 1
    number = np.arange(len(positions))
    if 0 < missing <= most_missing:
        number[widest + 1 :] += missing
    _check_even(positions, heights, number, usual, error)
    line = positions[0] + np.outer(number / number[-1], positions[-1] - positions[0])
    aside = np.linalg.norm(positions - line, axis=1).max()
    if aside > ASIDE_MM:
        raise BadCase(
            f"the images are shifted sideways by up to {aside:.1f} mm along the stack, as when a "
            "patient or table moved between scans. Give a reconstruction of one scan."
        )
    centred = number - number.mean()
    step = centred @ positions / (centred @ centred)  # least squares
    upright = normal * (normal @ step)
    if np.linalg.norm(step - upright) * number[-1] < ASIDE_MM:
        step = upright
    if number[-1] < len(number):
        return Stack(step)
    return Stack(step, widest + 1, missing, _between(positions, widest))


def fill_gap(slices: np.ndarray, found: Stack) -> np.ndarray:
    """Interpolate the missing slices of a stack, linearly between their neighbours.

    Args:
        slices: Shape (slices, rows, columns), integers.
        found: Where how many are missing.
    """
    below, above = slices[found.gap - 1].astype(np.float32), slices[found.gap]
    shares = np.arange(1, found.missing + 1) / (found.missing + 1)
    between = [np.rint(below + (above - below) * share).astype(slices.dtype) for share in shares]
    return np.concatenate([slices[: found.gap], between, slices[found.gap :]])


def _check_even(
    positions: np.ndarray, heights: np.ndarray, number: np.ndarray, usual: float, error: float
) -> None:
    """Check that slices lie at even heights, by their number in the stack.

    Raises:
        BadCase: Their distances differ by more than errors of the heights, `error` at most, do.
    """
    tolerance = min(STEP * error, 0.45 * usual)
    steps, mean = np.diff(heights), (heights[-1] - heights[0]) / number[-1]
    beyond = steps - np.diff(number) * mean
    by_turns = (beyond[1:] * beyond[:-1] < 0).all()
    if by_turns and np.abs(beyond).min() > max(1.1 * error, usual / 20):
        raise BadCase(
            f"the images lie {steps[0]:.2f} and {steps[1]:.2f} mm apart by turns, as of two scans "
            "that lie in each other. Export one scan alone."
        )
    aside = heights - heights[0] - number * mean
    if np.abs(aside).max() > LINE * error or np.abs(beyond).max() > tolerance:
        raise _gaps(positions, steps, usual, tolerance)


def _gaps(positions: np.ndarray, steps: np.ndarray, usual: float, tolerance: float) -> BadCase:
    """Say what is uneven: slices that are missing, or distances that change."""
    wide = np.flatnonzero(steps > usual + tolerance)
    whole = np.abs(steps - usual * np.rint(steps / usual)) < tolerance
    if len(wide) and whole.all():
        gaps = [_between(positions, place) for place in wide]
        listed = " and ".join(gaps[:3]) + (f" and at {len(gaps) - 3} more places" * (len(gaps) > 3))
        return BadCase(f"slices missing {listed}. Export the whole series again.")
    return BadCase(
        f"the images lie {steps.min():.2f} to {steps.max():.2f} mm apart, widest "
        f"{_between(positions, int(steps.argmax()))}: slices are missing, or several scans are "
        "mixed. Export one whole series again."
    )


def _between(positions: np.ndarray, place: int) -> str:
    low, high = sorted((positions[place][2], positions[place + 1][2]))
    return f"between z = {low:.1f} and {high:.1f} mm"
