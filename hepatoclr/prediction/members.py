"""The trainings of a bundle, each ready to read the slices of a CT."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.special import logit
from torch import nn

from hepatoclr.base import files
from hepatoclr.interpretation import explain
from hepatoclr.learning import backbone, data, features, linear, module
from hepatoclr.prediction import applicability
from hepatoclr.prediction.bundles import Bundle
from hepatoclr.stats import calibration, predictions


@dataclass(frozen=True)
class Reading:
    """What one training says of a CT.

    Attributes:
        probability: Of the positive class.
        by_fold: The same by the models of the folds, of linear protocols.
        logits: Of each slice.
        beyond: How many times as far as most known patients it lies in feature space; None where
            that is not known.
    """

    probability: float
    by_fold: Sequence[float]
    logits: np.ndarray
    beyond: float | None = None


@dataclass(frozen=True)
class Member:
    """One training of a bundle.

    Attributes:
        network: Its network.
        models: The regression on its features, and those of the folds; none of fine-tuned ones.
        space: The features of known patients, where they are known.
    """

    network: backbone.Network
    models: Sequence[linear.Model]
    space: applicability.Space | None

    def read(self, cached: data.Slices, device: torch.device) -> Reading:
        """Read the slices of a CT, as the stages of a run do."""
        patient = pd.Series([""] * len(cached))
        if not self.models:
            odds = module.probabilities(self.network, cached, device)
            probability = float(predictions.per_patient(patient, odds)["probability"].iloc[0])
            inner = np.clip(odds, calibration.CLIP, 1 - calibration.CLIP)
            return Reading(probability, [], logit(inner))
        vectors = features.extract(self.network, cached, device).astype(np.float64)
        first, *others = (
            float(model.predict(patient, vectors)["probability"].iloc[0]) for model in self.models
        )
        space = self.space
        beyond = space.distance(vectors.mean(axis=0)) / space.limit if space else None
        return Reading(first, others, self.models[0].logits(vectors), beyond)

    def logit(self) -> nn.Module:
        """Maps slices to the log odds of the positive class, shape (n,)."""
        if self.models:
            return explain.composed(self.network.cpu().backbone, self.models[0])
        return Difference(self.network.cpu()).eval()


class Difference(nn.Module):
    """The log odds of a network with two classes."""

    def __init__(self, network: backbone.Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map slices (n, 1, rows, columns) to log odds, shape (n,)."""
        negative, positive = self.network.classify(images).unbind(1)
        return positive - negative


def load(bundle: Bundle) -> list[Member]:
    """Read the trainings of a bundle."""
    found = []
    for one in bundle.facts["members"]:
        network = backbone.read(bundle.file(one["weights"]), bundle.facts["network"])
        models = [
            linear.Model(**model)
            for key in ("regression", "folds")
            if key in one
            for model in files.read_json(bundle.file(one[key]))["models"]
        ]
        space = None
        if "space" in one:
            known = files.read_json(bundle.file(one["space"]))
            arrays = (np.array(known[key]) for key in ("mean", "precision"))
            space = applicability.Space(*arrays, known["limit"])
        found.append(Member(network, models, space))
    return found
