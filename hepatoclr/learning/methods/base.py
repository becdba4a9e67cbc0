"""What a pretraining method is: which views of a slice it looks at, and its loss on them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from torch import Tensor

from hepatoclr.learning.backbone import Network

FIRST, SECOND = "first", "second"  # the two views that are contrasted
WEAK = "weak"  # the view that is classified


@dataclass(frozen=True)
class Method(ABC):
    """Settings shared by the methods; each uses those that concern it.

    Attributes:
        beta: Weight of the weak label's loss, in [0, 1] (weak_simclr).
        temperature: Of the contrastive losses.
        nt_xent: "mean" or "sum" of the two directions.
    """

    beta: float = 0.5
    temperature: float = 0.1
    nt_xent: str = "mean"

    @property
    def uses_unlabelled(self) -> bool:
        """Whether slices without a weak label are trained on; else their patients are left out."""
        return False

    @property
    @abstractmethod
    def views(self) -> tuple[str, ...]:
        """Names of the views to draw; a view's randomness depends on its name, not on its rank."""

    @abstractmethod
    def loss(self, network: Network, views: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Loss of one batch.

        Args:
            network: Gives logits and projections.
            views: For each name of `views`, augmented slices (n, 1, rows, columns).
            labels: Weak label of each slice, 0 or 1, shape (n,); `data.UNLABELLED`, -1, where there
                is none, which only methods meet that use such slices.
        """

    @abstractmethod
    def chance(self, batch_size: int) -> float:
        """The level of chance: the loss of a network that maps all slices to one vector.

        A training that does not end below it has learned nothing, see `module.ending`. Classes are
        taken to be equally frequent, as the sampling `weighted` draws them; of others that are not,
        a network can learn the frequencies alone.

        Args:
            batch_size: Slices of a batch.
        """


def load(method: str, **settings) -> Method:
    """Make the method of the file `methods/<method>.py`; only that one is imported.

    Args:
        method: supervised, simclr, supcon, weak_simclr, or a file you added.
        **settings: Fields of `Method`: beta, temperature, nt_xent.
    """
    return import_module(f"hepatoclr.learning.methods.{method}").METHOD(**settings)
