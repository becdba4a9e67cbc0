"""What several backends need."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hepatoclr.imaging.volumes import Volume

# (CT, mask file of the manifest, liver's label in it) to uint8 mask on the CT's grid. Its facts
# say where it comes from, have `flags`, and may have aorta_hu and spleen_hu. Raises BadCase.
Finder = Callable[[Volume, str | Path | None, int | None], Volume]


def median_hu(ct: Volume, organ: np.ndarray) -> float | None:
    """Median attenuation of an organ without its rim, where neighbours mix in.

    Args:
        ct: HU.
        organ: Where the organ is, bool, on the CT's grid.

    Returns:
        HU; of the whole organ if it is all rim, and None if it is not there.
    """
    from scipy import ndimage  # 0.4 s: backends that know no other organ go without

    boxes = ndimage.find_objects(organ.view(np.uint8))
    if not boxes:
        return None
    inside = organ[boxes[0]]
    core = ndimage.binary_erosion(inside)
    return round(float(np.median(ct.array[boxes[0]][core if core.any() else inside])), 1)
