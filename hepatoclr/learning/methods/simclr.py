"""SimCLR: contrast two views of each slice (Chen et al. 2020, arXiv 2002.05709)."""

from collections.abc import Mapping

from torch import Tensor

from hepatoclr.learning import losses
from hepatoclr.learning.backbone import Network
from hepatoclr.learning.methods.base import FIRST, SECOND, Method


class SimCLR(Method):
    """NT-Xent on two augmented views; labels are not looked at."""

    views = (FIRST, SECOND)
    uses_unlabelled = True

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """NT-Xent of the two projections."""
        first, second = network.project(views[FIRST]), network.project(views[SECOND])
        return losses.nt_xent(first, second, self.temperature, self.nt_xent)

    def chance(self, batch_size: int) -> float:
        """That of NT-Xent: a choice among all other views."""
        return losses.contrastive_chance(batch_size, self.nt_xent)


METHOD = SimCLR
