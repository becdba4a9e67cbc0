"""The losses against their formulas, written out slowly, and against other implementations."""

import math

import pytest
import torch
from pytorch_metric_learning import losses as peer
from torch.nn import functional

from hepatoclr.learning import losses


@pytest.fixture
def views():
    rng = torch.Generator().manual_seed(3)
    return [torch.randn(7, 5, generator=rng, dtype=torch.float64) for _ in range(2)]


def cosine(a, b):
    return float(a @ b / (a.norm() * b.norm()))


def nt_xent_slowly(first, second, temperature):
    """Chen et al. 2020, equation 1, anchor by anchor."""
    both = [*first, *second]
    n, total = len(first), 0.0
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        odds = [math.exp(cosine(both[i], both[k]) / temperature) for k in range(2 * n)]
        total -= math.log(odds[j] / (sum(odds) - odds[i]))
    return total / (2 * n)


def sup_con_slowly(first, second, labels, temperature):
    """Khosla et al. 2020, equation 2, anchor by anchor."""
    both, classes = [*first, *second], [*labels, *labels]
    total = 0.0
    for i, anchor in enumerate(both):
        others = [k for k in range(len(both)) if k != i]
        odds = {k: math.exp(cosine(anchor, both[k]) / temperature) for k in others}
        positives = [k for k in others if classes[k] == classes[i]]
        total -= sum(math.log(odds[k] / sum(odds.values())) for k in positives) / len(positives)
    return total / len(both)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_formula(views, temperature):
    expected = nt_xent_slowly(*views, temperature)
    assert float(losses.nt_xent(*views, temperature)) == pytest.approx(expected, abs=1e-6)


def test_nt_xent_of_two_slices_by_hand():
    """Views that agree and slices that are orthogonal: log(1 + 2 exp(-1 / T)) for every anchor."""
    slices = torch.eye(2, dtype=torch.float64)
    expected = math.log(1 + 2 * math.exp(-1 / 0.1))
    assert float(losses.nt_xent(slices, 3 * slices)) == pytest.approx(expected, abs=1e-12)


def test_nt_xent_sum_is_both_directions(views):
    """The follow-up code adds the cross-entropies of the two directions."""
    first, second = (functional.normalize(view, dim=1) for view in views)
    total = 0.0
    for here, there in ((first, second), (second, first)):
        own = (here @ here.T / 0.1).fill_diagonal_(-torch.inf)
        logits = torch.cat([here @ there.T / 0.1, own], dim=1)
        total += functional.cross_entropy(logits, torch.arange(len(here)))
    assert float(losses.nt_xent(*views, 0.1, "sum")) == pytest.approx(float(total), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_sup_con_is_the_formula(views, temperature):
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    expected = sup_con_slowly(*views, labels.tolist(), temperature)
    found = losses.sup_con(*views, labels, temperature)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_sup_con_without_shared_labels_is_nt_xent(views):
    labels = torch.arange(7)
    assert float(losses.sup_con(*views, labels)) == pytest.approx(float(losses.nt_xent(*views)))


def test_against_pytorch_metric_learning(views):
    """An independent implementation."""
    both = torch.cat(views)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    pairs = torch.cat([torch.arange(7)] * 2)
    assert float(peer.NTXentLoss(temperature=0.1)(both, pairs)) == pytest.approx(
        float(losses.nt_xent(*views)), abs=1e-6
    )
    assert float(peer.SupConLoss(temperature=0.1)(both, torch.cat([labels] * 2))) == pytest.approx(
        float(losses.sup_con(*views, labels)), abs=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(dtype):
    views = [torch.full((4, 8), 200.0, dtype=dtype), torch.full((4, 8), 200.0, dtype=dtype)]
    assert losses.nt_xent(*views).dtype == torch.float32
    assert float(losses.nt_xent(*views)) == pytest.approx(math.log(7), abs=1e-5)


def test_gradients_are_right(views):
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    inputs = [view.requires_grad_() for view in views]
    assert torch.autograd.gradcheck(lambda a, b: losses.nt_xent(a, b, 0.5), inputs)
    assert torch.autograd.gradcheck(lambda a, b: losses.sup_con(a, b, labels, 0.5), inputs)


# --- slices without a weak label


def test_weak_is_the_mean_over_the_labelled_slices():
    logits = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, -1, 1, 1, -1, 0])
    odds = [math.exp(b) / (math.exp(a) + math.exp(b)) for a, b in logits.tolist()]
    known = [-math.log(p if y else 1 - p) for p, y in zip(odds, labels, strict=True) if y >= 0]
    assert float(losses.weak(logits, labels)) == pytest.approx(sum(known) / 4, abs=1e-6)
    full = torch.tensor([0, 1, 1, 0, 1, 0])
    assert torch.equal(losses.weak(logits, full), functional.cross_entropy(logits, full))


def test_weak_of_a_batch_without_labels_is_0_and_moves_nothing():
    logits = torch.randn(3, 2).requires_grad_()
    loss = losses.weak(logits, torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(3, 2))


def test_sup_con_takes_an_unlabelled_slice_for_a_class_of_its_own(views):
    labels = torch.tensor([0, -1, 1, 0, -1, 0, 1])
    own = [0, 2, 1, 0, 3, 0, 1]
    found = float(losses.sup_con(*views, labels, 0.5))
    assert found == pytest.approx(sup_con_slowly(*views, own, 0.5), abs=1e-6)
    one_class = sup_con_slowly(*views, labels.tolist(), 0.5)
    assert found != pytest.approx(one_class, abs=1e-3)
    nobody = losses.sup_con(*views, torch.full((7,), -1))
    assert float(nobody) == pytest.approx(float(losses.nt_xent(*views)))
