"""Training by Lightning: the steps of a plain loop, repeatable, and equal where they must be."""

import logging
import shutil
from contextlib import suppress

import faults
import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, checkpoints, data, module, trainers
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import base as methods

NETWORK = {
    **{"channels": (8, 8, 16, 16, 32), "hidden": 16, "projection": 8},
    "initialisation": "he",  # with which few steps suffice
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """Eight patients; a positive one has a bright lower half."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(8):
        pixels = rng.integers(-100, 200, (6, 32, 32)).astype(np.int16)
        pixels[:, 16:] += 200 * (number % 2)
        paths.append(str(tmp_path_factory.mktemp("cache") / f"{number}.b2nd"))
        tensors.write(pixels, paths[-1])
    return paths


@pytest.fixture(scope="module")
def slices(caches):
    return data.collect(caches, (-100, 400))


LABELLED, HALF_LABELLED = [0, 1] * 4, [0, 1, 0, 1, None, None, None, None]


def sampler(slices, targets=LABELLED):
    cases = pd.DataFrame({"patient_id": list("abcdefgh")})
    cases["target"] = pd.array(targets, dtype="Int64")
    settings = {"sampling": "weighted", "samples_per_epoch": 24}
    return data.sampler(cases, slices, np.arange(len(slices)), settings, 1)


def train(slices, name="simclr", epochs=2, rate=1e-3, batch_size=8, compiled="auto", **given):
    spec = {key: given.pop(key) for key in ("beta",) if key in given}
    chosen = {key: given.pop(key) for key in trainers.DEFAULTS if key in given}
    draws = sampler(slices, given.pop("targets", LABELLED))
    network = backbone.initialise(1, **NETWORK)
    history = module.fit(
        network,
        methods.load(name, **spec),
        slices,
        draws,
        Augmentation(),
        module.OptimiserConfig(epochs, batch_size, rate, 1e-4, "adam", compiled),
        CPU,
        1,
        trainer={**trainers.DEFAULTS, **chosen},
        **given,
    )
    return network, history


def timeless(history):
    """A history without how long its epochs took."""
    return [{key: line[key] for key in line if key != "seconds"} for line in history]


def equal(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_weights_are_those_of_a_plain_loop(slices):
    network, method = backbone.initialise(1, **NETWORK), methods.load("weak_simclr")
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-4, fused=True)
    draws, step, losses = sampler(slices), 0, []
    for epoch in range(3):
        for batch in draws.batches(epoch, 8):
            optimiser.param_groups[0]["lr"] = 1e-3 * float(1 + np.cos(np.pi * step / 9)) / 2
            keys = [module.key(1, step, name) for name in method.views]
            views = Augmentation()(slices.fetch(batch), keys)
            named = dict(zip(method.views, views, strict=True))
            loss = method.loss(network, named, torch.from_numpy(draws.target[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss))
            step += 1
    found, history = train(slices, "weak_simclr", epochs=3)
    assert equal(found, network)
    assert [line["epoch"] for line in history] == [1, 2, 3]
    assert {line["samples"] for line in history} == {24}
    assert history[-1]["loss"] == pytest.approx(np.mean(losses[-3:]))
    rate = optimiser.param_groups[0]["lr"]
    assert history[-1]["learning_rate"] == pytest.approx(rate)


def test_weak_simclr_takes_the_steps_of_its_ends(slices):
    assert equal(train(slices, "weak_simclr", beta=0)[0], train(slices, "simclr")[0])
    assert equal(train(slices, "weak_simclr", beta=1)[0], train(slices, "supervised")[0])
    half = {"targets": HALF_LABELLED}
    assert equal(train(slices, "weak_simclr", beta=0, **half)[0], train(slices, **half)[0])


@pytest.mark.parametrize("name", ["simclr", "supcon", "weak_simclr"])
def test_slices_without_a_weak_label_are_contrasted(slices, name):
    assert methods.load(name).uses_unlabelled
    network, history = train(slices, name, epochs=3, targets=HALF_LABELLED)
    assert np.isfinite([line["loss"] for line in history]).all()
    # every patient is as likely as before, and SimCLR looks at no label
    assert equal(network, train(slices, name, epochs=3)[0]) == (name == "simclr")


def test_what_classifies_alone_uses_no_unlabelled_slices():
    assert not methods.load("supervised").uses_unlabelled
    assert not methods.load("weak_simclr", beta=1).uses_unlabelled


def test_the_weak_term_is_of_the_labelled_slices(slices):
    network = backbone.initialise(1, **NETWORK)
    images = slices.fetch(np.arange(8))
    views = {"first": images, "second": images.flip(-1), "weak": images.flip(-2)}
    labels, none = torch.tensor([0, 1, -1, -1] * 2), torch.full((8,), -1)
    simclr = methods.load("simclr").loss(network, views, labels)
    known = {"weak": views["weak"][labels >= 0]}
    weak = methods.load("supervised").loss(network, known, labels[labels >= 0])
    method = methods.load("weak_simclr", beta=0.2)
    found = method.loss(network, views, labels)
    assert torch.allclose(found, 0.2 * weak + 0.8 * simclr)
    assert torch.equal(method.loss(network, views, none), 0.8 * simclr)


def test_weak_simclr_between_is_the_weighted_sum(slices):
    network = backbone.initialise(1, **NETWORK)
    images = slices.fetch(np.arange(8))
    views = {"first": images, "second": images.flip(-1), "weak": images.flip(-2)}
    labels = torch.tensor([0, 1] * 4)
    term = {
        name: methods.load(name).loss(network, views, labels) for name in ("simclr", "supervised")
    }
    found = methods.load("weak_simclr", beta=0.2).loss(network, views, labels)
    assert torch.allclose(found, 0.2 * term["supervised"] + 0.8 * term["simclr"])


@pytest.mark.parametrize("name", ["supervised", "simclr", "supcon", "weak_simclr"])
def test_every_method_moves_the_backbone(slices, name):
    trained, history = train(slices, name, epochs=1)
    fresh = backbone.initialise(1, **NETWORK)
    for before, after in zip(
        fresh.backbone.parameters(), trained.backbone.parameters(), strict=True
    ):
        assert not torch.equal(before, after)
    classifies = name in ("supervised", "weak_simclr")
    assert torch.equal(fresh.classifier.weight, trained.classifier.weight) != classifies
    assert np.isfinite(history[0]["loss"])


def test_supervised_learns_what_can_be_seen(slices):
    network, history = train(slices, "supervised", epochs=60, rate=3e-3, batch_size=24)
    odds = module.probabilities(network, slices, CPU)
    assert history[-1]["loss"] < history[0]["loss"]
    assert odds[slices.case % 2 == 1].min() > odds[slices.case % 2 == 0].max()


def test_batches_can_be_accumulated_limited_and_gradients_clipped(slices):
    whole, history = train(slices, "supervised", batch_size=4, accumulate_grad_batches=6)
    one, other = train(slices, "supervised", batch_size=4)
    assert len(history) == len(other) == 2
    assert history[-1]["learning_rate"] == pytest.approx(1e-3 / 2)  # the second of two steps
    assert history[0]["loss"] == pytest.approx(other[0]["loss"], rel=0.1)
    assert not equal(whole, one)
    assert not equal(train(slices, "supervised", batch_size=4, gradient_clip_val=1e-4)[0], one)
    train(slices, "supervised", epochs=1, precision="bf16-mixed", gradient_clip_val=0.1)
    for limit in (0.5, 3):
        _, history = train(slices, "supervised", batch_size=4, limit_train_batches=limit)
        assert {line["samples"] for line in history} == {12}
        assert history[0]["learning_rate"] > history[1]["learning_rate"] > 0


def test_a_loss_that_is_not_finite_stops_with_what_to_change(slices):
    with pytest.raises(UserError, match="loss is nan in epoch 1; lower learning_rate"):
        train(slices, "supervised", rate=1e30)


def test_a_loss_that_is_not_finite_leaves_the_last_good_state(slices, tmp_path, monkeypatch):
    train(slices, epochs=2, checkpoints=tmp_path)
    good = torch.load(tmp_path / "last.ckpt", weights_only=True)
    images = data.Slices.fetch
    monkeypatch.setattr(data.Slices, "fetch", lambda *given: images(*given) * torch.nan)
    with pytest.raises(UserError, match=r"nan in epoch 3.*the state after epoch 2 is kept in .*"):
        train(slices, epochs=4, checkpoints=tmp_path)
    left = torch.load(tmp_path / "last.ckpt", weights_only=True)
    weights = left["state_dict"]
    assert all(torch.equal(weights[name], good["state_dict"][name]) for name in weights)


@pytest.mark.parametrize("cache", ["ram", "gpu", "auto"])
def test_where_slices_are_kept_changes_nothing(slices, caches, cache):
    kept = data.collect(caches, (-100, 400), cache, memory_mb=1)
    assert kept.resident is not None
    assert equal(train(kept)[0], train(slices)[0])


def test_bfloat16_is_near_float32(slices):
    exact, half = (
        train(slices, "weak_simclr", precision=number)[1] for number in ("32-true", "bf16-mixed")
    )
    for one, other in zip(exact, half, strict=True):
        assert one["loss"] != other["loss"]
        assert one["loss"] == pytest.approx(other["loss"], rel=0.05)


@pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs a C++ compiler (g++)")
def test_compiled_training_takes_the_steps_of_an_eager_one(slices):
    (eager, history), (compiled, compiled_history) = (
        train(slices, "weak_simclr", epochs=1, compiled=how) for how in ("never", "always")
    )
    assert history[0]["loss"] == pytest.approx(compiled_history[0]["loss"], rel=1e-5)
    for one, other in zip(eager.parameters(), compiled.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert "forward" not in vars(compiled.backbone)


@pytest.mark.parametrize(("kind", "file"), [("csv", "metrics.csv"), ("tensorboard", "events.*")])
def test_lightnings_logger_has_the_history(slices, tmp_path, kind, file):
    train(slices, logs=tmp_path, logger=kind)
    assert list(tmp_path.glob(file))


def test_a_logger_that_is_not_installed_is_said(slices, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "pytorch_lightning.loggers.WandbLogger.__init__",
        lambda *_, **__: (_ for _ in ()).throw(ModuleNotFoundError("No module named 'wandb'")),
    )
    with pytest.raises(UserError, match="trainer.logger is wandb, which is not installed"):
        train(slices, logs=tmp_path, logger="wandb")


def test_facts_say_how_a_training_ran():
    config = module.OptimiserConfig(1, 2, 1e-3, 0, "adam")
    found = module.facts(config, trainers.DEFAULTS, CPU)
    assert found == {"device": "cpu", "precision": "32-true", "compiled": False}


@pytest.mark.parametrize("damage", [faults.truncated, faults.flipped])
def test_a_damaged_checkpoint_is_noticed_and_training_starts_anew(slices, tmp_path, damage, caplog):
    last = tmp_path / "last.ckpt"
    train(slices, epochs=1, checkpoints=tmp_path)
    damage(last, last.read_bytes())
    found, history = train(slices, epochs=2, checkpoints=tmp_path)
    assert "last.ckpt is damaged; training starts anew" in caplog.text
    assert [line["epoch"] for line in history] == [1, 2]
    assert equal(found, train(slices, epochs=2)[0])


def test_an_ended_training_is_read_from_its_checkpoint(slices, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first, history = train(slices, checkpoints=tmp_path)
    second, same = train(slices, checkpoints=tmp_path)
    assert equal(first, second)
    assert history == same
    assert "continuing after epoch 2" in caplog.text


def test_checkpoints_are_kept_apart_and_removed_at_the_end(tmp_path):
    output = tmp_path / "encoder.safetensors"

    def left(key):
        with suppress(InterruptedError), checkpoints.beside(output, key) as folder:
            folder.mkdir(exist_ok=True)
            raise InterruptedError
        return folder

    old, new = left("a" * 64), left("b" * 64)
    assert not old.exists()
    assert left("b" * 64) == new
    with checkpoints.beside(output, "b" * 64):
        assert new.exists()
    assert not list(tmp_path.iterdir())


def test_batches_that_cannot_be_shared_and_missing_gpus_are_said(slices, monkeypatch):
    with pytest.raises(UserError, match="batch_size 9 cannot be shared evenly by 2 processes"):
        train(slices, batch_size=9, devices=2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match="devices is 4, but there are 1 GPUs"):
        trainers.check({**trainers.DEFAULTS, "devices": 4}, torch.device("cuda", 0), 8)


def test_a_share_of_less_than_a_batch_is_refused():
    assert trainers.updates(10, trainers.DEFAULTS | {"limit_train_batches": 0.1}) == 1
    with pytest.raises(UserError, match="limit_train_batches: 0.01 of 10 batches is none"):
        trainers.updates(10, trainers.DEFAULTS | {"limit_train_batches": 0.01})
