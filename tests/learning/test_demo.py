"""The demo's trainings learn: their losses end below chance, and they tell their own slices."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch.nn.functional import normalize

from benchmarks import ours
from hepatoclr.learning import experiment, module

CONFIG = ours.config(ours.DEMO)
SPECS = experiment.pretrained(
    **{key: CONFIG["experiment"][key] for key in ("methods", "betas", "beta")}
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    ours.demo_cohorts(folder, ["radio"])
    return ours.Cohort(folder, "radio")


def targets(cohort):
    """Weak label of each slice."""
    return cohort.cases["target"].to_numpy()[cohort.slices.case]


def classified(net, cohort):
    """Balanced accuracy of the classes; chance is 0.5."""
    found = module.probabilities(net, cohort.slices, ours.CPU) >= 0.5
    return balanced_accuracy_score(targets(cohort), found)


@torch.inference_mode()
def nearest(net, batches, owner):
    """For each image the one whose projection is nearest, of those that another owner has."""
    vectors = normalize(torch.cat([net.project(batch) for batch in batches])).numpy()
    near = vectors @ vectors.T
    near[owner[:, None] == owner] = -np.inf
    return near.argmax(1)


def alike(net, cohort):
    """Balanced accuracy of the label of the nearest slice of another patient; chance is 0.5."""
    near = nearest(net, cohort.slices.chunks(), cohort.slices.case)
    return balanced_accuracy_score(targets(cohort), targets(cohort)[near])


def paired(net, cohort):
    """How often the nearest of 127 views is of the same slice; chance is 0.008."""
    drawn = np.random.default_rng(1).permutation(len(cohort.slices))[:64]
    views = ours.augmentation()(cohort.slices.fetch(drawn), [1, 2])
    near = nearest(net, views, np.arange(128))
    return np.mean(near == np.roll(np.arange(128), 64))


# Random weights: 0.5, 0.5 and 0.08.
LEARNED = {
    "supervised": (classified, 0.65),
    "simclr": (paired, 0.3),
    "supcon": (alike, 0.6),
    "weak_simclr-0.5": (classified, 0.65),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_training_of_the_demo_learns(name, cohort):
    net = ours.network(ours.DEMO)
    lines = ours.pretrain(net, cohort, 1, SPECS[name])
    chance = ours.method(SPECS[name]).chance(CONFIG["pretraining"]["batch_size"])
    assert module.ending(name, lines, chance)["learned"]
    accuracy, least = LEARNED[name]
    assert accuracy(net.eval(), cohort) > least
