import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, data, final_finetune, finetune, trainers
from hepatoclr.learning.augment import Augmentation
from hepatoclr.stats import metrics

NETWORK = {
    **{"channels": (8, 8, 16, 16, 32), "padding": 2, "hidden": 16, "projection": 8},
    "initialisation": "he",  # with which few steps suffice
}
SETTINGS = {
    **{"epochs": 2, "samples_per_epoch": 0, "sampling": "weighted", "batch_size": 8},
    **{"learning_rate": 1e-3, "weight_decay": 1e-3, "optimiser": "adam"},
    **{"epoch": "last", "compile": "auto", "last_layer": "fresh"},
}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Twenty patients of three slices, a positive one brighter, in files as of the workflow."""
    folder = tmp_path_factory.mktemp("finetune")
    rng = np.random.default_rng(0)
    ids = [f"{number:04}" for number in range(20)]
    caches = []
    for number, name in enumerate(ids):
        pixels = rng.integers(-100, 100, (3, 32, 32)) + 200 * (number % 2)
        caches.append(str(folder / f"{name}.b2nd"))
        tensors.write(pixels.astype(np.int16), caches[-1])
    table = pd.DataFrame({"case": ids, "patient_id": ids, "scan_id": "", "label": "x"})
    table = table.assign(target=[0, 1] * 10, included=True, reason="", flags="", liver_ml=1.0)
    cohort_table.write(table, folder / "histo.csv")
    people = table[["patient_id", "target"]]
    splits.write(splits.stratified(people, 5, 1, 1), folder / "split.csv")
    backbone.write(backbone.initialise(1, **NETWORK), folder / "none.safetensors")
    return folder, caches


def tuning(material, **chosen):
    """What both kinds of fine-tuning are made of."""
    folder, caches = material
    return {
        "encoder": "none",
        "weights": folder / "none.safetensors",
        "table": folder / "histo.csv",
        "caches": caches,
        "split": folder / "split.csv",
        "code": ["code@1"],
        "window": (-100, 400),
        "network": NETWORK,
        "augmentation": {},
        "settings": {**SETTINGS, **chosen},
        "trainer": trainers.DEFAULTS,
        **{"seed": 1, "device": "cpu", "threads": 1, "cache": "auto", "memory_mb": 100},
    }


def predict(material, output, folds=(1,), fraction=1.0, **chosen):
    finetune.FineTuning(
        **tuning(material, **chosen),
        folds=list(folds),
        fraction=fraction,
        predictions=output,
        metadata=output.with_suffix(".json"),
    ).run()
    return pd.read_csv(output, dtype={"patient_id": "str"})


def test_folds_hold_their_patients_and_leave_no_checkpoint(material, tmp_path):
    found = predict(material, tmp_path / "all.csv", folds=(1, 2))
    split = splits.read(material[0] / "split.csv").set_index("patient_id")
    assert (split.loc[found["patient_id"], "fold"].to_numpy() == found["fold"]).all()
    assert (split.loc[found["patient_id"], "target"].to_numpy() == found["label"]).all()
    assert len(found) == 8
    assert (found["slices"] == 3).all()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".json"]
    metadata = files.read_json(tmp_path / "all.json")
    assert metadata["encoder"] == "none"
    assert metadata["settings"]["folds"] == [1, 2]
    assert metadata["settings"]["finetune"] == SETTINGS


def test_it_learns_what_can_be_seen(material, tmp_path):
    found = predict(material, tmp_path / "x.csv", folds=(1, 2, 3), epochs=12, learning_rate=3e-3)
    assert metrics.auc(found["label"], found["probability"]) > 0.9
    for number, ending in enumerate(files.read_json(tmp_path / "x.json")["folds"], start=1):
        assert ending["fold"] == number
        assert ending["learned"]
        assert ending["loss"] < 0.5 < ending["chance"] == pytest.approx(np.log(2))
        assert ending["training_balanced_accuracy"] > 0.9


@pytest.mark.parametrize(
    ("given", "kept"), [("last", "last"), ("inner", "inner"), ("best-on-validation", "last")]
)
def test_a_final_network_is_trained_on_all_and_predicts_another_cohort(
    material, tmp_path, given, kept
):
    folder, caches = material
    model, metadata, output = (tmp_path / f"final.{end}" for end in ("safetensors", "json", "csv"))
    chosen = {"epochs": 12, "learning_rate": 3e-3, "epoch": given}
    final_finetune.FinalTuning(**tuning(material, **chosen), model=model, metadata=metadata).run()
    facts = files.read_json(metadata)
    assert (facts["patients"], facts["positive"], facts["learned"]) == (20, 10, True)
    assert facts["settings"]["finetune"]["epoch"] == kept
    assert 0 < facts["threshold"] < 1
    where = {"network": NETWORK, "window": (-100, 400), "device": "cpu", "threads": 1}
    final_finetune.apply_finetuned(
        "none", 1, model, metadata, folder / "histo.csv", caches, output, **where
    )
    found = pd.read_csv(output, dtype={"patient_id": "str"})
    assert len(found) == 20
    assert metrics.auc(found["label"], found["probability"]) > 0.9
    assert found["threshold"].eq(facts["threshold"]).all()


@pytest.mark.parametrize("epoch", ["last", "inner"])
def test_a_fold_that_did_not_learn_says_so(material, tmp_path, caplog, epoch):
    predict(material, tmp_path / "x.csv", epochs=1, learning_rate=0.0, epoch=epoch)
    (ending,) = files.read_json(tmp_path / "x.json")["folds"]
    assert not ending["learned"]
    assert ending["loss"] > 0.67
    assert ("training_balanced_accuracy" in ending) == (epoch == "last")
    assert "none, fold 1, did not learn" in caplog.text


@pytest.mark.parametrize("epoch", ["inner", "best-on-validation"])
def test_the_best_epoch_is_kept(material, tmp_path, monkeypatch, epoch):
    seen = []
    keep = finetune.BestEpoch.on_train_epoch_end

    def watch(self, *given):
        keep(self, *given)
        seen.append((self.auc, set(self.fold.val), set(self.fold.test)))

    monkeypatch.setattr(finetune.BestEpoch, "on_train_epoch_end", watch)
    predict(material, tmp_path / "x.csv", epochs=3, epoch=epoch)
    best, val, test = zip(*seen, strict=True)
    assert list(best) == sorted(best)
    assert (val[0] == test[0]) == (epoch == "best-on-validation")
    assert not (val[0] & test[0]) or epoch == "best-on-validation"


def test_a_killed_choice_of_the_best_epoch_goes_on_where_it_was(material, tmp_path, monkeypatch):
    given = {"epochs": 3, "epoch": "inner", "folds": (1, 2)}
    whole = predict(material, tmp_path / "whole.csv", **given)
    keep, calls = finetune.BestEpoch.on_train_epoch_end, []

    def die(self, *given):
        calls.append(1)
        if len(calls) == 5:
            raise InterruptedError
        keep(self, *given)

    monkeypatch.setattr(finetune.BestEpoch, "on_train_epoch_end", die)
    with pytest.raises(InterruptedError):
        predict(material, tmp_path / "x.csv", **given)
    assert len(list(tmp_path.glob("x.*.checkpoints/fold*/last.ckpt"))) == 2
    pd.testing.assert_frame_equal(predict(material, tmp_path / "x.csv", **given), whole)
    kept = [files.read_json(tmp_path / f"{name}.json")["folds"] for name in ("whole", "x")]
    assert kept[0] == kept[1]
    assert len(calls) == 7  # of six epochs the fifth was begun twice, the first four once
    assert not list(tmp_path.glob("x.*.checkpoints"))


@pytest.mark.parametrize("sampling", ["patients", "uniform"])
def test_a_small_share_is_one_batch(material, tmp_path, sampling):
    found = predict(
        material, tmp_path / "x.csv", fraction=0.4, batch_size=92, sampling=sampling, epochs=1
    )
    assert (found["fraction"] == 0.4).all()


@pytest.mark.parametrize("last_layer", ["fresh", "pretrained"])
def test_the_last_layer_starts_as_it_is_told_and_the_rest_from_the_encoder(material, last_layer):
    pretrained = backbone.initialise(9, **NETWORK)
    backbone.write(pretrained, material[0] / "other.safetensors")
    net = finetune.start(material[0] / "other.safetensors", NETWORK, 1, last_layer)
    assert torch.equal(net.shared[0].weight, pretrained.shared[0].weight)
    assert torch.equal(net.backbone.blocks[0].weight, pretrained.backbone.blocks[0].weight)
    expected = {"fresh": backbone.initialise(1, **NETWORK), "pretrained": pretrained}[last_layer]
    assert torch.equal(net.classifier.weight, expected.classifier.weight)
    assert torch.equal(net.classifier.bias, expected.classifier.bias)


def test_the_baseline_has_one_last_layer_whatever_is_told(material, tmp_path):
    fresh, pretrained = (
        predict(material, tmp_path / f"{last_layer}.csv", epochs=1, last_layer=last_layer)
        for last_layer in ("fresh", "pretrained")
    )
    pd.testing.assert_frame_equal(fresh, pretrained)


def test_training_never_sees_the_test_patients(material):
    folder, caches = material
    cases, used = data.trainable_cases([cohort_table.read(folder / "histo.csv")], caches)
    slices = data.collect(used, (-100, 400))
    fold = finetune.Fold(cases, slices, splits.read(folder / "split.csv"), 3, 1.0, SETTINGS, 1)
    seen = []
    fetch = data.Slices.fetch

    class Watched(data.Slices):
        def fetch(self, indices, *place):
            seen.extend(cases["patient_id"].to_numpy()[self.case[indices]])
            return fetch(self, indices, *place)

    fold.slices = Watched(slices.caches, slices.case, slices.place, slices.window)
    net = backbone.initialise(1, **NETWORK)
    fold.fit(net, Augmentation(), torch.device("cpu"), trainers.DEFAULTS, None)
    assert seen
    assert not set(seen) & set(fold.test)


def test_only_the_leaky_epoch_is_marked(material, tmp_path):
    assert "leaky" not in predict(material, tmp_path / "inner.csv", epoch="inner", epochs=1)
    leaky = predict(material, tmp_path / "leaky.csv", epoch="best-on-validation", epochs=1)
    assert leaky["leaky"].eq(1).all()


def test_the_threshold_is_youdens_on_training_patients_held_out_where_there_are(
    material, tmp_path, monkeypatch
):
    asked, youden = [], finetune.predictions.youden

    def watch(known, targets):
        asked.append(set(known["patient_id"]))
        return youden(known, targets)

    monkeypatch.setattr(finetune.predictions, "youden", watch)
    inner = predict(material, tmp_path / "inner.csv", epoch="inner", epochs=1)
    last = predict(material, tmp_path / "last.csv", epochs=1)
    for found, known, number in zip((inner, last), asked, (4, 16), strict=True):
        assert len(known) == number  # a fifth of sixteen training patients, rounded up; all
        assert not known & set(found["patient_id"])
        assert found["threshold"].nunique() == 1
        assert found["threshold"].iloc[0] != 0.5
