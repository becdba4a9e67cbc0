"""The fine-tuning protocol: the whole network trained on the strong labels."""

import logging
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from hepatoclr.base import devices, fingerprint, seeds
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.learning import backbone, data, training
from hepatoclr.learning.augment import Augmentation
from hepatoclr.stats import metrics, predictions

log = logging.getLogger(__name__)

INNER_FOLDS = 5


class Classification:
    """Cross-entropy on the strong label of one augmented view."""

    views = ("strong",)

    def loss(
        self, network: backbone.Network, views: Mapping[str, Tensor], labels: Tensor
    ) -> Tensor:
        """Softmax cross-entropy on two outputs, which equals binary cross-entropy."""
        return functional.cross_entropy(network.classify(views["strong"]).float(), labels)


def start(encoder: str, network: Mapping, seed: int) -> backbone.Network:
    """Take backbone and shared layer from an encoder; the last layer starts afresh for all.

    Only some methods pretrain the classifying layer, and on other labels.
    """
    net = backbone.read(encoder, network)
    net.classifier = backbone.initialise(seed, **network).classifier
    return net


def run(
    encoder: str,
    weights: str,
    table: str,
    caches: Sequence[str],
    keys: Mapping[str, str],
    split: str,
    folds: Sequence[int],
    output: str,
    *,
    fraction: float,
    window: tuple[int, int],
    network: Mapping,
    augmentation: Mapping,
    settings: Mapping,
    seed: int,
    device: str,
    threads: int,
    residence: str,
    memory_mb: float,
) -> None:
    """Predict the patients of some folds, each by a network trained on the other folds.

    Predictions that are there already, from the same data, settings and code, stay.

    Args:
        encoder: Name of the encoder.
        weights: Its weights.
        table: Table of the evaluation cohort.
        caches: Slices of each of its cases.
        keys: What the caches were made from, see `batches.keys`.
        split: The split.
        folds: Folds to test; all where none is named.
        output: Predictions to write.
        fraction: Share of the training patients to use.
        window: Lowest and highest HU of the caches.
        network, augmentation, settings: Sections of the configuration.
        seed: Seed of the last layer, draws and views.
        device, threads: See `devices.prepare`.
        residence, memory_mb: See `data.collect`.
    """
    dealt = splits.read(split)
    folds = folds or sorted(dealt["fold"].unique())
    code = fingerprint.reached(fingerprint.PROJECT, "hepatoclr/learning/finetune.py")
    given = [encoder, fraction, window, network, augmentation, settings, seed, device, code, keys]

    def state_of(*folds: int) -> Path:
        known = [*given, list(map(int, folds))]
        return training.state_file(output, known, [table, weights, split])

    whole, states = state_of(*folds), {fold: state_of(fold) for fold in folds}
    if training.finished(whole, [output]):
        return
    training.remove_states(output, but=list(states.values()))
    place = devices.prepare(device, threads)
    cases, used = data.trainable_cases([cohort_table.read(table)], caches)
    slices = data.collect(used, window, residence, place, memory_mb)
    log.info("%s on %d slices of %d cases, %s", encoder, len(slices), len(cases), place)
    facts = {"protocol": "finetune", "encoder": encoder, "fraction": fraction, "seed": seed}
    if settings["epoch"] == "best-on-validation":
        facts["leaky"] = 1
    parts = []
    for fold in folds:
        job = Fold(cases, slices, dealt, fold, fraction, settings, seed)
        net = start(weights, network, seed)
        log.info("fold %d: %d training patients", fold, len(job.known))
        job.train(net, Augmentation(**augmentation), place, states[fold])
        found = job.predict(net, place)
        parts.append(found.assign(**facts))
    predictions.write(parts, output)
    training.finish(whole, [output])


