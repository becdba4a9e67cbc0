"""Views of slices: Kornia's own sequence of augmentations is the oracle."""

import kornia.augmentation as kornia
import pytest
import torch
from scipy import stats
from torch import nn

from hepatoclr.base.errors import UserError
from hepatoclr.learning.augment import CROP_RATIO, Augmentation

OFF = dict.fromkeys(
    ("horizontal_flip", "vertical_flip", "crop", "translation", "rotation_degrees", "cutout"), 0
)


@pytest.fixture
def images():
    return torch.rand(64, 1, 24, 24, generator=torch.Generator().manual_seed(0))


def test_nothing_asked_for_changes_nothing(images):
    (view,) = Augmentation(**OFF)(images, [1])
    assert torch.allclose(view, images, atol=1e-4)


def test_views_depend_on_their_keys_alone(images):
    augmentation = Augmentation(cutout=0.5, kornia={"RandomGamma": {"gamma": [0.8, 1.2]}})
    first, second = augmentation(images, [5, 6])
    state = torch.get_rng_state()
    assert torch.equal(second, augmentation(images, [6])[0])
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first, second)


def test_draws_depend_neither_on_the_other_slices_nor_on_the_process(images):
    further = {"RandomPerspective": {"distortion_scale": 0.2}, "RandomBrightness": {"p": 0.5}}
    augmentation = Augmentation(cutout=0.5, kornia=further)
    whole = augmentation(images, [5, 6])
    others = images.flip(1, 2, 3).roll(1, 0)
    others[7] = images[7]
    assert torch.equal(augmentation(others, [5, 6])[:, 7], whole[:, 7])
    for rank in range(2):
        share = augmentation(images[rank::2], [5, 6], rank, 2)
        assert torch.allclose(share, whole[:, rank::2], atol=1e-6)


@pytest.mark.parametrize(
    "key", ["horizontal_flip", "vertical_flip", "crop", "translation", "cutout"]
)
def test_each_slice_draws_its_own_change(images, key):
    (views,) = Augmentation(**{**OFF, key: 0.5})(images, [1])
    changed = (views - images).abs().amax((1, 2, 3)) > 1e-3
    assert 15 < changed.sum() < 49


def chain(side):
    """The augmentations one after another; Kornia crops all slices of a batch or none."""
    return nn.Sequential(
        kornia.RandomHorizontalFlip(),
        kornia.RandomVerticalFlip(),
        kornia.RandomResizedCrop((side, side), scale=(0.7, 1.0), ratio=CROP_RATIO, p=1.0),
        kornia.RandomAffine(0, (0.2, 0.2), p=0.5),
        kornia.RandomRotation(30.0, p=1.0),
    )


def moments(views):
    """Mass, centre and spread of the blob in each view."""
    axis = torch.linspace(-1, 1, views.shape[-1])
    mass = views[:, 0].sum((1, 2))
    x, y = views[:, 0].sum(1) @ axis / mass, views[:, 0].sum(2) @ axis / mass
    spread = (views[:, 0].sum(1) @ axis**2 + views[:, 0].sum(2) @ axis**2) / mass
    return {"mass": mass, "x": x, "y": y, "spread": spread}


def test_views_are_distributed_as_those_of_kornias_chain():
    side, count = 41, 3000
    axis = torch.linspace(-1, 1, side)
    blob = torch.exp(-((axis[:, None] - 0.1) ** 2 / 0.01 + (axis[None] + 0.25) ** 2 / 0.03))
    images = blob.expand(count, 1, side, side).contiguous()
    torch.manual_seed(0)
    theirs = moments(chain(side)(images))
    ours = moments(Augmentation(crop=1.0)(images, [1])[0])
    for name, found in ours.items():
        assert stats.ks_2samp(found.numpy(), theirs[name].numpy()).pvalue > 1e-3, name


def test_matrices_are_those_of_the_chain_in_its_order():
    side, torch_seed = 65, 3
    axis = torch.linspace(-1, 1, side)
    blob = torch.exp(-((axis[:, None] - 0.1) ** 2 + (axis[None] + 0.15) ** 2) * 40)
    images = blob.expand(16, 1, side, side).contiguous()
    augmentation, steps = Augmentation(crop=0.0, translation=0.5), chain(side)
    torch.manual_seed(torch_seed)
    ours = augmentation.warp(images, augmentation.matrices(images.shape))
    torch.manual_seed(torch_seed)
    for number in (0, 1, 3, 4):
        images = steps[number](images)
    inside = images > 0.1
    assert torch.allclose(ours[inside], images[inside], atol=0.03)


def test_values_stay_in_the_window(images):
    (views,) = Augmentation(cutout=0.5)(images, [1])
    assert views.shape == images.shape
    assert views.min() >= 0
    assert views.max() <= 1 + 1e-5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"RandomRotatoin": {}}, "there is no 'RandomRotatoin' in Kornia; did you mean"),
        ({"RandomShear": {"sheer": 3}}, "RandomShear: .*sheer"),
    ],
)
def test_what_kornia_does_not_know_is_said(given, message):
    with pytest.raises(UserError, match=message):
        Augmentation(kornia=given)
