import pytest
import torch

from hepatoclr import backbone


def test_map_of_an_ordinary_slice_is_the_papers():
    net = backbone.Backbone()
    with torch.inference_mode():
        assert net.feature_map(torch.zeros(1, 512, 512)).shape == (512, 20, 20)
        assert net(torch.zeros(2, 1, 512, 512)).shape == (2, 512)


@pytest.mark.parametrize(("padding", "side"), [(4, 20), (2, 16), (0, 12)])
def test_padding_sets_the_map(padding, side):
    net = backbone.Backbone(channels=(1, 1, 1, 1, 2), padding=padding)
    assert net.feature_map(torch.zeros(1, 1, 512, 512)).shape == (1, 2, side, side)


def test_parameters_are_as_documented():
    assert sum(weight.numel() for weight in backbone.Backbone().parameters()) == 4_353_792
    assert sum(weight.numel() for weight in backbone.Network().parameters()) == 4_518_530


def test_features_are_the_average_of_the_map():
    net = backbone.Backbone(channels=(2, 3, 4, 5, 6))
    images = torch.rand(2, 1, 64, 64)
    assert torch.allclose(net(images), net.feature_map(images).mean((2, 3)))


def test_centre_is_subtracted():
    plain, centred = (backbone.Backbone((2, 3, 4, 5, 6), centre=c) for c in (0, 0.2))
    centred.load_state_dict(plain.state_dict())
    images = torch.rand(2, 1, 64, 64)
    assert torch.allclose(centred(images + 0.2), plain(images), atol=1e-6)


def test_weights_depend_on_the_seed_alone():
    first = backbone.initialise(1, channels=(2, 2, 2, 2, 2)).state_dict()
    torch.rand(5)
    again = backbone.initialise(1, channels=(2, 2, 2, 2, 2)).state_dict()
    other = backbone.initialise(2, channels=(2, 2, 2, 2, 2)).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_saved_weights_come_back(tmp_path):
    settings = {"channels": (2, 3, 4, 5, 6), "hidden": 7, "projection": 8}
    net = backbone.initialise(1, **settings)
    backbone.write(net, tmp_path / "encoder.safetensors")
    loaded = backbone.read(tmp_path / "encoder.safetensors", settings)
    images = torch.rand(3, 1, 32, 32)
    assert torch.equal(net.project(images), loaded.project(images))
    assert torch.equal(net.classify(images), loaded.classify(images))
