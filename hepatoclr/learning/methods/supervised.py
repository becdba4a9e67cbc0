"""Supervised pretraining: cross-entropy on the weak label (L_weak of the paper)."""

from collections.abc import Mapping

from torch import Tensor

from hepatoclr.learning import losses
from hepatoclr.learning.backbone import Network
from hepatoclr.learning.methods.base import WEAK, Method


class Supervised(Method):
    """Classify one augmented view."""

    views = (WEAK,)

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """L_weak of the logits."""
        return losses.weak(network.classify(views[WEAK]), labels)

    def chance(self, batch_size: int) -> float:
        """That of two classes."""
        return losses.WEAK_CHANCE


METHOD = Supervised
