"""Several processes that train one network together, each on its share of every batch.

The loss is taken over the whole batch in every process, so contrastive losses see all of its
slices, and steps are those of one process that has the whole batch.
"""

import multiprocessing
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from hepatoclr.base.errors import UserError
from hepatoclr.learning.backbone import Network

PATIENCE = timedelta(minutes=10)  # with a member that does not answer


@dataclass(frozen=True)
class Team:
    """One member's view of the team; a team of one needs no exchange.

    Attributes:
        rank: Which member this is, from 0; member 0 writes the results.
        size: Number of members.
    """

    rank: int = 0
    size: int = 1

    def share(self, batch):
        """This member's part of a batch: every `size`-th item."""
        return batch[self.rank :: self.size]

    def whole(self, share: Tensor) -> Tensor:
        """Join the shares of all members in the order of the batch, shape (n * size, ...).

        Gradients flow into this member's own share; `add_gradients` adds up those of all.
        """
        if self.size == 1:
            return share
        shares = [torch.empty_like(share) for _ in range(self.size)]
        distributed.all_gather(shares, share.detach().contiguous())
        shares[self.rank] = share
        return torch.stack(shares, dim=1).flatten(0, 1)

    def add_gradients(self, network: nn.Module) -> None:
        """Add up the gradients of all members, in one exchange."""
        if self.size == 1:
            return
        gradients = [item.grad for item in network.parameters() if item.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        parts = together.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))


@dataclass(frozen=True)
class Shared:
    """A network whose outputs are those of the whole batch, from a share of its slices."""

    network: Network
    team: Team

    def classify(self, images: Tensor) -> Tensor:
        """Logits of the whole batch."""
        return self.team.whole(self.network.classify(images))

    def project(self, images: Tensor) -> Tensor:
        """Projections of the whole batch."""
        return self.team.whole(self.network.project(images))


def run(size: int, work: Callable[[Team], None], cuda: bool) -> None:
    """Work as a team of processes on one machine; this process is member 0.

    Args:
        size: Number of processes.
        work: Called in each; must be picklable.
        cuda: Whether the members exchange tensors on GPUs, one GPU each.

    Raises:
        UserError: What member 0 raised, or that there are fewer GPUs than members.
    """
    if size == 1:
        return work(Team())
    if cuda and torch.cuda.device_count() < size:
        raise UserError(
            f"pretraining.processes is {size}, but there are {torch.cuda.device_count()} GPUs; "
            "each process needs one of its own"
        )
    with tempfile.TemporaryDirectory() as folder:
        meeting = (f"file://{folder}/meeting", "nccl" if cuda else "gloo", size)
        context = multiprocessing.get_context("spawn")
        others = [
            context.Process(target=_member, args=(work, rank, *meeting), daemon=True)
            for rank in range(1, size)
        ]
        for other in others:
            other.start()
        try:
            _work(work, 0, *meeting)
        finally:
            for other in others:
                other.join(timeout=10)
                other.terminate()


def _member(work: Callable[[Team], None], *place) -> None:
    with suppress(UserError):  # all members fail alike, and member 0 says so
        _work(work, *place)


def _work(work: Callable[[Team], None], rank: int, meeting: str, backend: str, size: int) -> None:
    distributed.init_process_group(
        backend, init_method=meeting, rank=rank, world_size=size, timeout=PATIENCE
    )
    try:
        work(Team(rank, size))
    finally:
        distributed.destroy_process_group()
