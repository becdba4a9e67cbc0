"""Every measure of every encoder, and the ways from slices to patients."""

import numpy as np
import pandas as pd

from hepatoclr.reporting.tables import common
from hepatoclr.stats import aggregation as of_slices
from hepatoclr.stats import calibration, comparison_tests, evaluation


def measures(predictions: pd.DataFrame) -> pd.DataFrame:
    """Evaluate every encoder in every protocol by every measure.

    Args:
        predictions: What `predictions.read` returns.

    Returns:
        One row per protocol, encoder and measure: protocol, encoder, measure, estimate, low, high
        (95 % interval), threshold (of the protocol, 0.5 or `fold` where each fold has its own),
        leaky. See `evaluation.measures` for what is taken per fold and what over all patients of
        a repeat.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = []
    for protocol, part in common.by_protocol(predictions):
        scores, weights = common.bootstrap(part)
        estimates, draws = evaluation.measures(scores), evaluation.measures(scores, weights)
        found = {
            name: (values, *common.share_interval(values, draws[name]))
            for name, values in estimates.items()
        }
        found["auc"] = estimates["auc"], *common.auc_interval(*common.delong(scores))
        # The one measure that is no share.
        found["log_loss"] = estimates["log_loss"], *comparison_tests.interval(draws["log_loss"])
        calibrations = [_calibration(scores.labels, p) for p in scores.probabilities]
        leaky = common.leaky(part)
        threshold = "0.5" if (part["threshold"] == 0.5).all() else "fold"
        for number, encoder in enumerate(scores.models):
            own = {name: [column[number] for column in columns] for name, columns in found.items()}
            own |= calibrations[number]
            rows += [
                (protocol, encoder, name, *triple, threshold, leaky[encoder])
                for name, triple in own.items()
            ]
    columns = ["protocol", "encoder", "measure", "estimate", "low", "high", "threshold", "leaky"]
    return pd.DataFrame(rows, columns=columns)


def _calibration(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, tuple]:
    """Calibration slope and intercept of one model, as `measures` has them."""
    values = calibration.calibration(labels, probabilities)
    intervals = calibration.calibration_interval(labels, probabilities)
    names = ("calibration_slope", "calibration_intercept")
    return {
        name: (value, *ends) for name, value, ends in zip(names, values, intervals, strict=True)
    }


def aggregation(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compare ways from slices to patients.

    Args:
        predictions: What `predictions.read` returns; only rows with `by_slice` count.

    Returns:
        One row per protocol, encoder and aggregation: protocol, encoder, aggregation, auc, low,
        high (95 % interval by a bootstrap over patients), leaky. The aggregations are slices (each
        for itself, no aggregation) and, of patients, `aggregation.KINDS`; there is no learned one
        where there is one fold only. AUCs are averaged over folds, as in Table 1. Empty without
        `by_slice`.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    columns = ["protocol", "encoder", "aggregation", "auc", "low", "high", "leaky"]
    rows = []
    for protocol in common.found_protocols(predictions) if "by_slice" in predictions else []:
        for encoder, part in common.by_encoder(predictions, protocol).items():
            if part["by_slice"].fillna("").str.strip().eq("").any():
                continue
            for kind, value, draws in _aggregated(part):
                ends = map(float, common.share_interval(value, draws))
                rows.append((protocol, encoder, kind, value, *ends, common.leaky(part).max()))
    return pd.DataFrame(rows, columns=columns)


def _aggregated(predictions: pd.DataFrame) -> list[tuple[str, float, np.ndarray]]:
    """AUC of one encoder and its bootstrap draws, by aggregation."""
    scores, weights = common.bootstrap(predictions)
    order = predictions.sort_values(["seed", "repeat", "patient_id"])["by_slice"]
    texts = order.to_numpy().reshape(scores.folds.shape)
    slices = [[of_slices.values(text) for text in evaluated] for evaluated in texts]
    once_and_drawn = np.vstack([np.ones(len(scores.patients)), weights])
    value, *draws = of_slices.slice_auc(scores.labels, slices, scores.folds, once_and_drawn)
    found = [("slices", value, np.array(draws))]
    table = of_slices.aggregated(predictions)
    for kind in of_slices.KINDS:
        if table[kind].notna().all():
            scores = evaluation.to_arrays(table.assign(probability=table[kind]))
            value = evaluation.per_fold(scores)["auc"][0]
            found.append((kind, value, evaluation.per_fold(scores, weights)["auc"][:, 0]))
    return found
