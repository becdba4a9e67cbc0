"""Start pretraining on a few slices and stop at the first loss; imports what training needs alone.

Part of `benchmarks.startup`.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, data, module
from hepatoclr.learning.augment import Augmentation


class Started(Exception):  # noqa: N818 - no error
    """The first step of training has come to its loss."""


class Start:
    """An objective that ends training at its first loss."""

    views = ("first", "second")

    def loss(self, *_) -> None:
        """Stop."""
        raise Started


def main() -> None:
    """Start, and stop."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "slices.b2nd"))
        tensors.write(np.zeros((8, 80, 80), np.int16), path)
        slices = data.collect([path], (-100, 400))
        sampler = data.Sampler(slices.case, slices.case, "uniform", 0, seed=1)
        config = module.OptimiserConfig(1, 8, 1e-4, 1e-4, "adam")
        network = backbone.initialise(1, channels=(8, 16, 32, 64, 512), padding=2)
        try:
            device = torch.device("cpu")
            module.fit(network, Start(), slices, sampler, Augmentation(), config, device, 1)
        except Started:
            return


if __name__ == "__main__":
    main()
