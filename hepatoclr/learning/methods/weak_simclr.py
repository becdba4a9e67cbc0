"""weak-SimCLR: beta * L_weak + (1 - beta) * L_SimCLR, the paper's joint pretraining."""

from collections.abc import Mapping

from torch import Tensor

from hepatoclr.learning import losses
from hepatoclr.learning.backbone import Network
from hepatoclr.learning.methods.base import FIRST, SECOND, WEAK, Method


class WeakSimCLR(Method):
    """Contrast two views and classify a third one.

    A term without weight is not computed, so beta 0 takes exactly SimCLR's steps and beta 1
    those of supervised pretraining. Slices without a weak label are contrasted only.
    """

    @property
    def views(self) -> tuple[str, ...]:
        """The views of the terms that carry weight."""
        return ((FIRST, SECOND) if self.beta < 1 else ()) + ((WEAK,) if self.beta > 0 else ())

    @property
    def uses_unlabelled(self) -> bool:
        """Whether there is a term that needs no weak label."""
        return self.beta < 1

    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """The weighted sum of the two terms."""
        terms = []
        if self.beta < 1:
            first, second = network.project(views[FIRST]), network.project(views[SECOND])
            simclr = losses.nt_xent(first, second, self.temperature, self.nt_xent)
            terms.append((1 - self.beta) * simclr)
        if self.beta > 0:
            terms.append(self.beta * losses.weak(network.classify(views[WEAK]), labels))
        return sum(terms)

    def chance(self, batch_size: int) -> float:
        """The weighted sum of those of the two terms; a batch without weak labels has less."""
        simclr = losses.contrastive_chance(batch_size, self.nt_xent)
        return (1 - self.beta) * simclr + self.beta * losses.WEAK_CHANCE


METHOD = WeakSimCLR
