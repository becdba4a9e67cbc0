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
GIVEN = {key: CONFIG["experiment"][key] for key in ("methods", "betas", "beta")}
SPECS = experiment.pretrained(**GIVEN)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    ours.demo_cohorts(folder, ["radio"])
    return ours.Cohort(folder, "radio")


def accuracy(net, cohort, views):
    """Balanced accuracy on slices of training: of the classes, or of the nearest other patient."""
    case = cohort.slices.case
    target = cohort.cases["target"].to_numpy()[case]
    if methods.WEAK in views:
        found = module.probabilities(net, cohort.slices, ours.CPU) >= 0.5
        return balanced_accuracy_score(target, found)
    with torch.inference_mode():
        places = [net.project(chunk) for chunk in cohort.slices.chunks(device=ours.CPU)]
    alike = normalize(torch.cat(places)).numpy()
    alike = alike @ alike.T
    alike[case[:, None] == case] = -np.inf
    return balanced_accuracy_score(target, target[alike.argmax(1)])


@pytest.mark.parametrize("name", SPECS)
def test_every_training_of_the_demo_learns(name, cohort):
    chosen = {key: CONFIG["pretraining"][key] for key in pretrain.METHOD_SETTINGS}
    method, net = methods.load(**SPECS[name], **chosen), ours.network(ours.DEMO)
    plan, draws = ours.optimiser(ours.DEMO), cohort.sampler(1)
    seen = ours.augmentation()
    lines = module.fit(net, method, cohort.slices, draws, seen, plan, ours.CPU, 1)
    assert module.ending(name, lines, method.chance(plan.batch_size))["learned"]
    print(name, lines[-1]["loss"], accuracy(net, cohort, method.views))
    assert accuracy(net, cohort, method.views) > 0.6
