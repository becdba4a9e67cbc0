"""The measurements: their table, and our losses against the peers where those are installed."""

import pytest
import torch

from benchmarks import cohorts, common, estimate, peers
from hepatoclr.learning import losses


@pytest.fixture
def views():
    random = torch.Generator().manual_seed(5)
    return [torch.randn(12, 8, generator=random, dtype=torch.float64) for _ in range(2)]


LABELS = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0])


def peer(make, *arguments):
    try:
        return make(*arguments)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("make", [peers.lightly_nt_xent, peers.solo_nt_xent, peers.metric_nt_xent])
def test_nt_xent_is_the_peers(views, make):
    expected = float(peer(make)(*views))
    assert float(losses.nt_xent(*views)) == pytest.approx(expected, abs=1e-6)
    assert float(losses.nt_xent(*views, scale="sum")) == pytest.approx(2 * expected, abs=1e-6)


@pytest.mark.parametrize("make", [peers.solo_sup_con, peers.metric_sup_con])
def test_sup_con_is_the_peers(views, make):
    expected = float(peer(make, LABELS)(*views))
    assert float(losses.sup_con(*views, LABELS)) == pytest.approx(expected, abs=1e-6)


def test_rounds_take_turns_after_a_warm_up():
    order = []
    found = common.rounds({name: lambda name=name: order.append(name) or 1 for name in "ab"}, 2)
    assert found == {"a": [1, 1], "b": [1, 1]}
    assert order == ["b", "a", "a", "b", "b", "a"]


def test_gain_is_above_1_where_ours_is_better():
    assert common.Row("time", "s", [2, 4], "peer", [4, 4]).gain == [2, 1]
    assert common.Row("rate", "views/s", [2], "peer", [4], more_is_better=True).gain == [0.5]
    auc = common.Row("AUC", "", [0.75], "peer", [0.5], more_is_better=True, difference=True)
    assert auc.gain == [0.25]


def test_table_gives_median_and_range():
    row = common.Row("time", "s", [1, 2, 4], "peer", [2, 2, 2])
    line = common.table({"step": [row]}).splitlines()[-1]
    assert (
        line == "| step: time | s | 2.00 (1.00 to 4.00) | peer | 2.00 | 1.00 (0.500 to 2.00) |  |"
    )


def test_cohorts_of_tiny_cases_hold_no_image_twice(tmp_path):
    cohorts.write(tmp_path, 40, cohorts.SETTINGS)
    images = [path.read_bytes() for path in tmp_path.glob("images/*/*-*.nii")]
    assert len(set(images)) == len(images) == 40
    assert cohorts.sizes(2905) == {"radio": 2799, "histo": 106}


def test_a_stage_takes_no_less_than_its_longest_job():
    trainings = estimate.Stage("pretrain", [6.0, 3.0, 3.0, 1.0], "GPU")
    assert [trainings.wall(gpus) for gpus in (1, 2, 8)] == [13, 7, 6]
