import pytest
import torch

from hepatoclr.augment import Augmentation

OFF = dict.fromkeys(
    ("horizontal_flip", "vertical_flip", "crop", "translation", "rotation_degrees", "cutout"), 0
)


@pytest.fixture
def images():
    return torch.rand(64, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def test_nothing_asked_for_changes_nothing(images):
    assert torch.allclose(Augmentation(**OFF)(images, 1), images, atol=1e-4)


def test_views_depend_on_the_seed_alone(images):
    augmentation = Augmentation()
    first = augmentation(images, 5)
    torch.rand(3)
    assert torch.equal(first, augmentation(images, 5))
    assert not torch.equal(first, augmentation(images, 6))


@pytest.mark.parametrize(
    "key", ["horizontal_flip", "vertical_flip", "crop", "translation", "cutout"]
)
def test_each_slice_draws_its_own_change(images, key):
    views = Augmentation(**{**OFF, key: 0.5})(images, 1)
    changed = (views - images).abs().amax((1, 2, 3)) > 1e-3
    assert 15 < changed.sum() < 49


def test_rotation_stays_in_its_range():
    image = torch.zeros(200, 1, 65, 65)
    image[:, :, 31:34, 50:53] = 1
    views = Augmentation(**{**OFF, "rotation_degrees": 30})(image, 1)
    rows, columns = torch.meshgrid(torch.arange(65.0) - 32, torch.arange(65.0) - 32, indexing="ij")
    mass = views[:, 0].sum((1, 2))
    y, x = ((views[:, 0] * axis).sum((1, 2)) / mass for axis in (rows, columns))
    angle = torch.rad2deg(torch.atan2(y, x))
    assert angle.abs().max() <= 30.5
    assert angle.min() < -24
    assert angle.max() > 24


def test_values_stay_in_the_window(images):
    views = Augmentation(cutout=0.5)(images, 1)
    assert views.shape == images.shape
    assert views.min() >= 0
    assert views.max() <= 1 + 1e-5
