"""Each method knows the loss of a network that maps all slices to one vector."""

import math
import re
from pathlib import Path

import pytest
import torch

from hepatoclr.learning import finetune, module
from hepatoclr.learning.methods import base as methods

LABELS = {
    "balanced": [0, 1] * 4,
    "one class": [1] * 8,
    "half unlabelled": [0, 1, -1, -1] * 2,
}


class EqualFeatures:
    """A network whose outputs do not depend on the slices."""

    def classify(self, images):
        return torch.full((len(images), 2), 0.3)

    def project(self, images):
        return torch.tensor([0.5, -1.0, 2.0]).expand(len(images), 3)


def loss(method, labels):
    views = {name: torch.rand(len(labels), 1, 4, 4) for name in method.views}
    return float(method.loss(EqualFeatures(), views, torch.tensor(labels)))


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("settings", [{}, {"nt_xent": "sum"}, {"temperature": 0.5}], ids=str)
@pytest.mark.parametrize(
    ("name", "beta"),
    [("supervised", 0.5), ("simclr", 0.5), ("supcon", 0.5)]
    + [("weak_simclr", beta) for beta in (0, 0.2, 0.5, 1)],
)
def test_chance_is_the_loss_of_equal_features(name, beta, settings, labels):
    method = methods.load(name, beta=beta, **settings)
    assert method.chance(8) == pytest.approx(loss(method, labels), abs=1e-5)


def test_chance_by_hand():
    chance = {name: methods.load(name).chance(92) for name in ("supervised", "simclr", "supcon")}
    assert chance["supervised"] == pytest.approx(0.693147, abs=1e-6)
    assert chance["simclr"] == chance["supcon"] == pytest.approx(math.log(183))
    mixed = methods.load("weak_simclr", beta=0.2, nt_xent="sum").chance(92)
    assert mixed == pytest.approx(0.2 * math.log(2) + 0.8 * 2 * math.log(183))


def test_the_example_of_the_docs_knows_its_chance():
    text = (Path(__file__).parents[2] / "docs/extending.md").read_text(encoding="utf-8")
    (code,) = (part for part in re.findall(r"```python\n(.*?)```", text, re.S) if "METHOD" in part)
    made = {}
    exec(code, made)  # noqa: S102 - our own page
    method = made["METHOD"]()
    assert method.chance(8) == pytest.approx(loss(method, LABELS["balanced"]), abs=1e-5)


def test_fine_tuning_has_the_chance_of_two_classes():
    method = finetune.Classification()
    assert method.chance(8) == pytest.approx(loss(method, LABELS["balanced"]), abs=1e-5)


def test_a_method_must_say_its_chance():
    class Silent(methods.Method):
        views = ("first",)

        def loss(self, network, views, labels):
            return torch.zeros(())

    with pytest.raises(TypeError, match="chance"):
        Silent()


@pytest.mark.parametrize(
    ("last", "chance", "learned"),
    [(0.97, 1.0, True), (0.985, 1.0, False), (1.2, 1.0, False), (-0.1, 0.0, True)]
    + [(0.0, 0.0, False), (-0.99, -1.0, False), (-1.03, -1.0, True)],
)
def test_a_training_learned_that_ends_clearly_below_chance(last, chance, learned, caplog):
    history = [{"loss": -9.0}, {"loss": last}]
    ending = module.ending("simclr", history, chance)
    assert ending == {"loss": last, "chance": chance, "learned": learned}
    assert ("simclr did not learn" in caplog.text) is not learned
