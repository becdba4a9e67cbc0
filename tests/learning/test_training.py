"""The training loop and the methods in it: repeatable, resumable, and equal where they must be."""

import logging
import os
import shutil

import faults
import numpy as np
import pandas as pd
import pytest
import torch

from hepatoclr.base.errors import UserError
from hepatoclr.imaging import tensors
from hepatoclr.learning import backbone, data, training
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import registry

NETWORK = {"channels": (8, 8, 16, 16, 32), "hidden": 16, "projection": 8}


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


def train(slices, name="simclr", epochs=2, state=None, rate=1e-3, batch_size=8, how=(), **spec):
    cases = pd.DataFrame({"patient_id": list("abcdefgh"), "target": [0, 1] * 4})
    settings = {"sampling": "weighted", "samples_per_epoch": 24}
    network = backbone.initialise(1, **NETWORK)
    history = training.fit(
        network,
        registry.load(name, **spec),
        slices,
        data.sampler(cases, slices, np.arange(len(slices)), settings, 1),
        Augmentation(),
        training.Recipe(epochs, batch_size, rate, 1e-4, "adam", *(how or ["auto"])),
        torch.device("cpu"),
        1,
        state,
    )
    return network, history


def timeless(history):
    """A history without how long its epochs took."""
    return [{key: line[key] for key in line if key != "seconds"} for line in history]


