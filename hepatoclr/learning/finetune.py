"""The fine-tuning protocol: the whole network trained on the strong labels."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback
from torch import Tensor
from torch.nn import functional

from hepatoclr.base import cutoff, devices, files, seeds
from hepatoclr.cohorts import cohort_table, splits
from hepatoclr.learning import backbone, checkpoints, data, module, trainers
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

    def chance(self, batch_size: int) -> float:
        """That of two classes, drawn equally often."""
        return math.log(2)


def start(encoder: str, network: Mapping, seed: int, last_layer: str) -> backbone.Network:
    """Take a network from an encoder.

    Args:
        encoder: Its weights.
        network: Section of the configuration.
        seed: Seed of a fresh last layer.
        last_layer: `fresh`, the classifying layer starts from random weights, or `pretrained`, from
            the encoder's; random too where its method trains none.
    """
    net = backbone.read(encoder, network)
    if last_layer == "fresh":
        net.classifier = backbone.initialise(seed, **network).classifier
    return net


@dataclass(frozen=True, kw_only=True)
class Tuning(ABC):
    """What every fine-tuning is made of; it is one process, whatever `trainer` says of devices.

    Attributes:
        encoder: Name of the encoder.
        weights: Its weights.
        table: Table of the evaluation cohort.
        caches: Slices of each of its cases.
        split: The split.
        code: Fingerprints of the code that makes the output.
        window: Lowest and highest HU of the caches.
        network, augmentation, settings, trainer: Sections of the configuration; `settings` is
            that of fine-tuning.
        seed: Seed of the last layer, draws and views.
        device, threads: See `devices.prepare`.
        cache, memory_mb: See `data.collect`.
        metadata: JSON to write beside the output.
    """

    encoder: str
    weights: str
    table: str
    caches: Sequence[str]
    split: str
    code: Sequence[str]
    window: tuple[int, int]
    network: Mapping
    augmentation: Mapping
    settings: Mapping
    trainer: Mapping
    seed: int
    device: str
    threads: int
    cache: str
    memory_mb: float
    metadata: str

    def run(self) -> None:
        """Train and write; an output that is there already, made from the same, stays."""
        cases, used = data.trainable_cases([cohort_table.read(self.table)], self.caches)
        in_force = self.in_force()
        contents = {"cases": data.identities(cases), "code": self.code, "device": self.device}
        key = cutoff.made_from([self.weights, self.split, *used], settings=in_force, **contents)
        if cutoff.unchanged(self.metadata, key, [self.output]):
            return
        device = devices.prepare(trainers.device(self.trainer, self.device), self.threads)
        slices = data.collect(used, self.window, self.cache, device, self.memory_mb)
        log.info("%s on %d slices of %d cases, %s", self.encoder, len(slices), len(cases), device)
        with checkpoints.beside(self.output, key) as folder:
            facts = self.work(cases, slices, splits.read(self.split), device, folder)
        made = {"settings": in_force, **cutoff.record(key, [self.output])}
        said = {"protocol": "finetune", "encoder": self.encoder, "seed": self.seed}
        files.write_json({**said, **facts, **made}, self.metadata)

    @property
    @abstractmethod
    def output(self) -> str:
        """The file that is written beside the metadata."""

    @abstractmethod
    def work(
        self,
        cases: pd.DataFrame,
        slices: data.Slices,
        split: pd.DataFrame,
        device: torch.device,
        folder: Path,
    ) -> dict:
        """Train and write the output.

        Args:
            cases: The labelled cases.
            slices: Their slices.
            split: The split.
            device: Where to train.
            folder: Of checkpoints.

        Returns:
            What the metadata say of it.
        """

    def trained(
        self, fold: "Fold", name: str, device: torch.device, folder: Path
    ) -> tuple[backbone.Network, dict]:
        """Train a network on a fold; and say how it ended, see `module.ending`."""
        net = start(self.weights, self.network, self.seed, self.settings["last_layer"])
        trainer = {**self.trainer, **trainers.ONE_PROCESS}
        history = fold.fit(net, Augmentation(**self.augmentation), device, trainer, folder)
        chance = Classification().chance(self.settings["batch_size"])
        return net, module.ending(f"{self.encoder}, {name},", history, chance)

    def in_force(self) -> dict:
        """The settings that make the output what it is."""
        return {
            "encoder": self.encoder,
            "window": list(self.window),
            "network": dict(self.network),
            "augmentation": dict(self.augmentation),
            "finetune": dict(self.settings),
            "trainer": trainers.decisive({**self.trainer, **trainers.ONE_PROCESS}),
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class FineTuning(Tuning):
    """One fine-tuning: the patients of some folds predicted, each by a network of the other folds.

    Attributes:
        folds: Folds to test; all where none is named.
        fraction: Share of the training patients to use.
        predictions: File to write.
    """

    folds: Sequence[int]
    fraction: float
    predictions: str

    @property
    def output(self) -> str:
        """The predictions."""
        return self.predictions

    def work(
        self,
        cases: pd.DataFrame,
        slices: data.Slices,
        split: pd.DataFrame,
        device: torch.device,
        folder: Path,
    ) -> dict:
        """Train and predict each fold."""
        facts = {"protocol": "finetune", "encoder": self.encoder}
        facts |= {"fraction": self.fraction, "seed": self.seed}
        leaky = {"leaky": 1} if self.settings["epoch"] == "best-on-validation" else {}
        found = [
            self.predict(cases, slices, split, fold, device, folder / f"fold{fold}")
            for fold in self.folds or sorted(split["fold"].unique())
        ]
        rows = [fold.assign(**facts, **leaky) for fold, _ in found]
        predictions.write(rows, self.predictions)
        return {"fraction": self.fraction, "folds": [ending for _, ending in found]}

    def predict(
        self,
        cases: pd.DataFrame,
        slices: data.Slices,
        split: pd.DataFrame,
        number: int,
        device: torch.device,
        folder: Path,
    ) -> tuple[pd.DataFrame, dict]:
        """Predict the patients of one fold, a row each; and say how its training ended."""
        fold = Fold(cases, slices, split, number, self.fraction, self.settings, self.seed)
        log.info("fold %d: %d training patients", number, len(fold.train))
        net, ending = self.trained(fold, f"fold {number}", device, folder)
        found, own = fold.predict(net, device)
        return found, {"fold": int(number), **ending, **own}

    def in_force(self) -> dict:
        """The settings that make the predictions what they are."""
        folds = list(map(int, self.folds))
        return {**super().in_force(), "fraction": self.fraction, "folds": folds}


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
        self.test = split.loc[split["fold"] == fold, "patient_id"]
        self.train = splits.training(split, fold, fraction, seed)
        self.val = self.test if settings["epoch"] == "best-on-validation" else None
        if settings["epoch"] == "inner":
            inner = splits.stratified(self.train, INNER_FOLDS, self.repeat, self.seed)
            self.val = inner.loc[inner["fold"] == 1, "patient_id"]
            self.train = self.train[~self.train["patient_id"].isin(self.val)]

    def fit(
        self,
        network: backbone.Network,
        augmentation: Augmentation,
        device: torch.device,
        trainer: Mapping,
        folder: Path | None,
    ) -> list[dict]:
        """Train a network in place, to the epoch that the settings choose; see `module.fit`."""
        chosen = self._indices_of(self.train["patient_id"])
        sampler = data.sampler(self.cases, self.slices, chosen, self.settings, self.seed)
        # a small share of the patients is one batch
        batch_size = min(self.settings["batch_size"], sampler.max_batch_size)
        log.info("batches of the first epoch: %s", sampler.mix(batch_size))
        best = BestEpoch(self, device) if self.val is not None else None
        history = module.fit(
            network,
            Classification(),
            self.slices.subset(chosen),
            sampler,
            augmentation,
            module.OptimiserConfig.of({**self.settings, "batch_size": batch_size}),
            device,
            self.seed,
            trainer=trainer,
            checkpoints=folder,
            more=[best] if best else [],
        )
        if best:
            network.load_state_dict(best.weights)
        return history

    def threshold(
        self, network: backbone.Network, device: torch.device
    ) -> tuple[float, dict[str, float]]:
        """Choose the threshold, Youden's on the training patients or those held out (`inner`).

        Returns:
            The threshold; and training_balanced_accuracy, that of the training slices at 0.5,
            but for `inner`, where it would take a further pass over them.
        """
        inner, own = self.settings["epoch"] == "inner", {}
        held_out = self.val if inner else self.train["patient_id"]
        ids, odds = self.slices_of(network, held_out, device)
        if not inner:
            labels = self.targets.loc[ids].to_numpy(int)
            own["training_balanced_accuracy"] = metrics.balanced_accuracy(labels, odds)
        return predictions.youden(predictions.per_patient(ids, odds), self.targets), own

    def predict(
        self, network: backbone.Network, device: torch.device
    ) -> tuple[pd.DataFrame, dict[str, float]]:
        """Predict the test patients, a row each, with what `threshold` gives."""
        cut, own = self.threshold(network, device)
        found = self.patients(network, self.test, device)
        labels = self.targets.loc[found["patient_id"]].to_numpy(int)
        found = found.assign(repeat=self.repeat, fold=self.fold, label=labels, threshold=cut)
        return found, own

    def patients(
        self, network: backbone.Network, patients: pd.Series, device: torch.device
    ) -> pd.DataFrame:
        """Probability of some patients: patient_id, probability, slices."""
        return predictions.per_patient(*self.slices_of(network, patients, device))

    def slices_of(
        self, network: backbone.Network, patients: pd.Series, device: torch.device
    ) -> tuple[np.ndarray, np.ndarray]:
        """Patient and probability of each slice of some patients."""
        chosen = self._indices_of(patients)
        odds = module.probabilities(network, self.slices.subset(chosen), device)
        ids = self.cases["patient_id"].to_numpy()[self.slices.case[chosen]]
        return ids, odds

    def _indices_of(self, patients: pd.Series) -> np.ndarray:
        """Indices of the slices of some patients."""
        return np.flatnonzero(self.cases["patient_id"].isin(patients).to_numpy()[self.slices.case])


class BestEpoch(Callback):
    """Keeps the weights of the epoch with the highest AUC on the validation patients."""

    def __init__(self, fold: Fold, device: torch.device) -> None:
        self.fold, self.device = fold, device
        self.auc, self.weights = -1.0, None

    def on_train_epoch_end(self, trainer, training: module.Training) -> None:
        """Look at the validation patients after an epoch."""
        found = self.fold.patients(training.network, self.fold.val, self.device)
        training.network.train()
        labels = self.fold.targets.loc[found["patient_id"]].to_numpy(int)
        auc = float(metrics.auc(labels, found["probability"].to_numpy()))
        if auc > self.auc:
            self.auc, self.weights = auc, deepcopy(training.network.state_dict())

    def state_dict(self) -> dict:
        """What a checkpoint keeps."""
        return {"auc": self.auc, "weights": self.weights}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on with the best epoch of a checkpoint."""
        self.auc, self.weights = state_dict["auc"], state_dict["weights"]