class Fold:
    """One fold of the cross-validation.

    Args:
        cases: The labelled cases.
        slices: Their slices.
        split: The split, see `splits.stratified`.
        fold: The fold to test.
        fraction: Share of the training patients to use.
        settings: The configuration's section `finetune`.
        seed: Seed of the whole run.
    """

    def __init__(
        self,
        cases: pd.DataFrame,
        slices: data.Slices,
        split: pd.DataFrame,
        fold: int,
        fraction: float,
        settings: Mapping,
        seed: int,
    ) -> None:
        self.cases, self.slices, self.settings, self.fold = cases, slices, settings, fold
        self.repeat = int(split["repeat"].iloc[0])
        self.seed = seeds.derived(seed, self.repeat, fold)
        self.targets = split.set_index("patient_id")["target"]
        self.tested = split.loc[split["fold"] == fold, "patient_id"]
        self.known = splits.training(split, fold, fraction, seed)
        self.watched = self.tested if settings["epoch"] == "best-on-validation" else None
        if settings["epoch"] == "inner":
            inner = splits.stratified(self.known, INNER_FOLDS, self.repeat, self.seed)
            self.watched = inner.loc[inner["fold"] == 1, "patient_id"]
            self.known = self.known[~self.known["patient_id"].isin(self.watched)]

    def train(
        self,
        network: backbone.Network,
        augmentation: Augmentation,
        device: torch.device,
        state: Path,
    ) -> None:
        """Train a network in place, to the epoch that the settings choose."""
        chosen = self._of(self.known["patient_id"])
        sampler = data.sampler(self.cases, self.slices, chosen, self.settings, self.seed)
        # a small share of the patients is one batch
        batch_size = min(self.settings["batch_size"], sampler.max_batch_size)
        recipe = training.recipe({**self.settings, "batch_size": batch_size})
        best = _Best(self, device) if self.watched is not None else None
        training.fit(
            network,
            Classification(),
            self.slices.subset(chosen),
            sampler,
            augmentation,
            recipe,
            device,
            self.seed,
            state=None if best else state,  # a state does not hold the best weights so far
            after_epoch=best,
        )
        if best:
            network.load_state_dict(best.weights)

    def predict(self, network: backbone.Network, device: torch.device) -> pd.DataFrame:
        """Predict the tested patients: a row each.

        The threshold is chosen on patients held out of training where there are such (`inner`).
        """
        held_out = self.watched if self.settings["epoch"] == "inner" else self.known["patient_id"]
        cut = predictions.threshold(
            self.settings["threshold"],
            lambda: self.patients(network, held_out, device),
            self.targets,
        )
        found = self.patients(network, self.tested, device)
        labels = self.targets.loc[found["patient_id"]].to_numpy(int)
        return found.assign(repeat=self.repeat, fold=self.fold, label=labels, threshold=cut)

    def patients(
        self, network: backbone.Network, patients: pd.Series, device: torch.device
    ) -> pd.DataFrame:
        """Probability of some patients: patient_id, probability, slices."""
        chosen = self._of(patients)
        odds = training.probabilities(network, self.slices.subset(chosen), device)
        ids = self.cases["patient_id"].to_numpy()[self.slices.case[chosen]]
        return predictions.per_patient(ids, odds)

    def _of(self, patients: pd.Series) -> np.ndarray:
        """Indices of the slices of some patients."""
        return np.flatnonzero(self.cases["patient_id"].isin(patients).to_numpy()[self.slices.case])


class _Best:
    """Keeps the weights of the epoch with the highest AUC on the watched patients."""

    def __init__(self, job: Fold, device: torch.device) -> None:
        self.job, self.device = job, device
        self.auc, self.weights = -1.0, None

    def __call__(self, network: backbone.Network, line: dict) -> None:
        found = self.job.patients(network, self.job.watched, self.device)
        labels = self.job.targets.loc[found["patient_id"]].to_numpy(int)
        auc = metrics.auc(labels, found["probability"].to_numpy())
        if auc > self.auc:
            self.auc, self.weights = auc, deepcopy(network.state_dict())
