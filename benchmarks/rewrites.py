"""What each exact rewrite of a block gives, in time and in bytes kept for the backward pass.

    python -m benchmarks.rewrites

A variant is measured beside the plain form: convolution with bias, ReLU, pooling, eager, NCHW.
The remark has what was predicted: the share of the plain step that a rewrite saves, from the
time of the parts it makes smaller, and bytes from the shapes of what is kept (`kept`). Rates are
those of the five convolutions alone, in multiples of what single 5x5 convolutions reach here.
"""

import argparse
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from benchmarks import common, ours

PREDICTED = {
    "pooling before ReLU": "ReLU on a quarter of the pixels, both ways: 1.1x",
    "and bias after pooling": "no sum of the bias gradient over all pixels: 1.02x",
    "and channels last": "convolution kernels without reorders, pooling along channels: 1.1x",
    "and first block recomputed": "a fortieth of the convolutions again, half of the bytes less",
    "and compiled": "offsets of one byte, no maps kept before pooling: a fifth of the bytes",
}


def sides(size: int, padding: int, depth: int) -> list[tuple[int, int]]:
    """Side of the maps of each block, before and after pooling."""
    found = []
    for _ in range(depth):
        whole = size + 2 * padding - 4
        size = -(-whole // 2) if padding else whole // 2
        found.append((whole, size))
    return found


def flops(channels: list[int], size: int, padding: int) -> float:
    """Floating-point operations of a training step on one view, convolutions only.

    Forward one multiply-add per weight and pixel, backward twice that; the slice itself needs no
    gradient.
    """
    total = 0
    pairs = zip((1, *channels[:-1]), channels, strict=True)
    for (before, after), (whole, _) in zip(pairs, sides(size, padding, len(channels)), strict=True):
        total += 2 * 25 * before * after * whole**2 * (2 if before == 1 else 3)
    return total


def kept(channels: list[int], size: int, padding: int, number: int, compiled: bool) -> float:
    """Bytes kept per view for the backward pass, with `number` bytes a value.

    Eager: the slice and, of each block, its maps before pooling, their indices of 8 bytes, and its
    result. Compiled: the slice, each block's result, and offsets of one byte; of the last block
    only where it is positive, a byte too.
    """
    total = number * size**2
    for after, (whole, side) in zip(channels, sides(size, padding, len(channels)), strict=True):
        pooled = after * side**2
        total += (number + 1) * pooled if compiled else number * after * whole**2 + 8 * pooled
        total += 0 if compiled else number * pooled
    return total - (number - 1) * pooled if compiled else total


def plain(net: nn.Module, images: Tensor) -> Tensor:
    """The blocks as written in the paper."""
    for block in net.blocks:
        images = functional.conv2d(images, block.weight, block.bias, padding=block.padding).relu()
        images = functional.max_pool2d(images, 2, ceil_mode=block.padding != (0, 0))
    return images.mean((2, 3))


def pooled_first(net: nn.Module, images: Tensor) -> Tensor:
    """Pooling before ReLU."""
    for block in net.blocks:
        images = functional.conv2d(images, block.weight, block.bias, padding=block.padding)
        images = functional.max_pool2d(images, 2, ceil_mode=block.padding != (0, 0)).relu()
    return images.mean((2, 3))


def recomputed(net: nn.Module, images: Tensor) -> Tensor:
    """Our blocks, the first run again in the backward pass."""
    maps = checkpoint(net.blocks[0], images, use_reentrant=False)
    return net.blocks[1:](maps).mean((2, 3))


def variants(preset: str) -> dict[str, tuple[Callable, nn.Module, torch.memory_format]]:
    """Name to function, network and layout; each adds to the one before."""
    nchw = ours.network(preset).backbone.to(memory_format=torch.contiguous_format)
    last = ours.network(preset).backbone

    def block_by_block(net: nn.Module, images: Tensor) -> Tensor:
        return net.blocks(images).mean((2, 3))

    return {
        "plain": (plain, nchw, torch.contiguous_format),
        "pooling before ReLU": (pooled_first, nchw, torch.contiguous_format),
        "and bias after pooling": (block_by_block, nchw, torch.contiguous_format),
        "and channels last": (block_by_block, last, torch.channels_last),
        "and first block recomputed": (recomputed, last, torch.channels_last),
        "and compiled": (torch.compile(block_by_block), last, torch.channels_last),
    }


def step(function: Callable, net: nn.Module, images: Tensor) -> Callable[[], None]:
    """Forward and backward."""

    def run() -> None:
        net.zero_grad()
        function(net, images).square().sum().backward()

    return run


def saved(function: Callable, net: nn.Module, images: Tensor, half: bool) -> float:
    """Bytes kept per view, measured: of all tensors kept, each storage once, without weights.

    Args:
        function, net, images: A variant, and the views.
        half: Whether the network computes in bfloat16.
    """
    found, weights = {}, {weight.shape for weight in net.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.shape not in weights:
            storage = tensor.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        torch.autocast("cpu", torch.bfloat16, enabled=half),
        saved_tensors_hooks(pack, lambda tensor: tensor),
    ):
        result = function(net, images)
    del result  # until here it keeps what it needs, each at a place of its own
    return sum(found.values()) / len(images)


def convolutions(preset: str, batch: int, size: int) -> Callable[[], None]:
    """Each 5x5 convolution but the first, forward and backward, by itself: the machine's rate."""
    settings = ours.config(preset)["network"]
    parts = []
    pairs = zip(settings["channels"][:-1], settings["channels"][1:], strict=True)
    shapes = sides(size, settings["padding"], len(settings["channels"]))
    for (before, after), (_, side) in zip(pairs, shapes, strict=False):
        layer = nn.Conv2d(before, after, 5, padding=settings["padding"], bias=False)
        images = torch.rand(batch, before, side, side, requires_grad=True)
        layer, images = (
            item.to(memory_format=torch.channels_last) for item in (layer, images.detach())
        )
        parts.append((layer, images.requires_grad_()))

    def run() -> None:
        for layer, images in parts:
            layer.zero_grad()
            layer(images).sum().backward()

    return run


def measure(given: argparse.Namespace) -> list[common.Row]:
    """Every variant at the paper's and the demo's sizes."""
    rows = []
    cases = {"paper": (ours.PAPER, 2, 128 if given.quick else 512), "demo": (ours.DEMO, 32, 80)}
    for name, (preset, batch, size) in cases.items():
        settings = ours.config(preset)["network"]
        shape = (settings["channels"], size, settings["padding"])
        images = torch.rand(batch, 1, size, size)
        made = {
            key: (function, net, images.to(memory_format=layout))
            for key, (function, net, layout) in variants(preset).items()
        }
        single = "convolutions alone"
        competitors = {key: common.timed(step(*parts), batch) for key, parts in made.items()}
        competitors[single] = common.timed(convolutions(preset, batch, size), batch)
        found = common.rounds(competitors, given.rounds)
        what = f"{name} network, {batch} slices of {size}x{size}"
        for key in list(made)[1:]:
            rows.append(
                common.Row(
                    *(f"{key}, {what}", "views/s", found[key], "plain", found["plain"]),
                    more_is_better=True,
                    remarks=f"predicted: {PREDICTED[key]}",
                )
            )
        first = 2 * 2 * 25 * shape[0][0] * sides(*shape[1:], 1)[0][0] ** 2
        rate = flops(*shape) / 1e9
        for key in ("plain", "and channels last"):
            rows.append(
                common.Row(
                    *(f"arithmetic of {key.removeprefix('and ')}, {what}", "GFLOP/s"),
                    [rate * value for value in found[key]],
                    *(single, [(rate - first / 1e9) * value for value in found[single]]),
                    more_is_better=True,
                )
            )
        for key, half in product(("plain", "and channels last", "and compiled"), (False, True)):
            counted = kept(*shape, 2 if half else 4, key == "and compiled") / 1e6
            measured = saved(*made[key], half) / 1e6
            label = f"bytes kept per view{', bfloat16' if half else ''}, {key}, {what}"
            rows.append(common.Row(label, "MB", [measured], "counted", [counted]))
    return rows


if __name__ == "__main__":
    common.main("rewrites", __doc__, measure)
