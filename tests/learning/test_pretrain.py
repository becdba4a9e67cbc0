"""A pretraining writes its encoder once: from the same contents it is not trained a second time."""

import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table
from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, module, pretrain, trainers

NETWORK = {"channels": [4, 4, 8, 8, 16], "hidden": 8, "projection": 8}
SETTINGS = {
    **{"temperature": 0.1, "nt_xent": "mean", "epochs": 1, "samples_per_epoch": 16},
    **{"sampling": "weighted", "batch_size": 8, "learning_rate": 1e-3, "weight_decay": 1e-4},
    **{"optimiser": "adam", "compile": "auto"},
}


@pytest.fixture
def material(tmp_path):
    """A cohort of six patients, the last of them excluded."""
    rng, ids = np.random.default_rng(0), [f"{number:04}" for number in range(6)]
    caches = [str(tmp_path / "tensors" / f"{name}.b2nd") for name in ids]
    for path in caches:
        tensors.write(rng.integers(-100, 400, (3, 32, 32)).astype(np.int16), path)
    table = pd.DataFrame({"case": ids, "patient_id": ids, "scan_id": "", "label": "x"})
    table = table.assign(target=[0, 1] * 3, included=[True] * 5 + [False], reason="", flags="")
    cohort_table.write(table, tmp_path / "radio.csv")
    return tmp_path, table, caches


@pytest.fixture
def trainings(monkeypatch):
    """How often something was trained."""
    count, fit = [], module.fit
    monkeypatch.setattr(module, "fit", lambda *a, **k: count.append(1) or fit(*a, **k))
    return count


def run(material, **changed):
    folder, _, caches = material
    given = {
        **{"spec": {"method": "weak_simclr", "beta": 0.5}, "cohorts": [folder / "radio.csv"]},
        **{"caches": caches, "code": ["code@1"], "window": (-100, 400), "network": NETWORK},
        **{"augmentation": {}, "settings": SETTINGS, "trainer": trainers.DEFAULTS, "seed": 1},
        **{"device": "cpu", "threads": 1, "cache": "auto", "memory_mb": 100},
        "logs": folder / "logs",
        "encoder": folder / "out/encoder.safetensors",
        "history": folder / "out/history.csv",
        "metadata": folder / "out/metadata.json",
    }
    pretrain.Pretraining(**{**given, **changed}).run()


def test_it_writes_encoder_history_and_settings_in_force(material):
    run(material)
    out = material[0] / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        *("encoder.safetensors", "history.csv", "metadata.json")
    ]
    assert list((material[0] / "logs").glob("events.*"))
    backbone.read(out / "encoder.safetensors", NETWORK)
    assert pd.read_csv(out / "history.csv")["epoch"].tolist() == [1]
    found = files.read_json(out / "metadata.json")
    assert (found["method"], found["beta"], found["patients"]) == ("weak_simclr", 0.5, 5)
    assert 1 < found["patients_per_batch"] <= 5
    assert 0 < found["positive_share"] < 1
    settings = found["settings"]
    assert settings["pretraining"] == SETTINGS
    assert settings["spec"] == {"method": "weak_simclr", "beta": 0.5}
    assert settings["seed"] == 1
    assert sorted(found["sha256"]) == ["encoder.safetensors", "history.csv"]


@pytest.mark.parametrize(("rate", "learned"), [(0.0, False), (3e-3, True)])
def test_it_says_whether_it_learned(material, caplog, rate, learned):
    for number, path in enumerate(material[2]):  # positive patients are brighter
        pixels = np.random.default_rng(number).integers(-100, 100, (3, 32, 32))
        tensors.write((pixels + 200 * (number % 2)).astype(np.int16), path)
    network = {**NETWORK, "padding": 2, "initialisation": "he"}
    spec = {"method": "supervised"}
    settings = {**SETTINGS, "epochs": 12, "samples_per_epoch": 24, "learning_rate": rate}
    _, found, history = made(material, spec=spec, network=network, settings=settings)
    assert found["loss"] == history["loss"].iloc[-1]
    assert found["chance"] == pytest.approx(np.log(2))
    assert found["learned"] is learned
    assert ("supervised did not learn" in caplog.text) is not learned


def rewrite_tensor(path, change):
    pixels = np.array(tensors.load(path)[:])
    pixels.flat[7] += change
    tensors.write(pixels, path)


def edit_table(material, **columns):
    cohort_table.write(material[1].assign(**columns), material[0] / "radio.csv")


