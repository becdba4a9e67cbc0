import math

import numpy as np
import pytest
import torch
from scipy import stats

from hepatoclr.learning.augment import DRAWS, LAYOUT, Augmentation, warp

OFF = dict.fromkeys(
    ("horizontal_flip", "vertical_flip", "crop", "translation", "rotation_degrees", "cutout"), 0
)
ENGINES = ["composed", "kornia_sequential"]


@pytest.fixture
def images():
    return torch.rand(64, 1, 24, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_asked_for_changes_nothing(images, engine):
    (view,) = Augmentation(**OFF, engine=engine)(images, [1])
    assert torch.allclose(view, images, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_views_depend_on_their_seeds_alone(images, engine):
    augmentation = Augmentation(engine=engine)
    first, second = augmentation(images, [5, 6])
    torch.rand(3)
    assert torch.equal(first, augmentation(images, [5])[0])
    assert torch.equal(second, augmentation(images, [6])[0])
    assert not torch.equal(first, second)


def test_a_share_of_a_batch_has_the_views_it_has_in_the_batch(images):
    augmentation = Augmentation(cutout=0.5)
    whole = augmentation(images, [5, 6])
    for rank in range(2):
        assert torch.allclose(
            augmentation(images[rank::2], [5, 6], rank, 2), whole[:, rank::2], atol=1e-6
        )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "key", ["horizontal_flip", "vertical_flip", "crop", "translation", "cutout"]
)
def test_each_slice_draws_its_own_change(images, key, engine):
    (views,) = Augmentation(**{**OFF, key: 0.5}, engine=engine)(images, [1])
    changed = (views - images).abs().amax((1, 2, 3)) > 1e-3
    assert 15 < changed.sum() < 49


@pytest.mark.parametrize("engine", ENGINES)
def test_rotation_stays_in_its_range(engine):
    image = torch.zeros(200, 1, 65, 65)
    image[:, :, 31:34, 50:53] = 1
    (views,) = Augmentation(**{**OFF, "rotation_degrees": 30}, engine=engine)(image, [1])
    rows, columns = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    mass = views[:, 0].sum((1, 2))
    y, x = ((views[:, 0] * axis).sum((1, 2)) / mass for axis in (rows, columns))
    angle = torch.rad2deg(torch.atan2(y, x))
    assert angle.abs().max() <= 30.5
    assert angle.min() < -24
    assert angle.max() > 24


@pytest.mark.parametrize("engine", ENGINES)
def test_values_stay_in_the_window(images, engine):
    (views,) = Augmentation(cutout=0.5, engine=engine)(images, [1])
    assert views.shape == images.shape
    assert views.min() >= 0
    assert views.max() <= 1 + 1e-5


def draws(count, **fixed):
    """Draws in which some named ones are given."""
    names = ("flips", "crop", "place", "translate", "move", "turn", "shapes", "cut")
    starts = dict(zip(names, np.cumsum((0, *LAYOUT)), strict=False))
    drawn = torch.full((count, DRAWS), 0.999)
    for name, values in fixed.items():
        values = torch.as_tensor(values, dtype=torch.float32)
        drawn[:, starts[name] : starts[name] + len(values)] = values
    return drawn


def test_steps_are_composed_in_the_order_of_the_chain():
    """Flipped, cropped, moved, turned: as four warps one after another, away from the rim."""
    size = 129
    axis = torch.linspace(-1, 1, size)
    blob = torch.exp(-((axis[:, None] - 0.1) ** 2 + (axis[None] + 0.15) ** 2) * 60)[None, None]
    steps = {
        "flips": [0.0, 0.999],
        "crop": [0.0],
        "place": [0.6, 0.4],
        "shapes": [0.3] * 20,
        "translate": [0.0],
        "move": [0.7, 0.2],
        "turn": [0.9],
    }
    augmentation = Augmentation()
    still = {"turn": [0.5], "move": [0.5, 0.5]}
    parts = [{"flips"}, {"crop", "place", "shapes"}, {"translate", "move"}, {"turn"}]
    one = blob
    for part in parts:
        given = {**still, **{name: steps[name] for name in part}}
        one = warp(one, augmentation.matrices(draws(1, **given)))
    assert torch.allclose(one, warp(blob, augmentation.matrices(draws(1, **steps))), atol=0.02)
    other = warp(blob, augmentation.matrices(draws(1, **{**steps, "flips": [0.999, 0.0]})))
    assert not torch.allclose(one, other, atol=0.2)


def test_a_warp_is_that_of_kornia(images):
    from kornia.geometry.transform import warp_affine

    side, angle = images.shape[-1], math.radians(20)
    matrix = torch.tensor([[math.cos(angle), -math.sin(angle), 0.1], [0.3, 0.9, -0.2]])
    pixels = torch.eye(3)
    pixels[:2, :2] *= side / 2
    pixels[:2, 2] = (side - 1) / 2
    whole = torch.cat([matrix, torch.tensor([[0.0, 0.0, 1.0]])])
    there = pixels @ whole @ torch.linalg.inv(pixels)  # from pixels of the view to the slice's
    back = torch.linalg.inv(there)[None, :2].expand(len(images), 2, 3)
    # align_corners=True is how Kornia keeps pixel coordinates
    theirs = warp_affine(images, back, (side, side), align_corners=True)
    ours = warp(images, matrix.expand(len(images), 2, 3))
    assert torch.allclose(ours, theirs, atol=1e-3)


def test_crops_are_drawn_as_kornia_draws_them():
    from kornia.augmentation.random_generator import ResizedCropGenerator

    torch.manual_seed(1)
    theirs = ResizedCropGenerator((10_000, 10_000), (0.7, 1.0), (3 / 4, 4 / 3))(
        torch.Size([4000, 1, 10_000, 10_000])
    )["src"]
    sides = (theirs[:, 2] - theirs[:, 0]) / 10_000
    centre = (theirs[:, 2] + theirs[:, 0]) / 10_000 - 1
    ours = Augmentation(**{**OFF, "crop": 1}).matrices(torch.rand(4000, DRAWS))
    for found, expected in (
        (ours[:, 0, 0], sides[:, 0]),
        (ours[:, 1, 1], sides[:, 1]),
        (ours[:, 0, 2], centre[:, 0]),
        (ours[:, 1, 2], centre[:, 1]),
    ):
        assert stats.ks_2samp(found.numpy(), expected.numpy()).pvalue > 1e-3
