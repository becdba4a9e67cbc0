"""Views of slices: Kornia's own sequence of augmentations is the oracle."""

import kornia.augmentation as kornia
import pytest
import torch
import yaml
from scipy import stats
from tiny_project import ROOT
from torch import nn

from hepatoclr.base.errors import UserError
from hepatoclr.learning.augment import CROP_RATIO, Augmentation

CHANGES = ("horizontal_flip", "vertical_flip", "crop", "translation", "rotation", "cutout")
OFF = dict.fromkeys(CHANGES, 0)
SCHEMA = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())["properties"]
FURTHER = {  # all of Kornia that can be named, with the arguments that some cannot do without
    **dict.fromkeys(SCHEMA["augmentation"]["properties"]["kornia"]["propertyNames"]["enum"], {}),
    "RandomAffine": {"degrees": 9},
    "RandomGaussianBlur": {"kernel_size": [3, 3], "sigma": [0.1, 2]},
    "RandomMotionBlur": {"kernel_size": 3, "angle": 9.0, "direction": 0.5},
    "RandomRotation": {"degrees": 9},
    "RandomRotation90": {"times": [1, 3]},
    "RandomShear": {"shear": 9.0},
}


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


@pytest.mark.parametrize("name", FURTHER)
def test_all_draws_are_on_the_cpu_by_the_key_whatever_the_device(images, name):
    """So a GPU sees the views of the CPU: making them draws nothing more."""
    augmentation = Augmentation(cutout=0.5, kornia={name: FURTHER[name]})
    matrices, draws = augmentation.draw(images.shape, 5)
    state = torch.get_rng_state()
    assert augmentation(images, [5]).isfinite().all()
    assert augmentation(images.to("meta"), [5]).device.type == "meta"
    assert torch.equal(torch.get_rng_state(), state)
    with torch.device("meta"):
        elsewhere = Augmentation(cutout=0.5, kornia={name: FURTHER[name]}).draw(images.shape, 5)
    assert torch.equal(elsewhere[0], matrices)
    for drawn, again in zip(draws, elsewhere[1], strict=True):
        assert all(torch.equal(again[key], value) for key, value in drawn.items())


@pytest.mark.parametrize("scale", [(0.7, 0.7), (0.5, 0.9)])
def test_a_crop_keeps_a_share_of_the_area_in_the_range(scale):
    crops = Augmentation(**{**OFF, "crop": 1}, crop_scale=scale)
    matrices, _ = crops.draw(torch.Size([500, 1, 512, 512]), 1)
    kept = 1 / torch.linalg.det(matrices)
    assert kept.aminmax() == pytest.approx(scale, abs=0.01)


@pytest.mark.parametrize("key", CHANGES)
def test_each_slice_draws_its_own_change(images, key):
    (views,) = Augmentation(**{**OFF, key: 0.5})(images, [1])
    changed = (views - images).abs().amax((1, 2, 3)) > 1e-3
    assert 15 < changed.sum() < 49


def chain(side):
    """The augmentations one after another; Kornia crops all slices of a batch or none."""
    return nn.Sequential(
        kornia.RandomHorizontalFlip(),
        kornia.RandomVerticalFlip(),
        kornia.RandomResizedCrop((side, side), scale=(0.7, 0.7), ratio=CROP_RATIO, p=1.0),
        kornia.RandomAffine(0, (0.2, 0.2), p=0.5),
        kornia.RandomRotation(30.0, p=0.5),
    )


def moments(views):
    """Mass, centre and spread of the blob in each view."""
    axis = torch.linspace(-1, 1, views.shape[-1])
    mass = views[:, 0].sum((1, 2))
    x, y = views[:, 0].sum(1) @ axis / mass, views[:, 0].sum(2) @ axis / mass
    spread = (views[:, 0].sum(1) @ axis**2 + views[:, 0].sum(2) @ axis**2) / mass
    return {"mass": mass, "x": x, "y": y, "spread": spread}


def test_views_are_distributed_as_those_of_kornias_chain():
    side, count = 81, 2000
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
