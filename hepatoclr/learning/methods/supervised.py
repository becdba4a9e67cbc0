"""Supervised pretraining: cross-entropy on the weak label (L_weak of the paper)."""

from collections.abc import Mapping

from torch import Tensor
from torch.nn import functional

from hepatoclr.learning.backbone import Network
from hepatoclr.learning.methods.base import WEAK, Method


class Supervised(Method):
    """Classify one augmented view."""

    views = (WEAK,)

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Softmax cross-entropy on two outputs, which equals binary cross-entropy."""
        return functional.cross_entropy(network.classify(views[WEAK]).float(), labels)


METHOD = Supervised
