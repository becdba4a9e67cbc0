"""A table must not mix trainings of different settings."""

import pytest

from hepatoclr.base import files
from hepatoclr.base.errors import UserError
from hepatoclr.reporting import consistency

CONFIG = {
    "tensors": {"window": (-100, 400), "size": 512},
    "network": {"channels": [8, 16], "centre": 0.5},
    "augmentation": {"crop": 0.5},
    "pretraining": {"epochs": 5, "batch_size": 92},
    "finetune": {"epochs": 6, "epoch": "last"},
}
ENCODER = {
    "spec": {"method": "simclr"},
    "window": [-100, 400],
    "network": {"channels": [8, 16], "centre": 0.5},
    "pretraining": {"epochs": 5, "batch_size": 92},
    "seed": 1,
}
PREDICTION = {"encoder": "simclr", "window": [-100, 400], "finetune": {"epochs": 6}, "seed": 1}


@pytest.fixture
def record(tmp_path):
    def write(name, settings):
        path = tmp_path / name
        files.write_json({"device": "cpu", "settings": settings}, path)
        return path

    return write


def test_trainings_with_the_settings_in_force_pass(record):
    consistency.check([record("a.json", ENCODER), record("b.json", PREDICTION)], CONFIG)


@pytest.mark.parametrize(
    ("recorded", "named"),
    [
        (ENCODER | {"pretraining": {"epochs": 4}}, "pretraining.epochs was 4, 5 is in force"),
        (ENCODER | {"window": [-160, 240]}, r"window was \[-160, 240\], \[-100, 400\] is in force"),
        (ENCODER | {"network": {"centre": None}}, "network.centre was None, 0.5 is in force"),
        (PREDICTION | {"finetune": {"epoch": "inner"}}, "finetune.epoch was 'inner', 'last' is"),
    ],
)
def test_a_mixture_is_refused_by_name(record, recorded, named):
    right, wrong = record("right.json", ENCODER), record("wrong.json", recorded)
    with pytest.raises(UserError, match=named) as error:
        consistency.check([right, wrong], CONFIG)
    assert "wrong.json" in str(error.value)
    assert "right.json" not in str(error.value)
    assert "Remove these files" in str(error.value)


def test_keys_that_only_one_side_has_are_not_compared(record):
    older = {key: ENCODER[key] for key in ("window", "seed")} | {"pretraining": {"gone": 1}}
    consistency.check([record("older.json", older)], CONFIG)
    without = record("without.json", {})
    files.write_json({"device": "cpu"}, without)
    consistency.check([without], CONFIG)


def test_a_long_list_is_cut(record):
    wrong = [record(f"{n}.json", ENCODER | {"pretraining": {"epochs": 9}}) for n in range(8)]
    with pytest.raises(UserError, match="- and 3 more\nRemove"):
        consistency.check(wrong, CONFIG)
