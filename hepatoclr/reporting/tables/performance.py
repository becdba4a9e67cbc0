"""Mean performance over folds: the paper's Tables 1 and 2, and the learning curve."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from hepatoclr.base.errors import UserError
from hepatoclr.reporting import formatting
from hepatoclr.reporting.tables import common
from hepatoclr.stats import evaluation, metrics
from hepatoclr.stats import learning_curve as power_law

FITS = 200  # bootstrap draws to which the power law is fitted


class Reference(NamedTuple):
    """Published mean and sd over folds, two decimals as printed."""

    paper_auc_mean: float = np.nan
    paper_auc_sd: float = np.nan
    paper_balanced_accuracy_mean: float = np.nan
    paper_balanced_accuracy_sd: float = np.nan


# Tables 1 and 2 of ISBI 2023, arXiv 2302.08427; the paper prints no linear result without
# pretraining.
PAPER = {
    ("none", "finetune"): Reference(0.77, 0.07, 0.72, 0.07),
    ("supervised", "linear"): Reference(0.64, 0.19, 0.56, 0.10),
    ("supervised", "finetune"): Reference(0.65, 0.10, 0.64, 0.09),
    ("simclr", "linear"): Reference(0.78, 0.09, 0.68, 0.04),
    ("simclr", "finetune"): Reference(0.78, 0.11, 0.69, 0.08),
    ("supcon", "linear"): Reference(0.61, 0.05, 0.59, 0.05),
    ("supcon", "finetune"): Reference(0.65, 0.13, 0.67, 0.14),
    ("weak_simclr-0.2", "linear"): Reference(0.75, 0.08, 0.67, 0.05),
    ("weak_simclr-0.2", "finetune"): Reference(0.78, 0.10, 0.73, 0.13),
    ("weak_simclr-0.4", "linear"): Reference(0.82, 0.10, 0.71, 0.09),
    ("weak_simclr-0.4", "finetune"): Reference(0.81, 0.07, 0.75, 0.07),
    ("weak_simclr-0.5", "linear"): Reference(0.84, 0.05, 0.75, 0.06),
    ("weak_simclr-0.5", "finetune"): Reference(0.81, 0.03, 0.73, 0.08),
    ("weak_simclr-0.8", "linear"): Reference(0.74, 0.06, 0.68, 0.07),
    ("weak_simclr-0.8", "finetune"): Reference(0.79, 0.09, 0.66, 0.11),
}


def table1(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None = None,
    learned: Mapping[str, bool] | None = None,
) -> pd.DataFrame:
    """Compare pretraining methods (the paper's Table 1).

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, in the order of the rows; None for the encoders found.
            The row `weak_simclr` is compared with the paper's beta = 0.5 whatever it shows.
        learned: What `common.learned` returns.

    Returns:
        One row per method and protocol, the nested one only where there is no other: method,
        protocol, n_folds, then of AUC and balanced accuracy (at 0.5, and, where a threshold
        differs from it, `_youden`, at that of the fold) each mean, sd, low and high (95 %
        interval, of the AUC by DeLong's variance within folds, of balanced accuracy by a bootstrap
        over patients), the paper's mean and sd of each (NaN where it prints none),
        minimum_detectable_difference (of AUC from random weights, that these patients show with
        80 % power, from the paired DeLong variance; NaN without random weights), leaky (1 where
        the epoch was chosen on the tested patients); where it is known of any encoder, learned (1,
        or 0 where the last loss of its pretraining is not below the level of chance).

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    whole = common.full(predictions)
    if methods is None:
        methods = {name: name for name in common.found_encoders(whole)}
    else:
        _check_predicted(whole, methods.values())
    references = dict(zip(methods, methods, strict=True)) | {"weak_simclr": "weak_simclr-0.5"}
    return _results(whole, "method", methods, references, learned or {})


def table2(
    predictions: pd.DataFrame,
    betas: Mapping[float, str],
    learned: Mapping[str, bool] | None = None,
) -> pd.DataFrame:
    """Compare weights of the weak loss (the paper's Table 2).

    Args:
        predictions: What `predictions.read` returns.
        betas: Weight in [0, 1] to encoder name, in the order of the rows.
        learned: What `common.learned` returns.

    Returns:
        As `table1`, with beta in place of method.

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    whole = common.full(predictions)
    _check_predicted(whole, betas.values())
    rows = {float(beta): encoder for beta, encoder in betas.items()}
    references = {beta: formatting.BETA_ENDS.get(beta, f"weak_simclr-{beta:g}") for beta in rows}
    return _results(whole, "beta", rows, references, learned or {})


def _shown_protocols(predictions: pd.DataFrame) -> list[str]:
    """The protocols that Tables 1 and 2 show; the nested one only where there is no other."""
    found = common.found_protocols(predictions)
    return [protocol for protocol in found if protocol != common.NESTED] or found


def _check_predicted(predictions: pd.DataFrame, encoders: Iterable[str]) -> None:
    """Raise a UserError that names every (encoder, protocol) without predictions."""
    protocols = _shown_protocols(predictions)
    found = set(predictions[["encoder", "protocol"]].itertuples(index=False, name=None))
    wanted = [(encoder, protocol) for encoder in encoders for protocol in protocols]
    if missing := [f"{pair[0]} ({pair[1]})" for pair in wanted if pair not in found]:
        raise UserError(
            f"no predictions of {', '.join(dict.fromkeys(missing))} on the whole training set. "
            "Run these evaluations, or take the encoders out of the table."
        )


def _results(
    whole: pd.DataFrame,
    name: str,
    rows: Mapping[object, str],
    references: Mapping[object, str],
    learned: Mapping[str, bool],
) -> pd.DataFrame:
    """Give one row per entry of `rows` and protocol; see `table1` and `table2`.

    Args:
        whole: Predictions by models of the whole training sets.
        name: First column, holding the keys of `rows`.
        rows: Key to encoder.
        references: Key to the encoder of `PAPER` beside it.
        learned: Encoder to whether it learned, of those of which it is known.
    """
    # The detectable difference is one from random weights, whether these are shown or not.
    chosen = whole[whole["encoder"].isin([common.BASELINE, *rows.values()])]
    summaries = metrics.summary(metrics.by_fold(chosen)).set_index(["protocol", "encoder"])
    details = {protocol: _intervals(part) for protocol, part in chosen.groupby("protocol")}
    records = [
        {name: key, "protocol": protocol}
        | summaries.loc[(protocol, encoder)].to_dict()
        | details[protocol].loc[encoder].to_dict()
        | PAPER.get((references[key], protocol), Reference())._asdict()
        | {"learned": learned.get(encoder)}
        for key, encoder in rows.items()
        for protocol in _shown_protocols(whole)
        if (protocol, encoder) in summaries.index
    ]
    shown = metrics.MEASURES if (whole["threshold"] != 0.5).any() else metrics.MEASURES[:2]
    columns = [name, "protocol", "n_folds"]
    columns += [f"{m}_{part}" for m in shown for part in ("mean", "sd", "low", "high")]
    columns += [*Reference._fields, "minimum_detectable_difference", "leaky"]
    columns += ["learned"] * any(encoder in learned for encoder in rows.values())
    table = pd.DataFrame(records, columns=columns).astype({"n_folds": int, "leaky": int})
    return table.astype({"learned": "Int64"} if "learned" in table else {})


def _intervals(predictions: pd.DataFrame) -> pd.DataFrame:
    """Intervals, minimum detectable difference and leak of each encoder of one protocol."""
    scores, weights = common.bootstrap(predictions)
    aucs, covariance = common.delong(scores)
    ends = {"auc": common.auc_interval(aucs, covariance)}
    at_half = replace(scores, predicted_positive=scores.probabilities >= 0.5)
    for name, at in (("balanced_accuracy", at_half), ("balanced_accuracy_youden", scores)):
        found = (evaluation.balanced_accuracy(at, counts) for counts in (None, weights))
        ends[name] = common.share_interval(*found)
    columns = {
        f"{measure}_{end}": values
        for measure, both in ends.items()
        for end, values in zip(("low", "high"), both, strict=True)
    }
    detectable = np.nan
    if common.BASELINE in scores.models:
        base = scores.models.index(common.BASELINE)
        detectable = common.minimum_detectable_differences(covariance, base)
    table = pd.DataFrame(columns, scores.models).assign(minimum_detectable_difference=detectable)
    return table.assign(leaky=common.leaky(predictions))


def learning_curve(predictions: pd.DataFrame) -> pd.DataFrame:
    """Show what more training patients bring, without pretraining.

    Args:
        predictions: What `predictions.read` returns.

    Returns:
        One row per share of the training patients, rising: fraction, patients (the training
        patients of a fold, on average), auc_mean, auc_sd, auc_low, auc_high, n_folds, and the
        power law fitted through all shares with its interval: fitted, fitted_low, fitted_high
        (NaN for fewer than three shares); leaky. Empty without fine-tuning from random weights.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    chosen = predictions.query("encoder == @common.BASELINE and protocol == 'finetune'")
    columns = ["fraction", "patients", "auc_mean", "auc_sd", "auc_low", "auc_high", "n_folds"]
    columns += ["fitted", "fitted_low", "fitted_high", "leaky"]
    if chosen.empty:
        return pd.DataFrame(columns=columns)
    table = metrics.summary(metrics.by_fold(chosen))
    draws, patients, ends = [], [], []
    for fraction, part in chosen.groupby("fraction"):
        scores, weights = common.bootstrap(part)
        ends.append(np.concatenate(common.auc_interval(*common.delong(scores))))
        draws.append(evaluation.per_fold(scores, weights)["auc"][:, 0])
        tested = part.groupby(metrics.FOLD).size().mean()
        patients.append(fraction * (len(scores.patients) - tested))
    draws = np.stack(draws, axis=1)
    table["auc_low"], table["auc_high"] = np.transpose(ends)
    law = (table["auc_mean"], draws[:FITS], patients)
    fitted = power_law.power_law_curve(patients, *law) if min(patients) > 0 else [np.nan] * 3
    table["fitted"], table["fitted_low"], table["fitted_high"] = fitted
    return table.assign(patients=patients, leaky=int(common.leaky(chosen).max()))[columns]
