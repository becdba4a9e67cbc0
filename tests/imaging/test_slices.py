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


def test_the_middle_of_a_kept_slice_lies_in_the_share_ends_included():
    assert [len(slices.central(liver([1] * count), 0.7)) for count in (10, 20)] == [8, 14]
    assert len(slices.central(liver([1] * 10), 0.7, by="area")) == 7


@pytest.mark.parametrize("by", ["extent", "area"])
def test_a_stray_voxel_moves_no_slice(by):
    """From the whole mask slices 80 to 125 would be kept."""
    clean = liver([0] * 80 + [4] * 60)
    stretched = liver([0] * 45 + [1] + [0] * 34 + [4] * 60)
    assert slices.central(stretched, by=by) == slices.central(clean, by=by)
    assert [part.index for part in slices.central(stretched)] == list(range(130, 88, -1))


def test_pieces_beside_the_largest_count_for_the_area_not_for_the_height():
    mask = liver([0, 4, 4, 4, 4, 0, 0, 4])
    mask.array[2, 9, 9] = 1
    assert [part.liver_area_mm2 for part in slices.central(mask, 1.0)] == [16, 16, 20, 16]


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


@pytest.mark.parametrize("by", ["extent", "area"])
@pytest.mark.parametrize("count", [1, 2, 9, 10])
def test_the_smallest_share_keeps_the_middle(count, by):
    kept = slices.central(np.ones((count, 4, 4), np.uint8), 1e-9, by)
    assert len(kept) == (2 - count % 2 if by == "extent" else 1)
