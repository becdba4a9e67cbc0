import numpy as np
import pytest

from hepatoclr.base.errors import EmptyLiver
from hepatoclr.imaging import slices, volumes


def liver(heights, spacing=(5.0, 2.0, 2.0)):
    """A mask with a given number of liver voxels in each slice, from the feet."""
    mask = np.zeros((len(heights), 10, 10), np.uint8)
    for k, count in enumerate(heights):
        mask[k].flat[:count] = 1
    z, y, x = spacing
    return volumes.Volume(
        mask, np.array([[-x, 0, 0, 0], [0, -y, 0, 0], [0, 0, z, 100], [0, 0, 0, 1.0]])
    )


def test_central_share_is_symmetric_and_top_down():
    kept = slices.central(liver([0, 0, *[4] * 20, 0]), 0.7)
    assert [part.index for part in kept] == list(range(18, 4, -1))
    assert [part.index for part in kept] == sorted((part.index for part in kept), reverse=True)
    assert len(kept) == 14
    positions = np.array([part.position for part in kept])
    assert positions == pytest.approx(1 - positions[::-1], abs=1e-4)


def test_facts_of_a_slice():
    (kept,) = slices.central(liver([0, 7, 0]))
    assert kept == slices.Slice(index=1, z_mm=105.0, position=0.5, liver_area_mm2=28.0)


def test_everything_is_kept_at_1():
    assert len(slices.central(liver([3] * 11), 1.0)) == 11


def test_largest_areas():
    kept = slices.central(liver([1, 9, 2, 8, 3, 7, 4, 6, 5, 5]), 0.3, by="area")
    assert [part.index for part in kept] == [5, 3, 1]


def test_a_gap_in_the_liver_is_not_kept():
    kept = slices.central(liver([4, 4, 0, 4, 4, 4, 4]), 1.0)
    assert [part.index for part in kept] == [6, 5, 4, 3, 1, 0]


def test_empty_mask():
    with pytest.raises(EmptyLiver, match="empty"):
        slices.central(liver([0, 0]))


def test_a_bare_array_has_voxels_of_1_mm():
    mask = np.zeros((10, 4, 4), bool)
    mask[2:9, 1, 1:3] = True
    kept = slices.central(mask, fraction=0.7)
    assert [part.index for part in kept] == [7, 6, 5, 4, 3]
    assert kept[0].liver_area_mm2 == 2


@pytest.mark.parametrize("count", range(1, 40))
def test_the_share_is_about_right_for_any_height(count):
    kept = len(slices.central(liver([1] * count), 0.7))
    assert abs(kept - 0.7 * count) <= 1


def test_round_trip(tmp_path):
    kept = slices.central(liver([0, *[4] * 9]))
    slices.write(kept, tmp_path / "slices.csv")
    assert slices.read(tmp_path / "slices.csv") == kept
    slices.write([], tmp_path / "none.csv")
    assert slices.read(tmp_path / "none.csv") == []