@pytest.mark.parametrize(
    ("change", "trained"),
    [
        (lambda it: None, False),
        (lambda it: rewrite_tensor(it[2][0], 0), False),
        (lambda it: edit_table(it, reason="a remark", flags="oblique"), False),
        (lambda it: rewrite_tensor(it[2][5], 1), False),
        (lambda it: rewrite_tensor(it[2][0], 1), True),
        (lambda it: edit_table(it, target=[1, 0] * 3), True),
        (lambda it: edit_table(it, included=True), True),
        (lambda it: files.write_text("x", it[0] / "out/history.csv"), True),
        (lambda it: files.write_text("{", it[0] / "out/metadata.json"), True),
        (lambda it: (it[0] / "out/encoder.safetensors").unlink(), True),
    ],
    ids=[
        *("nothing", "tensor written anew", "remark", "tensor of an excluded case"),
        *("tensor", "target", "included", "edited", "damaged", "deleted"),
    ],
)
def test_what_is_made_from_the_same_is_not_trained_a_second_time(
    material, trainings, change, trained
):
    run(material)
    change(material)
    run(material)
    assert len(trainings) == 1 + trained


@pytest.mark.parametrize(
    ("changed", "trained"),
    [
        ({"logs": "elsewhere", "threads": 2, "cache": "disk", "memory_mb": 5}, False),
        ({"trainer": {**trainers.DEFAULTS, "logger": "csv"}}, False),
        ({"code": ["code@2"]}, True),
        ({"seed": 2}, True),
        ({"settings": {**SETTINGS, "epochs": 2}}, True),
        ({"trainer": {**trainers.DEFAULTS, "gradient_clip_val": 1}}, True),
        ({"augmentation": {"cutout": 0.5}}, True),
    ],
)
def test_other_code_and_settings_train(material, trainings, changed, trained):
    run(material)
    run(material, **changed)
    assert len(trainings) == 1 + trained


def test_a_killed_pretraining_goes_on_and_a_changed_one_begins(material, monkeypatch):
    def killed(*_):
        raise InterruptedError

    monkeypatch.setattr(backbone, "write", killed)
    for changed in ({}, {"seed": 2}):
        with pytest.raises(InterruptedError):
            run(material, **changed)
    (left,) = (material[0] / "out").glob("encoder.*.checkpoints/last.ckpt")
    kept = torch.load(left, weights_only=True)["callbacks"]["History"]["lines"]
    monkeypatch.undo()
    run(material, seed=2)
    history = pd.read_csv(material[0] / "out/history.csv")
    assert history["seconds"].tolist() == [line["seconds"] for line in kept]


HALF = [0, 1, pd.NA, pd.NA, pd.NA, 1]


def made(material, **changed):
    run(material, **changed)
    out = material[0] / "out"
    found = files.read_json(out / "metadata.json")
    return (out / "encoder.safetensors").read_bytes(), found, pd.read_csv(out / "history.csv")


def test_weak_simclr_trains_on_patients_without_a_weak_label(material):
    edit_table(material, target=pd.array(HALF, dtype="Int64"))
    _, found, history = made(material, settings={**SETTINGS, "epochs": 3})
    assert (found["patients"], found["labelled"]) == (5, 2)
    assert 0 < found["labelled_share"] < 1
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(
    "spec", [{"method": "supervised"}, {"method": "weak_simclr", "beta": 1}], ids=str
)
def test_supervised_pretraining_is_that_without_the_unlabelled_patients(material, spec):
    edit_table(material, target=pd.array(HALF, dtype="Int64"))
    weights, found, history = made(material, spec=spec)
    assert (found["patients"], found["labelled"]) == (2, 2)
    assert "labelled_share" not in found
    (material[0] / "out/metadata.json").unlink()
    edit_table(material, included=[True] * 2 + [False] * 4)
    again, _, expected = made(material, spec=spec)
    assert weights == again
    assert history["loss"].tolist() == expected["loss"].tolist()


@pytest.mark.parametrize("method", ["simclr", "supcon"])
def test_contrastive_pretraining_uses_the_unlabelled_patients(material, method):
    edit_table(material, target=pd.array(HALF, dtype="Int64"))
    _, found, history = made(material, spec={"method": method})
    assert (found["patients"], found["labelled"], found["slices"]) == (5, 2, 15)
    assert np.isfinite(history["loss"]).all()
