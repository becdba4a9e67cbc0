"""Even stacks, from positions that are written with few digits."""

import numpy as np
import pytest

from hepatoclr.base.errors import BadCase
from hepatoclr.imaging import geometry

UP = np.array([0.0, 0.0, 1.0])
USUAL_MM = (0.5, 0.6, 0.625, 0.65, 0.75, 0.8, 1, 1.25, 1.5, 1.875, 2, 2.5, 3, 3.75, 5, 7)


def turned(degrees):
    """Normal of slices tilted about the patient's left-right axis."""
    return np.array([0, np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def stack(spacing, slices, rng, along=UP):
    """Positions of an even stack somewhere in the patient."""
    return rng.uniform(-400, 400, 3) + spacing * np.outer(np.arange(slices), along)


@pytest.mark.parametrize("spacing", USUAL_MM)
@pytest.mark.parametrize(
    "normal", [UP, -UP, turned(18), turned(-30)], ids=["up", "down", "18", "-30"]
)
def test_positions_with_one_decimal_are_even(spacing, normal):
    rng = np.random.default_rng(0)
    for _ in range(100):
        slices = int(rng.integers(5, 60))
        found = geometry.fit_stack(np.round(stack(spacing, slices, rng, normal), 1), normal, 5)
        assert found.missing == 0
        np.testing.assert_allclose(found.step, spacing * normal, atol=0.12 / (slices - 1))


@pytest.mark.parametrize("spacing", USUAL_MM)
def test_the_slices_of_a_tilted_gantry_may_have_one_decimal(spacing):
    rng = np.random.default_rng(1)
    for _ in range(100):  # slices lean, the table moves along z
        positions = np.round(stack(spacing, int(rng.integers(5, 60)), rng), 1)
        geometry.fit_stack(positions, turned(18))


@pytest.mark.parametrize("spacing", USUAL_MM)
@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_gap_is_seen_in_positions_with_one_decimal(spacing, missing):
    rng = np.random.default_rng(2)
    for _ in range(50):
        slices = int(rng.integers(8, 40))
        gap = int(rng.integers(1, slices - 1))
        kept = np.delete(np.arange(slices + missing), np.arange(gap, gap + missing))
        positions = np.round(stack(spacing, slices + missing, rng)[kept], 1)
        with pytest.raises(BadCase, match=r"missing|apart"):
            geometry.fit_stack(positions, UP)
        assert geometry.fit_stack(positions, UP, 5).missing == missing


def test_two_scans_that_lie_in_each_other_are_no_stack():
    rng = np.random.default_rng(3)
    accepted = 0
    for offset in np.arange(0.05, 1.25, 0.05):
        one = stack(1.25, 20, rng)
        both = np.sort(np.concatenate([one, one + offset * UP]), axis=0)
        try:
            geometry.fit_stack(both, UP)
            accepted += 1
            assert abs(offset - 0.625) < 0.07  # even by chance: what else differs decides
        except BadCase:
            pass
    assert accepted <= 3
