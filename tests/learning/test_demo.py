"""The demo's trainings learn: their losses end below chance, and they tell their own slices."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch.nn.functional import normalize

from benchmarks import ours
from hepatoclr.learning import experiment, module, pretrain
from hepatoclr.learning.methods import base as methods

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
def alike(net, cohort):
    """Balanced accuracy of the label of the nearest slice of another patient; chance is 0.5."""
    slices, case = cohort.slices, cohort.slices.case
    vectors = normalize(torch.cat([net.project(chunk) for chunk in slices.chunks()])).numpy()
    near = vectors @ vectors.T
    near[case[:, None] == case] = -np.inf
    return balanced_accuracy_score(targets(cohort), targets(cohort)[near.argmax(1)])


@torch.inference_mode()
def paired(net, cohort):
    """How often the nearest of 127 views is of the same slice; chance is 0.008."""
    drawn = np.random.default_rng(1).permutation(len(cohort.slices))[:64]
    views = ours.augmentation()(cohort.slices.fetch(drawn), [1, 2])
    vectors = normalize(torch.cat([net.project(view) for view in views])).numpy()
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    return np.mean(near.argmax(1) == np.roll(np.arange(128), 64))


# Random weights: 0.5, 0.5 and 0.08.
LEARNED = {
    "supervised": (classified, 0.65),
    "simclr": (paired, 0.3),
    "supcon": (alike, 0.6),
    "weak_simclr-0.5": (classified, 0.65),
}


@pytest.mark.parametrize("name", SPECS)
def test_every_training_of_the_demo_learns(name, cohort):
    chosen = {key: CONFIG["pretraining"][key] for key in pretrain.METHOD_SETTINGS}
    method, net = methods.load(**SPECS[name], **chosen), ours.network(ours.DEMO)
    plan, draws = ours.optimiser(ours.DEMO), cohort.sampler(1)
    seen = ours.augmentation()
    lines = module.fit(net, method, cohort.slices, draws, seen, plan, ours.CPU, 1)
    assert module.ending(name, lines, method.chance(plan.batch_size))["learned"]
    accuracy, least = LEARNED[name]
    assert accuracy(net.eval(), cohort) > least
