"""The convolutional backbone and the head of the paper (section 2)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from hepatoclr.base import files

CHANNELS = (32, 64, 128, 256, 512)


class Block(nn.Conv2d):
    """5x5 convolution, ReLU and 2x2 max-pooling, in the order that costs least.

    ReLU and the bias commute with the maximum, so they come last, on a quarter of the pixels; the
    result is that of the plain order, to the last bit where the convolution's own sum is. Under
    autocast all of it, what is kept for the backward pass included, is of autocast's type.

    Args:
        before, after: Channels.
        padding: Zero padding; without any, pooling drops an odd last row or column.
    """

    def __init__(self, before: int, after: int, padding: int) -> None:
        super().__init__(before, after, kernel_size=5, padding=padding)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, before, rows, columns) to (n, after, about rows / 2, about columns / 2)."""
        maps = functional.conv2d(images, self.weight, padding=self.padding)
        pooled = functional.max_pool2d(maps, 2, ceil_mode=self.padding != (0, 0))
        return (pooled + self.bias.to(pooled.dtype)[:, None, None]).relu_()


class Backbone(nn.Module):
    """Five blocks of 5x5 convolution, ReLU and 2x2 max-pooling, then a global average.

    At the default settings a 512x512 slice gives a 512x20x20 map, the size the paper states; of
    five undilated blocks only padding 4 with ceil-mode pooling does. 4,353,792 parameters.
    Weights and maps are kept channels last.

    Args:
        channels: Output channels of each block.
        padding: Zero padding of the convolutions: 4 (paper), 2 ("same", 16x16), or 0 with pooling
            that drops odd rows (12x12, as the follow-up code).
        centre: Subtracted from the slices first.
    """

    def __init__(
        self, channels: Sequence[int] = CHANNELS, padding: int = 4, centre: float = 0.0
    ) -> None:
        super().__init__()
        self.centre = centre
        pairs = zip((1, *channels[:-1]), channels, strict=True)
        self.blocks = nn.Sequential(*(Block(before, after, padding) for before, after in pairs))
        self.to(memory_format=torch.channels_last)

    def feature_map(self, images: Tensor) -> Tensor:
        """Map slices (n, 1, rows, columns) in [0, 1], or one (1, rows, columns), to a map."""
        batch = images if images.ndim == 4 else images[None]
        maps = self.blocks((batch - self.centre).to(memory_format=torch.channels_last))
        return maps if images.ndim == 4 else maps[0]

    def forward(self, images: Tensor) -> Tensor:
        """Map slices (n, 1, rows, columns) in [0, 1] to feature vectors (n, channels[-1])."""
        return self.feature_map(images).mean(dim=(-2, -1))


class Network(nn.Module):
    """The backbone with its head: a shared hidden layer, then classes or a contrastive projection.

    Args:
        channels, padding, centre: See `Backbone`.
        hidden: Width of the shared layer.
        projection: Length of the contrastive projection.
        initialisation: How weights are drawn: `pytorch`, its default for such layers, or `he`.
    """

    def __init__(
        self,
        channels: Sequence[int] = CHANNELS,
        padding: int = 4,
        centre: float = 0.0,
        hidden: int = 256,
        projection: int = 128,
        initialisation: str = "pytorch",
    ) -> None:
        super().__init__()
        self.backbone = Backbone(channels, padding, centre)
        self.shared = nn.Sequential(nn.Linear(channels[-1], hidden), nn.ReLU())
        self.classifier = nn.Linear(hidden, 2)
        self.projector = nn.Linear(hidden, projection)
        if initialisation == "he":
            self.apply(_he)

    def classify(self, images: Tensor) -> Tensor:
        """Map slices (n, 1, rows, columns) to the logits (n, 2) of the two classes."""
        return self.classifier(self.shared(self.backbone(images)))

    def project(self, images: Tensor) -> Tensor:
        """Map slices (n, 1, rows, columns) to contrastive projections (n, projection)."""
        return self.projector(self.shared(self.backbone(images)))


def _he(module: nn.Module) -> None:
    """Initialise for ReLU (He et al. 2015, arXiv 1502.01852), biases 0."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        drawn = torch.empty(module.weight.shape)  # the draw is the same whatever the layout
        nn.init.kaiming_normal_(drawn, nonlinearity="relu")
        module.weight.data.copy_(drawn)
        nn.init.zeros_(module.bias)


def initialise(seed: int, **settings) -> Network:
    """Make a network with random weights that depend on the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Network(**settings)


def write(network: Network, path: str | Path) -> None:
    """Write a network's weights."""
    with files.atomic(path) as temporary:
        temporary.write_bytes(
            save({key: item.cpu().contiguous() for key, item in network.state_dict().items()})
        )


def read(path: str | Path, settings: Mapping) -> Network:
    """Read weights into a network of these settings, however it was initialised.

    Raises:
        UserError: The file is damaged, or of another network.
    """
    network = Network(**settings)
    with files.unreadable_as_user_error(path):
        network.load_state_dict(load(Path(path).read_bytes()))
    return network
