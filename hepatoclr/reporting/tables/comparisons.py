"""Differences between methods on the same patients, and the optimism of choices on tested folds."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hepatoclr.base.errors import UserError
from hepatoclr.learning import experiment
from hepatoclr.reporting.tables import common
from hepatoclr.stats import comparison_tests, evaluation, metrics, permutation

PERMUTATIONS = 10_000


def comparisons(
    predictions: pd.DataFrame, methods: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Compare methods with random weights and with SimCLR, within each protocol.

    Args:
        predictions: What `predictions.read` returns.
        methods: As for `table1`; beside its encoders, those of a nested choice are compared.

    Returns:
        One row per protocol, reference and encoder to compare: protocol, encoder, reference,
        difference (of the AUC averaged over folds, as in Table 1), low, high (95 % interval,
        paired, by DeLong's variance), p_delong and p_permutation (that it is 0), all for these
        trained models and other patients; t_low, t_high, p_corrected_t (the same for the methods,
        trained anew, from the spread over folds, Nadeau and Bengio; NaN where repeats are
        evaluated as a whole); p_holm (p_corrected_t, p_delong where there is none, adjusted for
        the number of encoders that are compared with this reference in this protocol); pooled,
        pooled_low, pooled_high (difference of the AUC pooled over folds, with its interval by a
        paired bootstrap over patients); minimum_detectable_difference (which these patients show
        with 80 % power), leaky. Where neither reference was evaluated, the first encoder is the
        reference.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = []
    for protocol, part in common.by_protocol(predictions):
        encoders = common.found_encoders(part)
        if methods:
            wanted = [*methods.values(), *(name for name in encoders if name.endswith("-nested"))]
            encoders = [name for name in dict.fromkeys(wanted) if name in encoders]
            part = part[part["encoder"].isin(encoders)]
        references = [name for name in common.REFERENCES if name in encoders] or encoders[:1]
        rows += [row | {"protocol": protocol} for row in _against(part, encoders, references)]
    columns = ["protocol", "encoder", "reference", "difference", "low", "high"]
    columns += ["p_delong", "p_permutation", "t_low", "t_high", "p_corrected_t", "p_holm"]
    columns += ["pooled", "pooled_low", "pooled_high", "minimum_detectable_difference", "leaky"]
    return pd.DataFrame(rows, columns=columns)


def _against(
    predictions: pd.DataFrame, encoders: Sequence[str], references: Sequence[str]
) -> list[dict]:
    """Compare encoders of one protocol with some of them; see `comparisons`."""
    scores, weights = common.bootstrap(predictions)
    pooled = [
        comparison_tests.fold_auc(scores.labels, scores.probabilities, None, counts)
        for counts in (None, weights)
    ]
    aucs = common.delong(scores)
    folds = metrics.by_fold(predictions)
    leaky, rows = common.leaky(predictions), []
    for reference in references:
        base = scores.models.index(reference)
        detectable = common.minimum_detectable_differences(aucs[1], base)
        # Random weights are the first reference: not compared once more the other way round.
        others = [name for name in encoders if name not in (reference, common.BASELINE)]
        found = []
        for encoder in others:
            number = scores.models.index(encoder)
            found.append(
                {"encoder": encoder, "reference": reference}
                | _paired(scores, aucs, number, base)
                | _retrained(folds, encoder, reference, len(scores.patients))
                | _pooled(*pooled, number, base)
                | {
                    "minimum_detectable_difference": detectable[number],
                    "leaky": max(leaky[encoder], leaky[reference]),
                }
            )
        # Of equally good methods, trained anew, DeLong's test finds too many to differ.
        decisive = [
            row["p_delong" if np.isnan(row["p_corrected_t"]) else "p_corrected_t"] for row in found
        ]
        adjusted = comparison_tests.holm(decisive)
        rows += [row | {"p_holm": p} for row, p in zip(found, adjusted, strict=True)]
    return rows


def _paired(
    scores: evaluation.Scores, delong: tuple[np.ndarray, np.ndarray], number: int, base: int
) -> dict[str, float]:
    """The difference of two trained models, for other patients."""
    aucs, covariance = delong
    difference = float(aucs[number] - aucs[base])
    variance = comparison_tests.variance_of_difference(covariance, number, base)
    low, high = comparison_tests.difference_interval(difference, variance)
    pair = scores.probabilities[number], scores.probabilities[base]
    return {
        "difference": difference,
        "low": low,
        "high": high,
        "p_delong": comparison_tests.delong_test(aucs, covariance, number, base),
        "p_permutation": permutation.permutation(
            scores.labels, *pair, PERMUTATIONS, common.SEED, scores.folds
        ),
    }


def _retrained(
    folds: pd.DataFrame, encoder: str, reference: str, patients: int
) -> dict[str, float]:
    """The difference of two methods, trained anew; NaN where repeats are evaluated as a whole."""
    share, p, low, high = folds["n_patients"].mean() / patients, np.nan, np.nan, np.nan
    if share < 1:
        # Seeds share the folds: averaged, so that they are not counted as further splits.
        aucs = folds.pivot_table(index=["repeat", "fold"], columns="encoder", values="auc")
        differences = aucs[encoder] - aucs[reference]
        _, p, low, high = comparison_tests.nadeau_bengio(differences, share)
    return {"t_low": low, "t_high": high, "p_corrected_t": p}


def _pooled(aucs: np.ndarray, draws: np.ndarray, number: int, base: int) -> dict[str, float]:
    """The difference of two AUCs pooled over folds, with its interval by the bootstrap."""
    difference = float(aucs[number] - aucs[base])
    spread = float(common.variance(draws[:, number] - draws[:, base]))
    low, high = comparison_tests.difference_interval(difference, spread)
    return {"pooled": difference, "pooled_low": low, "pooled_high": high}


def nested(
    predictions: pd.DataFrame, methods: Mapping[str, str] | None, betas: Mapping[float, str]
) -> pd.DataFrame:
    """Compare choices inside the training folds with fixed ones, or ones made on tested folds.

    Args:
        predictions: What `predictions.read` returns.
        methods: As for `table1`; C and threshold are compared for these encoders.
        betas: Weight in [0, 1] to encoder name, among which the best is sought.

    Returns:
        One row per protocol, encoder and choice: protocol, encoder, choice, against, measure,
        fixed, nested, optimism (fixed - nested), low, high (95 % interval by a paired bootstrap
        over patients, of the same fixed value), chosen (the values chosen inside the training
        folds, and how often), leaky. The choices are

        - C: the AUC of protocol linear against that of linear_nested;
        - threshold: the balanced accuracy of linear_nested at 0.5 against that at the threshold
          chosen in its training folds, of the same probabilities;
        - beta: the best AUC of all betas, chosen on the reported folds and so optimistic,
          against the AUC with beta chosen in the training folds.

        Empty without nested evaluations.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = _nested_linear(predictions, methods) + _nested_beta(predictions, betas)
    for row in rows:
        found = common.by_encoder(predictions, row["protocol"])[row["encoder"]]
        row["chosen"] = _chosen_values(found, row["choice"])
    columns = ["protocol", "encoder", "choice", "against", "measure", "fixed", "nested"]
    return pd.DataFrame(rows, columns=[*columns, "optimism", "low", "high", "chosen", "leaky"])


