"""SupCon: slices of one weak label attract each other (Khosla et al. 2020, arXiv 2004.11362)."""

from collections.abc import Mapping

from torch import Tensor

from hepatoclr.learning import losses
from hepatoclr.learning.backbone import Network
from hepatoclr.learning.methods.base import FIRST, SECOND, Method


class SupCon(Method):
    """Supervised contrastive loss on two augmented views."""

    views = (FIRST, SECOND)
    uses_unlabelled = True

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """L_out of the two projections, positives by weak label."""
        first, second = network.project(views[FIRST]), network.project(views[SECOND])
        return losses.sup_con(first, second, labels, self.temperature)

    def chance(self, batch_size: int) -> float:
        """That of NT-Xent, whatever the labels: a mean over positives that are equally likely."""
        return losses.contrastive_chance(batch_size)


METHOD = SupCon
