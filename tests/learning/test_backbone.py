import math

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from hepatoclr.learning import backbone


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


@pytest.mark.parametrize("initialisation", ["pytorch", "he"])
def test_weights_depend_on_the_seed_alone(initialisation):
    given = {"channels": (2, 2, 2, 2, 2), "initialisation": initialisation}
    first = backbone.initialise(1, **given).state_dict()
    torch.rand(5)
    again = backbone.initialise(1, **given).state_dict()
    other = backbone.initialise(2, **given).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_pytorchs_initial_weights_are_those_of_its_own_layers():
    ours = backbone.initialise(1, channels=(4, 8), hidden=6, projection=3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layers = [nn.Conv2d(1, 4, 5), nn.Conv2d(4, 8, 5), nn.Linear(8, 6), nn.Linear(6, 2)]
    same = [*ours.backbone.blocks, ours.shared[0], ours.classifier]
    for layer, own in zip(layers, same, strict=True):
        assert torch.equal(layer.weight, own.weight)
        assert torch.equal(layer.bias, own.bias)


def test_hes_initial_weights_keep_the_spread_of_a_signal():
    for layer in backbone.initialise(1, channels=(32, 64), initialisation="he").modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            expected = math.sqrt(2 / layer.weight[0].numel())
            assert float(layer.weight.detach().std()) == pytest.approx(expected, rel=0.1)
            assert not layer.bias.any()


def test_saved_weights_come_back(tmp_path):
    settings = {"channels": (2, 3, 4, 5, 6), "hidden": 7, "projection": 8}
    net = backbone.initialise(1, **settings, initialisation="he")
    backbone.write(net, tmp_path / "encoder.safetensors")
    loaded = backbone.read(tmp_path / "encoder.safetensors", settings)
    images = torch.rand(3, 1, 32, 32)
    assert torch.equal(net.project(images), loaded.project(images))
    assert torch.equal(net.classify(images), loaded.classify(images))


def plain(net, images):
    """The blocks as the paper writes them."""
    maps = images - net.centre
    for block in net.blocks:
        maps = functional.conv2d(maps, block.weight, block.bias, padding=block.padding).relu()
        maps = functional.max_pool2d(maps, 2, ceil_mode=block.padding != (0, 0))
    return maps.mean((2, 3))


@pytest.mark.parametrize("padding", [0, 2, 4])
def test_the_order_of_a_block_changes_neither_values_nor_gradients(padding):
    net = backbone.Backbone((4, 5, 6), padding, centre=0.1).double()
    for block in net.blocks:
        torch.nn.init.normal_(block.bias)
    images = torch.rand(3, 1, 41, 41, dtype=torch.float64)
    images[0] = 0  # ties in every window
    found = {}
    for forward in (net, lambda images: plain(net, images)):
        net.zero_grad()
        vectors = forward(images)
        vectors.square().sum().backward()
        found[forward] = [vectors.detach(), *(weight.grad.clone() for weight in net.parameters())]
    for ours, theirs in zip(*found.values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_gradients_of_a_block_are_those_of_finite_differences():
    block = backbone.Block(2, 3, 2).double()
    images = torch.rand(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, images)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_two_bytes_a_number(half):
    maps = torch.rand(3, 1, 24, 24)
    for block in backbone.Backbone((2, 4, 8), padding=2).blocks:
        kept, images = {}, maps

        def pack(tensor, kept=kept):
            kept[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autocast("cpu", half), saved_tensors_hooks(pack, lambda tensor: tensor):
            maps = block(images)
        assert maps.dtype == half
        offsets = maps.numel()  # which of a window is the largest, 8 bytes each
        numbers = images.numel() + block.weight.numel() + 4 * maps.numel() + maps.numel()
        assert sum(tensor.nbytes for tensor in kept.values()) == 2 * numbers + 8 * offsets


def test_the_layout_does_not_change_the_draw():
    block = backbone.Block(3, 4, 2)
    drawn = []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(1)
        backbone._he(block.to(memory_format=layout))
        drawn.append(block.weight.detach().clone())
    assert torch.equal(*drawn)


def test_weights_stay_channels_last():
    net = backbone.Network((4, 4, 4, 4, 8))
    assert all(
        block.weight.is_contiguous(memory_format=torch.channels_last)
        for block in net.backbone.blocks
    )