def _nested_linear(predictions: pd.DataFrame, methods: Mapping[str, str] | None) -> list[dict]:
    """The rows of `nested` for C and the threshold."""
    rows = []
    linear, inner = (
        common.by_encoder(predictions, protocol) for protocol in ("linear", common.NESTED)
    )
    for encoder in [*methods.values(), experiment.NESTED] if methods else inner:
        if encoder not in inner:
            continue
        row = {"protocol": common.NESTED, "encoder": encoder}
        if encoder in linear:
            optimism = _optimism("auc", linear[encoder], inner[encoder])
            rows.append(row | {"choice": "C", "against": "as set"} | optimism)
        at_half = inner[encoder].assign(threshold=0.5)
        optimism = _optimism("balanced_accuracy", at_half, inner[encoder])
        rows.append(row | {"choice": "threshold", "against": "0.5"} | optimism)
    return rows


def _nested_beta(predictions: pd.DataFrame, betas: Mapping[float, str]) -> list[dict]:
    """The rows of `nested` for beta."""
    rows = []
    for protocol in common.found_protocols(predictions):
        found = common.by_encoder(predictions, protocol)
        candidates = {beta: found[name] for beta, name in betas.items() if name in found}
        if candidates and experiment.NESTED in found:
            best = max(candidates, key=lambda beta: _auc(candidates[beta]))
            row = {"protocol": protocol, "encoder": experiment.NESTED, "choice": "beta"}
            against = {"against": f"{best:g} (optimistic: chosen on the reported folds)"}
            pair = candidates[best], found[experiment.NESTED]
            rows.append(row | against | _optimism("auc", *pair))
    return rows


def _optimism(measure: str, fixed: pd.DataFrame, nested: pd.DataFrame) -> dict:
    """Compare a measure of two sets of predictions of the same patients, by one encoder each."""
    parts = [common.bootstrap(part) for part in (fixed, nested)]
    if parts[0][0].patients != parts[1][0].patients:
        raise UserError(
            f"{fixed['encoder'].iloc[0]} was tested on other patients by {common.NESTED} than by "
            "linear. Predict both with the same cohort."
        )
    values = [float(evaluation.per_fold(scores)[measure][0]) for scores, _ in parts]
    draws = [evaluation.per_fold(scores, weights)[measure][:, 0] for scores, weights in parts]
    optimism, spread = values[0] - values[1], float(common.variance(draws[0] - draws[1]))
    low, high = comparison_tests.difference_interval(optimism, spread)
    leaky = max(common.leaky(part).max() for part in (fixed, nested))
    found = {"measure": measure, "fixed": values[0], "nested": values[1], "optimism": optimism}
    return found | {"low": low, "high": high, "leaky": leaky}


def _auc(predictions: pd.DataFrame) -> float:
    """The AUC of one encoder, averaged over folds."""
    return float(evaluation.per_fold(evaluation.to_arrays(predictions))["auc"][0])


def _chosen_values(predictions: pd.DataFrame, column: str) -> str:
    """The values of a column by fold, with how often: `0.1: 30, 1: 20`; of thresholds a range."""
    if column not in predictions:
        return ""
    values = predictions.drop_duplicates(metrics.FOLD)[column].dropna()
    counted = values.value_counts().sort_index()
    if column == "threshold":
        return f"{values.min():.2f} to {values.max():.2f}, median {values.median():.2f}"
    return ", ".join(f"{value:g}: {times}" for value, times in counted.items())