def equal(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_the_same_seed_gives_the_same_weights(slices):
    first, history = train(slices)
    second, again = train(slices)
    assert equal(first, second)
    assert timeless(history) == timeless(again)
    assert [line["epoch"] for line in history] == [1, 2]
    assert history[0]["samples"] == 24


def test_weak_simclr_takes_the_steps_of_its_ends(slices):
    assert equal(train(slices, "weak_simclr", beta=0)[0], train(slices, "simclr")[0])
    assert equal(train(slices, "weak_simclr", beta=1)[0], train(slices, "supervised")[0])


def test_weak_simclr_between_is_the_weighted_sum(slices):
    network = backbone.initialise(1, **NETWORK)
    images = slices.fetch(np.arange(8))
    views = {"first": images, "second": images.flip(-1), "weak": images.flip(-2)}
    labels = torch.tensor([0, 1] * 4)
    term = {
        name: registry.load(name).loss(network, views, labels) for name in ("simclr", "supervised")
    }
    found = registry.load("weak_simclr", beta=0.2).loss(network, views, labels)
    assert torch.allclose(found, 0.2 * term["supervised"] + 0.8 * term["simclr"])


@pytest.mark.parametrize("name", ["supervised", "simclr", "supcon", "weak_simclr"])
def test_every_method_moves_the_backbone(slices, name):
    trained, history = train(slices, name, epochs=1)
    fresh = backbone.initialise(1, **NETWORK)
    for before, after in zip(
        fresh.backbone.parameters(), trained.backbone.parameters(), strict=True
    ):
        assert not torch.equal(before, after)
    assert np.isfinite(history[0]["loss"])


def test_supervised_learns_what_can_be_seen(slices):
    network, history = train(slices, "supervised", epochs=60, rate=3e-3, batch_size=24)
    odds = training.probabilities(network, slices, torch.device("cpu"))
    assert history[-1]["loss"] < history[0]["loss"]
    assert odds[slices.case % 2 == 1].min() > odds[slices.case % 2 == 0].max()


class Killed(Exception):
    pass


def test_a_killed_run_resumes_to_the_same_weights(slices, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    whole, history = train(slices, epochs=4)
    state, save = tmp_path / "x.state", training._Steps.save

    def save_twice(steps, path, history):
        save(steps, path, history)
        if len(history) == 2:
            raise Killed

    monkeypatch.setattr(training._Steps, "save", save_twice)
    with pytest.raises(Killed):
        train(slices, epochs=4, state=state)
    monkeypatch.setattr(training._Steps, "save", save)
    resumed, again = train(slices, epochs=4, state=state)
    assert equal(whole, resumed)
    assert timeless(again) == timeless(history)
    assert "continuing after epoch 2" in caplog.text


def test_a_loss_that_is_not_finite_stops_with_what_to_change(slices):
    with pytest.raises(UserError, match="loss is nan in epoch 1; lower learning_rate"):
        train(slices, "supervised", rate=1e30)


def test_a_loss_that_is_not_finite_leaves_the_last_good_state(slices, tmp_path, monkeypatch):
    state = tmp_path / "x.state"
    train(slices, epochs=2, state=state)
    good = torch.load(state)
    images = data.Slices.fetch
    monkeypatch.setattr(data.Slices, "fetch", lambda *given: images(*given) * torch.nan)
    with pytest.raises(UserError, match=r"nan in epoch 3.*the state after epoch 2 is kept in .*x"):
        train(slices, epochs=4, state=state)
    left = torch.load(state)
    assert [line["epoch"] for line in left["history"]] == [1, 2]
    assert all(
        torch.equal(left["network"][name], good["network"][name]) for name in good["network"]
    )


@pytest.mark.parametrize("residence", ["memory", "device", "auto"])
def test_where_slices_are_kept_changes_nothing(slices, caches, residence):
    kept = data.collect(caches, (-100, 400), residence, memory_mb=1)
    assert kept.resident is not None
    assert equal(train(kept)[0], train(slices)[0])


def test_bfloat16_is_near_float32(slices):
    exact, half = (
        train(slices, "weak_simclr", how=[number])[1] for number in ("float32", "bfloat16")
    )
    for one, other in zip(exact, half, strict=True):
        assert one["loss"] != other["loss"]
        assert one["loss"] == pytest.approx(other["loss"], rel=0.05)


@pytest.mark.skipif(not shutil.which("g++"), reason="compiling needs a C++ compiler (g++)")
def test_compiled_training_takes_the_steps_of_an_eager_one(slices):
    (eager, history), (compiled, again) = (
        train(slices, "weak_simclr", epochs=1, how=["auto", how]) for how in ("never", "always")
    )
    assert history[0]["loss"] == pytest.approx(again[0]["loss"], rel=1e-5)
    for one, other in zip(eager.parameters(), compiled.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    assert "forward" not in vars(compiled.backbone)


def test_facts_tell_how_a_training_ran():
    settings = {
        **{"epochs": 1, "batch_size": 2, "learning_rate": 1e-3, "weight_decay": 0},
        **{"optimiser": "adam", "precision": "auto", "compile": "auto"},
    }
    found = training.facts(settings, torch.device("cpu"))
    assert found == {"device": "cpu", "precision": "float32", "compiled": False}


@pytest.mark.parametrize("damage", [faults.truncated, faults.flipped])
def test_a_damaged_state_is_not_continued(slices, tmp_path, damage):
    state = tmp_path / "x.state"
    train(slices, epochs=1, state=state)
    damage(state, state.read_bytes())
    with pytest.raises(UserError, match=r"damaged, or changed since .*x\.state\. Moved to"):
        train(slices, epochs=2, state=state)
    assert not state.exists()
    assert (tmp_path / "x.state.damaged").exists()
    _, history = train(slices, epochs=2, state=state)
    assert [line["epoch"] for line in history] == [1, 2]


def test_states_are_kept_apart(tmp_path):
    cache = tmp_path / "a.b2nd"
    cache.write_bytes(b"x")
    output = tmp_path / "encoder.safetensors"
    state = training.state_file(output, [{"beta": 0.5}], [str(cache)])
    assert training.state_file(output, [{"beta": 0.4}], [str(cache)]) != state
    assert training.state_file(output, [{"beta": 0.5}], [str(cache)]) == state
    cache.write_bytes(b"xy")
    assert training.state_file(output, [{"beta": 0.5}], [str(cache)]) != state
    os.utime(cache, (1, 1))
    assert training.state_file(output, [{"beta": 0.5}], [str(cache)]) != state
    cache.write_bytes(b"x")
    assert training.state_file(output, [{"beta": 0.5}], [str(cache)]) == state
    state.touch()
    training.remove_states(output, but=[state])
    assert state.exists()
    training.remove_states(output)
    assert not state.exists()


def test_a_training_that_has_ended_is_not_done_again(tmp_path):
    output, other = tmp_path / "encoder.safetensors", tmp_path / "history.csv"
    state = training.state_file(output, [1], [])
    state.touch()
    for path in (output, other):
        path.write_text("made")
        os.utime(path, (1, 1))
    assert not training.finished(state, [output, other])
    training.finish(state, [output, other])
    assert not state.exists()
    assert training.finished(state, [output, other])
    assert output.stat().st_mtime > 1
    assert not training.finished(training.state_file(output, [2], []), [output, other])
    other.write_text("edited")
    assert not training.finished(state, [output, other])
    other.unlink()
    assert not training.finished(state, [output, other])


def test_the_learning_rate_decays_along_a_cosine():
    rates = [training._cosine(2.0, progress) for progress in (0, 0.5, 1)]
    assert rates == pytest.approx([2.0, 1.0, 0.0])
