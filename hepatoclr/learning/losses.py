"""The losses, in float32 or better: half precision overflows at temperature 0.1.

The level of chance of a loss is its value where a network maps all slices to one vector.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from hepatoclr.learning.data import UNLABELLED

WEAK_CHANCE = math.log(2)  # of `weak`: both classes drawn equally often are equally likely
SCALES = {"mean": 1, "sum": 2}  # of `nt_xent`


def weak(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy on the weak label (L_weak of the paper).

    A softmax on two outputs equals binary cross-entropy.

    Args:
        logits: Outputs of the classifying layer, shape (n, 2).
        labels: Weak label of each slice, 0 or 1, or `UNLABELLED`, shape (n,).

    Returns:
        The mean over the labelled slices, a scalar; 0 if there are none.
    """
    loss = functional.cross_entropy(logits.float(), labels, ignore_index=UNLABELLED)
    # the mean over none is NaN; its gradient is 0, so that the choice here leaves none of it
    return torch.where((labels != UNLABELLED).any(), loss, torch.zeros_like(loss))


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.1, scale: str = "mean") -> Tensor:
    """NT-Xent: each view must recognise the other view of its slice among all others.

    Chen et al., "A simple framework for contrastive learning of visual representations", 2020,
    equation 1 (arXiv 2002.05709).

    Args:
        first: Projections of one view, shape (n, d); they need not be normalised.
        second: Projections of the other view, same shape, same order.
        temperature: Divisor of the cosine similarities.
        scale: "mean" over the 2n anchors, as the paper writes; "sum" adds the means of the two
            directions, twice that, as the follow-up code does.

    Returns:
        The loss, a scalar.
    """
    logits = _similarities(first, second, temperature)
    n = len(first)
    partner = torch.arange(2 * n, device=logits.device).roll(n)
    return functional.cross_entropy(logits, partner) * SCALES[scale]


def sup_con(first: Tensor, second: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """SupCon: all views of slices with the anchor's label are its positives.

    An unlabelled slice is a class of its own: its other view is its only positive, as in NT-Xent.
    Khosla et al., "Supervised contrastive learning", 2020, equation 2, L_out: the mean over the
    positives stands outside the logarithm (arXiv 2004.11362).

    Args:
        first, second: Projections of the two views, shape (n, d).
        labels: Class of each slice, 0 or above, or `UNLABELLED`, shape (n,).
        temperature: Divisor of the cosine similarities.

    Returns:
        The mean over the 2n anchors, a scalar.
    """
    logits = _similarities(first, second, temperature)
    own = UNLABELLED - torch.arange(len(labels), device=labels.device)
    labels = torch.where(labels == UNLABELLED, own, labels)
    both = torch.cat([labels, labels])
    positive = both[:, None] == both[None, :]
    positive.fill_diagonal_(False)
    log_share = functional.log_softmax(logits, dim=1).masked_fill(~positive, 0)
    return -(log_share.sum(1) / positive.sum(1)).mean()


def contrastive_chance(batch_size: int, scale: str = "mean") -> float:
    """The level of chance of `nt_xent` and, with "mean", of `sup_con`.

    Each anchor's positives are as likely as any of the other 2n - 1 views.

    Args:
        batch_size: Slices of a batch, n.
        scale: That of `nt_xent`.
    """
    return math.log(2 * batch_size - 1) * SCALES[scale]


def _similarities(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Cosine similarities of all 2n views over the temperature; -inf with itself."""
    with torch.autocast(first.device.type, enabled=False):
        both = torch.cat([first, second])
        unit = functional.normalize(both.to(torch.promote_types(both.dtype, torch.float32)), dim=1)
        logits = unit @ unit.T / temperature
    itself = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    return logits.masked_fill(itself, -torch.inf)
