"""Where the slices of a stack lie in the patient, and whether they form a regular grid."""

import numpy as np

from hepatoclr.errors import BadCase

MIN_SLICES = 5
SPACING_LIMITS_MM = (0.05, 20.0)
# some scanners write positions with one decimal only: up to 0.05 mm off either way
TOLERANCE_MM = 0.1
SAME_POSITION_MM = 0.01
COSINE_TOLERANCE = 1e-3


def plausible(spacing: np.ndarray) -> bool:
    """Say whether distances between voxel centres, mm, can be those of a CT."""
    low, high = SPACING_LIMITS_MM
    return bool(np.all((spacing >= low) & (spacing <= high)))


def perpendicular(first: np.ndarray, second: np.ndarray) -> bool:
    """Say whether two vectors are perpendicular and of length one, as direction cosines are."""
    products = np.array([first @ first - 1, second @ second - 1, first @ second])
    return bool(np.abs(products).max() < COSINE_TOLERANCE)


def slice_spacing(positions: np.ndarray, normal: np.ndarray) -> float:
    """Measure the distance between slices, which must form a straight and even stack.

    Args:
        positions: Corner of each slice in mm, shape (slices, 3), ascending along `normal`.
        normal: Unit vector across the slices.

    Returns:
        Distance in mm.

    Raises:
        BadCase: Positions are repeated, shifted sideways as by a tilted gantry, or uneven.
    """
    heights = positions @ normal
    steps = np.diff(heights)
    repeated = int((steps < SAME_POSITION_MM).sum())
    if repeated:
        raise BadCase(
            f"{repeated} of the {len(heights)} images lie where another image lies already, "
            "as copies or several phases do. Keep one image per position."
        )
    sideways = positions - np.outer(heights, normal)
    shift = float(np.linalg.norm(sideways - sideways[0], axis=1).max())
    if shift > TOLERANCE_MM:
        angle = np.degrees(np.arctan2(shift, heights[-1] - heights[0]))
        raise BadCase(
            f"the images are shifted sideways by up to {shift:.1f} mm along the stack, as by a "
            f"gantry tilted by {angle:.1f} degrees. Give a reconstruction without tilt."
        )
    even = np.linspace(heights[0], heights[-1], len(heights))
    odd_steps = np.abs(steps - np.median(steps)).max() > TOLERANCE_MM
    if odd_steps or np.abs(heights - even).max() > TOLERANCE_MM:
        widest = int(steps.argmax())
        raise BadCase(
            f"the images lie {steps.min():.2f} to {steps.max():.2f} mm apart, widest between "
            f"z = {positions[widest][2]:.1f} and {positions[widest + 1][2]:.1f} mm: slices are "
            "missing, or several scans are mixed. Export the whole series again."
        )
    return float(heights[-1] - heights[0]) / len(steps)
