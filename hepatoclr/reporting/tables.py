"""The result tables, computed from predictions alone, beside the paper's numbers.

A table is a plain data frame; its last column, `data`, says what must be said of the numbers (see
`formatting.DISCLAIMERS`). `all` computes every table; one that the predictions hold nothing for is
empty. `write` gives a table three times: CSV for machines, Markdown and LaTeX for people.

The unit of every interval and test is the patient: repeats and seeds test the same patients again
and are averaged. All tables draw the same bootstrap samples of the patients.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hepatoclr.base import files
from hepatoclr.base.errors import UserError
from hepatoclr.learning import experiment
from hepatoclr.reporting import formatting
from hepatoclr.stats import aggregation as slices
from hepatoclr.stats import comparison_tests, evaluation, metrics

PROTOCOLS = ("linear", "finetune")
NESTED = "linear_nested"
BASELINE = experiment.NONE
REFERENCES = (BASELINE, "simclr")
DRAWS = 2000  # of the bootstrap
FITS = 200  # of these for the power law, which is fitted to each
PERMUTATIONS = 10_000
SEED = 1
TITLES = {
    "table1": "Pretraining methods",
    "table2": "Weight of the weak label",
    "learning_curve": "Learning curve",
    "measures": "All measures",
    "comparisons": "Differences between methods",
    "nested": "What choosing on the tested folds would gain",
    "aggregation": "From slices to patients",
}


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


def all(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None = None,
    betas: Mapping[float, str] | None = None,
    disclaimers: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """Compute every table of a set of predictions.

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name of Table 1 to encoder name; None for the encoders found.
        betas: Weight in [0, 1] to encoder name; None for no Table 2.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`: "synthetic",
            "permuted".

    Returns:
        A table for each of `TITLES`, empty where the predictions hold nothing for it.

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    return {
        "table1": table1(predictions, methods, disclaimers),
        "table2": table2(predictions, betas or {}, disclaimers),
        "learning_curve": learning_curve(predictions, disclaimers),
        "measures": measures(predictions, disclaimers),
        "comparisons": comparisons(predictions, methods, disclaimers),
        "nested": nested(predictions, methods, betas or {}, disclaimers),
        "aggregation": aggregation(predictions, disclaimers),
    }


def table1(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None = None,
    disclaimers: Sequence[str] = (),
    protocols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compare pretraining methods (the paper's Table 1).

    Args:
        predictions: What `predictions.read` returns.
        methods: Row name to encoder name, in the order of the rows; None for the encoders found.
            The row `weak_simclr` is compared with the paper's beta = 0.5 whatever it shows.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.
        protocols: Evaluations to show, in order; None for those found, but for the nested one.

    Returns:
        One row per method and protocol: method, protocol, n_folds, then of AUC and balanced
        accuracy each mean, sd, low and high (95 % interval, of the AUC by DeLong's variance within
        folds, of balanced accuracy by a bootstrap over patients), the paper's mean and sd of each
        (NaN where it prints none), detectable (the difference of AUC
        from random weights that these patients show with 80 % power, from the paired DeLong
        variance; NaN without random weights), leaky (1 where the epoch was chosen on the tested
        patients), data.

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    full = predictions[predictions["fraction"] == 1]
    protocols = protocols or _shown(full)
    if methods is None:
        methods = {name: name for name in found_encoders(full)}
    else:
        _require(full, methods.values(), protocols)
    references = dict(zip(methods, methods, strict=True)) | {"weak_simclr": "weak_simclr-0.5"}
    return _results(full, "method", methods, references, disclaimers, protocols)


def table2(
    predictions: pd.DataFrame,
    betas: Mapping[float, str],
    disclaimers: Sequence[str] = (),
    protocols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compare weights of the weak loss (the paper's Table 2).

    Args:
        predictions: What `predictions.read` returns.
        betas: Weight in [0, 1] to encoder name, in the order of the rows.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.
        protocols: Evaluations to show, in order; None for those found, but for the nested one.

    Returns:
        As `table1`, with beta in place of method.

    Raises:
        UserError: An encoder has no predictions, or as `evaluation.to_arrays`.
    """
    full = predictions[predictions["fraction"] == 1]
    protocols = protocols or _shown(full)
    _require(full, betas.values(), protocols)
    rows = {float(beta): encoder for beta, encoder in betas.items()}
    references = {beta: formatting.BETA_ENDS.get(beta, f"weak_simclr-{beta:g}") for beta in rows}
    return _results(full, "beta", rows, references, disclaimers, protocols)


def found_encoders(predictions: pd.DataFrame) -> list[str]:
    """The encoders of a predictions table: the references first, the others in their order."""
    found = list(dict.fromkeys(predictions["encoder"]))
    return sorted(found, key=lambda name: REFERENCES.index(name) if name in REFERENCES else 9)


def found_protocols(predictions: pd.DataFrame) -> list[str]:
    """The protocols of a predictions table: the paper's first, then others, the nested one last."""
    found = list(dict.fromkeys(predictions["protocol"]))
    others = [name for name in found if name not in (*PROTOCOLS, NESTED)]
    return [name for name in (*PROTOCOLS, *others, NESTED) if name in found]


def _shown(predictions: pd.DataFrame) -> list[str]:
    """The protocols that Tables 1 and 2 show; the nested one only where there is no other."""
    found = found_protocols(predictions)
    return [protocol for protocol in found if protocol != NESTED] or found


def _require(predictions: pd.DataFrame, encoders: Iterable[str], protocols: Iterable[str]) -> None:
    """Raise a UserError that names every (encoder, protocol) without predictions."""
    found = set(predictions[["encoder", "protocol"]].itertuples(index=False, name=None))
    wanted = [(encoder, protocol) for encoder in encoders for protocol in protocols]
    if missing := [f"{pair[0]} ({pair[1]})" for pair in wanted if pair not in found]:
        raise UserError(
            f"no predictions of {', '.join(dict.fromkeys(missing))} on the whole training set. "
            "Run these evaluations, or leave the encoders out of the table."
        )


def _results(
    full: pd.DataFrame,
    name: str,
    rows: Mapping[object, str],
    references: Mapping[object, str],
    disclaimers: Sequence[str],
    protocols: Sequence[str],
) -> pd.DataFrame:
    """Give one row per entry of `rows` and protocol; see `table1` and `table2`.

    Args:
        full: Predictions by models of the whole training sets.
        name: First column, holding the keys of `rows`.
        rows: Key to encoder.
        references: Key to the encoder of `PAPER` beside it.
        disclaimers: What must be said of this run.
        protocols: Evaluations to show, in order.
    """
    # Random weights are what a difference is told of, shown or not.
    chosen = full[full["encoder"].isin([BASELINE, *rows.values()])]
    summaries = metrics.summary(metrics.by_fold(chosen)).set_index(["protocol", "encoder"])
    details = {protocol: _intervals(part) for protocol, part in chosen.groupby("protocol")}
    records = [
        {name: key, "protocol": protocol}
        | summaries.loc[(protocol, encoder)].to_dict()
        | details[protocol].loc[encoder].to_dict()
        | PAPER.get((references[key], protocol), Reference())._asdict()
        for key, encoder in rows.items()
        for protocol in protocols
        if (protocol, encoder) in summaries.index
    ]
    columns = [name, "protocol", "n_folds"]
    columns += [f"{m}_{part}" for m in metrics.MEASURES for part in ("mean", "sd", "low", "high")]
    columns += [*Reference._fields, "detectable", "leaky"]
    table = pd.DataFrame(records, columns=columns).astype({"n_folds": int, "leaky": int})
    return table.assign(data=formatting.data(disclaimers))


def _intervals(predictions: pd.DataFrame) -> pd.DataFrame:
    """Intervals, detectable difference and leak of each encoder of one protocol."""
    scores, weights = _resampled(predictions)
    estimates, draws = (
        evaluation.per_fold(scores, held)["balanced_accuracy"] for held in (None, weights)
    )
    aucs, covariance = _delong(scores)
    ends = {
        "auc": _auc_interval(aucs, covariance),
        "balanced_accuracy": _interval(estimates, draws),
    }
    columns = {
        f"{measure}_{end}": values
        for measure, both in ends.items()
        for end, values in zip(("low", "high"), both, strict=True)
    }
    table = pd.DataFrame(columns, scores.models)
    table["detectable"] = np.nan
    if BASELINE in scores.models:
        table["detectable"] = _detectable(covariance, scores.models.index(BASELINE))
    return table.assign(leaky=_leaky(predictions))


def _interval(estimate: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a share, on the logit scale, from its bootstrap draws (draws, ...)."""
    return comparison_tests.auc_interval(estimate, _variance(draws))


def _delong(scores: evaluation.Scores) -> tuple[np.ndarray, np.ndarray]:
    """The AUCs averaged over folds, and their covariance.

    A bootstrap draws a patient twice or not at all; of the few pairs of a fold it is too wide.
    """
    return comparison_tests.delong(scores.labels, scores.probabilities, scores.folds)


def _auc_interval(aucs: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of each AUC, from what `_delong` returns."""
    return comparison_tests.auc_interval(aucs, np.diag(covariance))


def _variance(draws: np.ndarray) -> np.ndarray:
    """Variance over bootstrap draws (draws, ...), but for those that the measure is unknown in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # unknown in all of them: NaN
        return np.nanvar(draws, axis=0, ddof=1)


def _resampled(predictions: pd.DataFrame) -> tuple[evaluation.Scores, np.ndarray]:
    """The scores of one protocol and fraction, with the bootstrap's weights of their patients."""
    scores = evaluation.to_arrays(predictions)
    return scores, comparison_tests.stratified_bootstrap(scores.labels, DRAWS, SEED)


def _detectable(covariance: np.ndarray, base: int) -> list[float]:
    """What difference from model `base` each could have shown; NaN where both rank alike."""
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


def _leaky(predictions: pd.DataFrame) -> pd.Series:
    """By encoder, 1 where an epoch was chosen on the tested patients."""
    if "leaky" not in predictions:
        return pd.Series(0, found_encoders(predictions))
    return predictions.groupby("encoder")["leaky"].max()


def learning_curve(predictions: pd.DataFrame, disclaimers: Sequence[str] = ()) -> pd.DataFrame:
    """Show what more training patients bring, without pretraining.

    Args:
        predictions: What `predictions.read` returns.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.

    Returns:
        One row per share of the training patients, rising: fraction, patients (the training
        patients of a fold, on average), auc_mean, auc_sd, auc_low, auc_high, n_folds, and the
        power law fitted through all shares with its interval: fitted, fitted_low, fitted_high
        (NaN for fewer than three shares); leaky, data. Empty without fine-tuning from random
        weights.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    chosen = predictions.query("encoder == @BASELINE and protocol == 'finetune'")
    columns = ["fraction", "patients", "auc_mean", "auc_sd", "auc_low", "auc_high", "n_folds"]
    columns += ["fitted", "fitted_low", "fitted_high", "leaky", "data"]
    if chosen.empty:
        return pd.DataFrame(columns=columns)
    table = metrics.summary(metrics.by_fold(chosen))
    draws, patients, ends = [], [], []
    for fraction, part in chosen.groupby("fraction"):
        scores, weights = _resampled(part)
        ends.append(np.concatenate(_auc_interval(*_delong(scores))))
        draws.append(evaluation.per_fold(scores, weights)["auc"][:, 0])
        tested = part.groupby(metrics.FOLD).size().mean()
        patients.append(fraction * (len(scores.patients) - tested))
    draws = np.stack(draws, axis=1)
    table["auc_low"], table["auc_high"] = np.transpose(ends)
    law = (table["auc_mean"], draws[:FITS], patients)
    fitted = comparison_tests.power_law_curve(patients, *law) if min(patients) > 0 else [np.nan] * 3
    table["fitted"], table["fitted_low"], table["fitted_high"] = fitted
    leaky = int(_leaky(chosen).max())
    return table.assign(patients=patients, leaky=leaky, data=formatting.data(disclaimers))[columns]


def measures(predictions: pd.DataFrame, disclaimers: Sequence[str] = ()) -> pd.DataFrame:
    """Evaluate every encoder in every protocol by every measure.

    Args:
        predictions: What `predictions.read` returns.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.

    Returns:
        One row per protocol, encoder and measure: protocol, encoder, measure, estimate, low, high
        (95 % interval), leaky, data. See `evaluation.measures` for what is taken per fold and what
        over all patients of a repeat.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = []
    for protocol, part in _by_protocol(predictions):
        scores, weights = _resampled(part)
        estimates, draws = evaluation.measures(scores), evaluation.measures(scores, weights)
        found = {name: (of, *_interval(of, draws[name])) for name, of in estimates.items()}
        found["auc"] = estimates["auc"], *_auc_interval(*_delong(scores))
        # The one measure that is no share.
        found["log_loss"] = estimates["log_loss"], *comparison_tests.interval(draws["log_loss"])
        calibrations = [_calibration(scores.labels, p) for p in scores.probabilities]
        leaky = _leaky(part)
        for number, encoder in enumerate(scores.models):
            of = {name: [column[number] for column in columns] for name, columns in found.items()}
            of |= calibrations[number]
            rows += [
                (protocol, encoder, name, *triple, leaky[encoder]) for name, triple in of.items()
            ]
    columns = ["protocol", "encoder", "measure", "estimate", "low", "high", "leaky"]
    return pd.DataFrame(rows, columns=columns).assign(data=formatting.data(disclaimers))


def _calibration(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, tuple]:
    """Calibration slope and intercept of one model, as `measures` has them."""
    values = comparison_tests.calibration(labels, probabilities)
    intervals = comparison_tests.calibration_interval(labels, probabilities)
    names = ("calibration_slope", "calibration_intercept")
    return {
        name: (value, *ends) for name, value, ends in zip(names, values, intervals, strict=True)
    }


def _by_protocol(predictions: pd.DataFrame) -> Iterable[tuple[str, pd.DataFrame]]:
    """The predictions by models of the whole training sets, a part per protocol."""
    full = predictions[predictions["fraction"] == 1]
    return [(name, full[full["protocol"] == name]) for name in found_protocols(full)]


def comparisons(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None = None,
    disclaimers: Sequence[str] = (),
) -> pd.DataFrame:
    """Compare methods with random weights and with SimCLR, within each protocol.

    Args:
        predictions: What `predictions.read` returns.
        methods: As for `table1`; beside its encoders, those of a nested choice are compared.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.

    Returns:
        One row per protocol, reference and encoder to compare: protocol, encoder, reference,
        difference (of the AUC averaged over folds, as in Table 1), low, high (95 % interval,
        paired, by DeLong's variance), p_delong and p_permutation (that it is 0), all for these
        trained models and other patients; t_low, t_high, p_corrected_t (the same for the methods,
        trained anew, from the spread over folds, Nadeau and Bengio; NaN where repeats are
        evaluated as a whole); p_holm (p_corrected_t, p_delong where there is none, adjusted for
        the number of encoders that are compared with this reference in this protocol); pooled,
        pooled_low, pooled_high (difference of the AUC pooled over folds, with its interval by a
        paired bootstrap over patients); detectable (the difference that these patients show with
        80 % power), leaky, data. Where neither reference was evaluated, the first encoder is the
        reference.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = []
    for protocol, part in _by_protocol(predictions):
        encoders_ = found_encoders(part)
        if methods:
            wanted = [*methods.values(), *(name for name in encoders_ if name.endswith("-nested"))]
            encoders_ = [name for name in dict.fromkeys(wanted) if name in encoders_]
            part = part[part["encoder"].isin(encoders_)]
        references = [name for name in REFERENCES if name in encoders_] or encoders_[:1]
        rows += [row | {"protocol": protocol} for row in _against(part, encoders_, references)]
    columns = ["protocol", "encoder", "reference", "difference", "low", "high"]
    columns += ["p_delong", "p_permutation", "t_low", "t_high", "p_corrected_t", "p_holm"]
    columns += ["pooled", "pooled_low", "pooled_high", "detectable", "leaky"]
    return pd.DataFrame(rows, columns=columns).assign(data=formatting.data(disclaimers))


def _against(
    predictions: pd.DataFrame, encoders_: Sequence[str], references: Sequence[str]
) -> list[dict]:
    """Compare encoders of one protocol with some of them; see `comparisons`."""
    scores, weights = _resampled(predictions)
    pooled, draws = (
        comparison_tests.fold_auc(scores.labels, scores.probabilities, None, held)
        for held in (None, weights)
    )
    aucs, covariance = _delong(scores)
    folds = metrics.by_fold(predictions)
    # Seeds share the folds: averaged, so that they are not counted as further splits.
    by_fold = folds.pivot_table(index=["repeat", "fold"], columns="encoder", values="auc")
    share = folds["n_patients"].mean() / len(scores.patients)
    leaky, rows = _leaky(predictions), []
    for reference in references:
        base, found = scores.models.index(reference), []
        detectable = _detectable(covariance, base)
        # Random weights are the first reference: not compared once more the other way round.
        for encoder in [name for name in encoders_ if name not in (reference, BASELINE)]:
            number = scores.models.index(encoder)
            difference = float(aucs[number] - aucs[base])
            variance = comparison_tests.variance_of_difference(covariance, number, base)
            low, high = comparison_tests.difference_interval(difference, variance)
            pair = scores.probabilities[number], scores.probabilities[base]
            corrected = t_low = t_high = np.nan
            if share < 1:
                differences = by_fold[encoder] - by_fold[reference]
                _, corrected, t_low, t_high = comparison_tests.nadeau_bengio(differences, share)
            apart = float(pooled[number] - pooled[base])
            spread = float(_variance(draws[:, number] - draws[:, base]))
            pooled_low, pooled_high = comparison_tests.difference_interval(apart, spread)
            found.append(
                {
                    "encoder": encoder,
                    "reference": reference,
                    "difference": difference,
                    "low": low,
                    "high": high,
                    "p_delong": comparison_tests.delong_test(aucs, covariance, number, base),
                    "p_permutation": comparison_tests.permutation(
                        scores.labels, *pair, PERMUTATIONS, SEED, scores.folds
                    ),
                    "t_low": t_low,
                    "t_high": t_high,
                    "p_corrected_t": corrected,
                    "pooled": apart,
                    "pooled_low": pooled_low,
                    "pooled_high": pooled_high,
                    "detectable": detectable[number],
                    "leaky": max(leaky[encoder], leaky[reference]),
                }
            )
        # Of equally good methods, trained anew, DeLong's test finds too many to differ.
        adjusted = comparison_tests.holm(
            [
                row["p_delong" if np.isnan(row["p_corrected_t"]) else "p_corrected_t"]
                for row in found
            ]
        )
        rows += [row | {"p_holm": p} for row, p in zip(found, adjusted, strict=True)]
    return rows


def nested(
    predictions: pd.DataFrame,
    methods: Mapping[str, str] | None,
    betas: Mapping[float, str],
    disclaimers: Sequence[str] = (),
) -> pd.DataFrame:
    """Tell what fixing C and the threshold beforehand, or choosing beta on tested folds, gains.

    Args:
        predictions: What `predictions.read` returns.
        methods: As for `table1`; of other encoders C and threshold are left out.
        betas: Weight in [0, 1] to encoder name, among which the best is sought.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.

    Returns:
        One row per protocol, encoder and choice: protocol, encoder, choice, against, measure,
        fixed, nested, optimism (fixed - nested), low, high (95 % interval by a paired bootstrap
        over patients, of the same fixed value), chosen (the values chosen inside the training
        folds, and how often), leaky, data. The choices are

        - C: the AUC of protocol linear against that of linear_nested;
        - threshold: the balanced accuracy of linear_nested at 0.5 against that at the threshold
          chosen in its training folds, of the same probabilities;
        - beta: the best AUC of all betas, chosen on the reported folds and so optimistic,
          against the AUC with beta chosen in the training folds.

        Empty without nested evaluations.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    rows = []
    linear, inner = (dict(_by_encoder(predictions, name)) for name in ("linear", NESTED))
    for encoder in [*methods.values(), experiment.NESTED] if methods else inner:
        if encoder not in inner:
            continue
        half = inner[encoder].assign(threshold=0.5)
        row = {"protocol": NESTED, "encoder": encoder}
        if encoder in linear:
            pair = linear[encoder], inner[encoder]
            rows.append(row | {"choice": "C", "against": "as set"} | _optimism("auc", *pair))
        pair = half, inner[encoder]
        at = {"choice": "threshold", "against": "0.5"}
        rows.append(row | at | _optimism("balanced_accuracy", *pair))
    for protocol in found_protocols(predictions):
        found = dict(_by_encoder(predictions, protocol))
        candidates = {beta: found[name] for beta, name in betas.items() if name in found}
        if candidates and experiment.NESTED in found:
            best = max(candidates, key=lambda beta: _auc(candidates[beta]))
            row = {"protocol": protocol, "encoder": experiment.NESTED, "choice": "beta"}
            against = {"against": f"{best:g} (optimistic: chosen on the reported folds)"}
            pair = candidates[best], found[experiment.NESTED]
            rows.append(row | against | _optimism("auc", *pair))
    for row in rows:
        chosen = dict(_by_encoder(predictions, row["protocol"]))[row["encoder"]]
        row["chosen"] = _chosen(chosen, row["choice"])
    columns = ["protocol", "encoder", "choice", "against", "measure", "fixed", "nested"]
    columns += ["optimism", "low", "high", "chosen", "leaky"]
    return pd.DataFrame(rows, columns=columns).assign(data=formatting.data(disclaimers))


def _by_encoder(predictions: pd.DataFrame, protocol: str) -> list[tuple[str, pd.DataFrame]]:
    """The predictions of one protocol by models of the whole training sets, by encoder."""
    full = predictions[(predictions["fraction"] == 1) & (predictions["protocol"] == protocol)]
    return [(name, full[full["encoder"] == name]) for name in found_encoders(full)]


def _optimism(measure: str, fixed: pd.DataFrame, nested: pd.DataFrame) -> dict:
    """Compare a measure of two sets of predictions of the same patients, by one encoder each."""
    parts = [_resampled(part) for part in (fixed, nested)]
    if parts[0][0].patients != parts[1][0].patients:
        raise UserError(
            f"{fixed['encoder'].iloc[0]} was tested on other patients by {NESTED} than by "
            "linear. Predict both again with the same cohort."
        )
    values = [float(evaluation.per_fold(scores)[measure][0]) for scores, _ in parts]
    draws = [evaluation.per_fold(scores, weights)[measure][:, 0] for scores, weights in parts]
    optimism, spread = values[0] - values[1], float(_variance(draws[0] - draws[1]))
    low, high = comparison_tests.difference_interval(optimism, spread)
    leaky = max(_leaky(part).max() for part in (fixed, nested))
    found = {"measure": measure, "fixed": values[0], "nested": values[1], "optimism": optimism}
    return found | {"low": low, "high": high, "leaky": leaky}


def _auc(predictions: pd.DataFrame) -> float:
    """The AUC of one encoder, averaged over folds."""
    return float(evaluation.per_fold(evaluation.to_arrays(predictions))["auc"][0])


def _chosen(predictions: pd.DataFrame, column: str) -> str:
    """The values of a column by fold, with how often: `0.1: 30, 1: 20`; of thresholds a range."""
    if column not in predictions:
        return ""
    values = predictions.drop_duplicates(metrics.FOLD)[column].dropna()
    counted = values.value_counts().sort_index()
    if column == "threshold":
        return f"{values.min():.2f} to {values.max():.2f}, median {values.median():.2f}"
    return ", ".join(f"{value:g}: {times}" for value, times in counted.items())


def aggregation(predictions: pd.DataFrame, disclaimers: Sequence[str] = ()) -> pd.DataFrame:
    """Compare ways from slices to patients.

    Args:
        predictions: What `predictions.read` returns; only rows with `by_slice` count.
        disclaimers: What must be said of this run, of `formatting.DISCLAIMERS`.

    Returns:
        One row per protocol, encoder and aggregation: protocol, encoder, aggregation, auc, low,
        high (95 % interval by a bootstrap over patients), leaky, data. The aggregations are
        slices (each for itself, no aggregation) and, of patients, `aggregation.KINDS`; learned is
        left out where there is one fold only. AUCs are averaged over folds, as in Table 1.
        Empty without `by_slice`.

    Raises:
        UserError: As `evaluation.to_arrays`.
    """
    columns = ["protocol", "encoder", "aggregation", "auc", "low", "high", "leaky"]
    rows = []
    for protocol in found_protocols(predictions) if "by_slice" in predictions else []:
        for encoder, part in _by_encoder(predictions, protocol):
            if part["by_slice"].fillna("").str.strip().eq("").any():
                continue
            for kind, value, draws in _aggregated(part):
                ends = map(float, _interval(value, draws))
                rows.append((protocol, encoder, kind, value, *ends, _leaky(part).max()))
    return pd.DataFrame(rows, columns=columns).assign(data=formatting.data(disclaimers))


def _aggregated(predictions: pd.DataFrame) -> list[tuple[str, float, np.ndarray]]:
    """AUC of one encoder and its bootstrap draws, by aggregation."""
    scores, weights = _resampled(predictions)
    order = predictions.sort_values(["seed", "repeat", "patient_id"])["by_slice"]
    texts = order.to_numpy().reshape(scores.folds.shape)
    of_slices = [[slices.values(text) for text in evaluation] for evaluation in texts]
    whole = np.vstack([np.ones(len(scores.patients)), weights])
    value, *draws = slices.slice_auc(scores.labels, of_slices, scores.folds, whole)
    found = [("slices", value, np.array(draws))]
    table = slices.aggregated(predictions)
    for kind in slices.KINDS:
        if table[kind].notna().all():
            scores = evaluation.to_arrays(table.assign(probability=table[kind]))
            value = evaluation.per_fold(scores)["auc"][0]
            found.append((kind, value, evaluation.per_fold(scores, weights)["auc"][:, 0]))
    return found


def read(path: str | Path) -> pd.DataFrame:
    """Read the CSV of a table; a method may be called None or NA."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def write(
    table: pd.DataFrame,
    csv_path: str | Path,
    md_path: str | Path,
    tex_path: str | Path,
    caption: str,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Write a table as CSV, Markdown and LaTeX; equal tables give equal bytes.

    Args:
        table: One of those that `all` returns.
        csv_path: Every column, numbers rounded to six decimals.
        md_path: For people; the paper's numbers in parentheses.
        tex_path: A `table` environment that needs booktabs.
        caption: Plain text.
        counts: What `metrics.counts` returns, for the note.
    """
    table = table.round(6)  # rounded once, so that every form prints the same
    readable = formatting.of(table, counts)
    files.write_csv(table, csv_path)
    files.write_text(formatting.markdown(readable, caption), md_path)
    files.write_text(formatting.latex(readable, caption), tex_path)
