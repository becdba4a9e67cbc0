"""What the tables share: the order of encoders and protocols, bootstrap samples, intervals."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hepatoclr.learning import experiment
from hepatoclr.stats import comparison_tests, evaluation

PROTOCOLS = ("linear", "finetune")
BESIDE = tuple(experiment.BESIDE.values())
NESTED = "linear_nested"
BASELINE = experiment.NONE
REFERENCES = (BASELINE, "simclr")
DRAWS = 2000  # of the bootstrap
SEED = 1


def full(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions by models of the whole training sets."""
    return predictions[predictions["fraction"] == 1]


def found_encoders(predictions: pd.DataFrame) -> list[str]:
    """The encoders of a predictions table: the references first, the others in their order."""
    found = list(dict.fromkeys(predictions["encoder"]))
    return sorted(found, key=lambda name: REFERENCES.index(name) if name in REFERENCES else 9)


def found_protocols(predictions: pd.DataFrame) -> list[str]:
    """The protocols of a predictions table: the paper's first, then others, the nested one last."""
    found = list(dict.fromkeys(predictions["protocol"]))
    known = [PROTOCOLS[0], *BESIDE, *PROTOCOLS[1:]]
    others = [name for name in found if name not in (*known, NESTED)]
    return [name for name in (*known, *others, NESTED) if name in found]


def without_beside(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions but for those of `BESIDE`, unless there are no others."""
    beside = predictions["protocol"].isin(BESIDE)
    return predictions if beside.all() else predictions[~beside]


def by_protocol(predictions: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The predictions by models of the whole training sets, by protocol."""
    whole = full(predictions)
    return [(name, whole[whole["protocol"] == name]) for name in found_protocols(whole)]


def by_encoder(predictions: pd.DataFrame, protocol: str) -> dict[str, pd.DataFrame]:
    """The predictions of one protocol by models of the whole training sets, by encoder."""
    whole = full(predictions)
    whole = whole[whole["protocol"] == protocol]
    return {name: whole[whole["encoder"] == name] for name in found_encoders(whole)}


def bootstrap(predictions: pd.DataFrame) -> tuple[evaluation.Scores, np.ndarray]:
    """The scores of one protocol and fraction, with the bootstrap's weights of their patients."""
    scores = evaluation.to_arrays(predictions)
    return scores, comparison_tests.stratified_bootstrap(scores.labels, DRAWS, SEED)


def variance(draws: np.ndarray) -> np.ndarray:
    """Variance over bootstrap draws (draws, ...), but for those in which the measure is unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # unknown in all of them: NaN
        return np.nanvar(draws, axis=0, ddof=1)


def share_interval(estimate: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a share, on the logit scale, from its bootstrap draws (draws, ...)."""
    return comparison_tests.auc_interval(estimate, variance(draws))


def delong(scores: evaluation.Scores) -> tuple[np.ndarray, np.ndarray]:
    """The AUCs averaged over folds, and their covariance.

    A bootstrap draws a patient twice or not at all; of the few pairs of a fold it is too wide.
    """
    return comparison_tests.delong(scores.labels, scores.probabilities, scores.folds)


def auc_interval(aucs: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of each AUC, from what `delong` returns."""
    return comparison_tests.auc_interval(aucs, np.diag(covariance))


def minimum_detectable_differences(covariance: np.ndarray, base: int) -> list[float]:
    """The difference from model `base` that each could show; NaN where both rank alike."""
    variances = [
        comparison_tests.variance_of_difference(covariance, number, base)
        for number in range(len(covariance))
    ]
    return [
        comparison_tests.minimum_detectable_difference(v)
        if v > comparison_tests.ROUNDING
        else np.nan
        for v in variances
    ]


def learned(trainings: Iterable[Mapping]) -> dict[str, bool]:
    """Whether each encoder learned, with every seed: its last loss was below the level of chance.

    Args:
        trainings: What pretraining and fine-tuning recorded. Only pretrainings that say `learned`
            count: of those of older versions, and of random weights, nothing is known.
    """
    found: dict[str, bool] = {}
    for made in trainings:
        if "method" in made and "learned" in made:
            encoder = experiment.name(made["method"], made.get("beta", 0))
            found[encoder] = found.get(encoder, True) and bool(made["learned"])
    return found


def leaky(predictions: pd.DataFrame) -> pd.Series:
    """By encoder, 1 where an epoch was chosen on the tested patients."""
    if "leaky" not in predictions:
        return pd.Series(0, found_encoders(predictions))
    return predictions.groupby("encoder")["leaky"].max()
