"""Tables from a made-up predictions table: numbers, files and refusals."""

import itertools
import re
import subprocess
import sys
import warnings

import example_predictions
import example_report
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from example_predictions import BETAS, METHODS
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student_t
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, roc_auc_score

from hepatoclr.base.errors import UserError
from hepatoclr.reporting import formatting, layouts, markup
from hepatoclr.reporting.tables import common, performance, tables
from hepatoclr.reporting.tables import comparisons as comparisons_
from hepatoclr.reporting.tables import measures as measures_
from hepatoclr.stats import comparison_tests, evaluation, metrics
from hepatoclr.stats import predictions as predictions_of_run

COLUMNS = [
    "method",
    "protocol",
    "n_folds",
    "auc_mean",
    "auc_sd",
    "auc_low",
    "auc_high",
    "balanced_accuracy_mean",
    "balanced_accuracy_sd",
    "balanced_accuracy_low",
    "balanced_accuracy_high",
    "balanced_accuracy_youden_mean",
    "balanced_accuracy_youden_sd",
    "balanced_accuracy_youden_low",
    "balanced_accuracy_youden_high",
    "paper_auc_mean",
    "paper_auc_sd",
    "paper_balanced_accuracy_mean",
    "paper_balanced_accuracy_sd",
    "minimum_detectable_difference",
    "leaky",
    "data",
]


@pytest.fixture(scope="module")
def predictions():
    return example_predictions.predictions()


@pytest.fixture(scope="module")
def table1(predictions):
    return performance.table1(predictions, METHODS).assign(data="synthetic")


def written(folder, table, caption="Caption.", **settings):
    paths = [folder / f"table.{kind}" for kind in ("csv", "md", "tex")]
    tables.write(table, *paths, caption, **settings)
    return [path.read_text(encoding="utf-8") for path in paths]


def test_table1_has_the_agreed_columns_and_rows(table1):
    assert list(table1.columns) == COLUMNS
    assert list(zip(table1["method"], table1["protocol"], strict=True)) == [
        (method, protocol) for method in METHODS for protocol in ("linear", "finetune")
    ]
    assert set(table1["n_folds"]) == {5}


def test_table1_agrees_with_scikit_learn(predictions, table1):
    chosen = predictions.query("encoder == 'weak_simclr-0.5' and protocol == 'linear'")
    aucs = [roc_auc_score(f["label"], f["probability"]) for _, f in chosen.groupby("fold")]
    row = table1.set_index(["method", "protocol"]).loc[("weak_simclr", "linear")]
    assert row["auc_mean"] == pytest.approx(np.mean(aucs))
    assert row["auc_sd"] == pytest.approx(np.std(aucs, ddof=1))


def test_the_paper_stands_beside(table1):
    paper = table1.set_index(["method", "protocol"]).filter(like="paper_")
    assert paper.loc[("none", "linear")].isna().all()
    assert paper.loc[("none", "finetune")].tolist() == [0.77, 0.07, 0.72, 0.07]
    assert paper.loc[("supervised", "linear")].tolist() == [0.64, 0.19, 0.56, 0.10]
    assert paper.loc[("weak_simclr", "linear")].tolist() == [0.84, 0.05, 0.75, 0.06]
    assert paper.loc[("weak_simclr", "finetune")].tolist() == [0.81, 0.03, 0.73, 0.08]


def test_a_method_the_paper_does_not_know_has_no_reference(predictions):
    table = performance.table1(predictions, {"mine": "simclr"})
    assert table.filter(like="paper_").isna().all(axis=None)


def test_the_fraction_of_the_learning_curve_stays_out(predictions, table1):
    full = predictions[predictions["fraction"] == 1]
    pd.testing.assert_frame_equal(performance.table1(full, METHODS), table1.drop(columns="data"))


def test_table2_shows_the_same_runs_by_beta(predictions, table1):
    table2 = performance.table2(predictions, BETAS)
    assert list(table2.columns) == ["beta", *COLUMNS[1:-1]]
    assert table2["beta"].unique().tolist() == [0, 0.2, 0.5, 1]
    by_beta = table2.set_index(["beta", "protocol"])
    by_method = table1.drop(columns="data").set_index(["method", "protocol"])
    for beta, method in ((0, "simclr"), (0.5, "weak_simclr"), (1, "supervised")):
        assert by_beta.loc[(beta, "linear")].equals(by_method.loc[(method, "linear")])
    assert by_beta.loc[(0.2, "finetune"), "paper_balanced_accuracy_sd"] == 0.13


def test_learning_curve_rises_by_fraction(predictions):
    table = performance.learning_curve(predictions)
    assert list(table.columns) == [
        *("fraction", "patients", "auc_mean", "auc_sd", "auc_low", "auc_high", "n_folds"),
        *("fitted", "fitted_low", "fitted_high", "leaky"),
    ]
    assert table["fraction"].tolist() == [0.4, 0.6, 0.8, 1.0]
    assert table["patients"].tolist() == pytest.approx([32, 48, 64, 80])
    folds = metrics.by_fold(predictions.query("encoder == 'none' and protocol == 'finetune'"))
    means = folds.groupby("fraction")["auc"].mean()
    assert table["auc_mean"].tolist() == pytest.approx(means.tolist())
    for low, middle, high in (
        ("auc_low", "auc_mean", "auc_high"),
        ("fitted_low", "fitted", "fitted_high"),
    ):
        assert ((table[low] < table[middle]) & (table[middle] < table[high])).all()


def test_the_power_law_goes_through_points_that_follow_one(monkeypatch, predictions):
    curve = predictions.query("encoder == 'none' and protocol == 'finetune'")
    exact = {0.4: 32, 0.6: 48, 0.8: 64, 1.0: 80}
    law = {share: 0.9 - 2 * size**-0.6 for share, size in exact.items()}
    summary = metrics.summary
    monkeypatch.setattr(
        metrics, "summary", lambda folds: summary(folds).assign(auc_mean=list(law.values()))
    )
    assert performance.learning_curve(curve)["fitted"].tolist() == pytest.approx(
        list(law.values()), abs=2e-3
    )


def test_two_shares_are_no_curve(predictions):
    few = predictions.query("fraction in (0.4, 1)")
    table = performance.learning_curve(few)
    assert table["fitted"].isna().all()
    assert table["auc_low"].notna().all()


def test_missing_encoders_are_all_named(predictions):
    left = predictions.query("encoder not in ('simclr', 'supcon') or protocol == 'linear'")
    with pytest.raises(UserError, match=r"of simclr \(finetune\), supcon \(finetune\) on"):
        performance.table1(left, METHODS)


def test_only_a_fraction_is_no_full_result(predictions):
    part = predictions.query("encoder != 'none' or fraction < 1")
    with pytest.raises(UserError, match=r"none \(linear\), none \(finetune\) on the whole"):
        performance.table1(part, METHODS)


def test_equal_tables_give_equal_bytes(tmp_path, predictions, table1):
    shuffled = predictions.sample(frac=1, random_state=1)
    other = performance.table1(shuffled, METHODS).assign(data="synthetic")
    assert written(tmp_path / "a", table1) == written(tmp_path / "b", other)


def test_csv_is_rounded_and_reads_back(tmp_path, table1):
    csv, _, _ = written(tmp_path, table1)
    assert csv.splitlines()[0] == ",".join(COLUMNS)
    read = pd.read_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read, table1.round(6), check_dtype=False)
    assert max(len(cell) for cell in csv.splitlines()[1].split(",")[3:15]) <= 8


def hand_made(**columns):
    table = {
        "method": ["none", "simclr", "my_method&co"],
        "protocol": "linear",
        "n_folds": 5,
        "auc_mean": [0.731, 0.844, 0.838],
        "auc_sd": [0.06, 0.05, np.nan],
        "balanced_accuracy_mean": [0.7, 0.65, 0.699],
        "balanced_accuracy_sd": 0.1,
        "paper_auc_mean": [np.nan, 0.78, np.nan],
        "paper_auc_sd": [np.nan, 0.09, np.nan],
        "paper_balanced_accuracy_mean": [np.nan, 0.68, np.nan],
        "paper_balanced_accuracy_sd": [np.nan, 0.04, np.nan],
        "data": "cohort",
    }
    return pd.DataFrame(table | columns)


def test_the_best_of_each_column_is_marked_with_ties_as_printed(tmp_path):
    _, markdown, latex = written(tmp_path, hand_made())
    assert "| None (random weights) | 0.73 ± 0.06 " in markdown
    assert "| **0.84 ± 0.05** (0.78 ± 0.09) |" in markdown
    assert "| **0.84** " in markdown
    assert markdown.count("**0.70 ± 0.10**") == 2
    assert markdown.count("**") == 2 * 4
    assert r"\textbf{0.84 \textpm{} 0.05} & 0.65 \textpm{} 0.10 \\" in latex
    assert r"\quad \textit{paper} & \textit{0.78 \textpm{} 0.09} &" in latex
    assert latex.count(r"\textbf") == 4


def test_best_is_per_protocol(table1):
    readable = layouts.of(table1)
    assert readable.columns == [
        ("AUC", "linear"),
        ("AUC", "fine-tuned"),
        ("Balanced accuracy at 0.5", "linear"),
        ("Balanced accuracy at 0.5", "fine-tuned"),
        ("Balanced accuracy at Youden's threshold", "linear"),
        ("Balanced accuracy at Youden's threshold", "fine-tuned"),
    ]
    cells = dict(readable.rows)["Supervised"]
    assert [cell.paper for cell in cells[2:]] == ["0.56 ± 0.10", "0.64 ± 0.09"] * 2
    for column, (measure, protocol) in enumerate(
        (m, p) for m in metrics.MEASURES for p in common.PROTOCOLS
    ):
        part = table1[table1["protocol"] == protocol][f"{measure}_mean"].round(2).tolist()
        best = [cells[column].best for _, cells in readable.rows]
        assert best == [mean == max(part) for mean in part]


def idle(predictions):
    learned = {"supervised": True, "supcon": True, "simclr": True, "weak_simclr-0.5": False}
    return performance.table1(predictions, METHODS, learned)


def test_what_did_not_learn_is_marked_and_never_bold(tmp_path, predictions, table1):
    table = idle(predictions)
    known = table.set_index(["method", "protocol"])["learned"].xs("linear", level=1)
    assert known.drop("none").tolist() == [1, 1, 1, 0]
    assert known.isna()["none"]
    assert table1.set_index(["method", "protocol"])["auc_mean"].idxmax()[0] == "weak_simclr"
    csv, markdown, latex = written(tmp_path, table)
    again = layouts.of(tables.read(tmp_path / "table.csv"))
    assert again == layouts.of(table.round(6))
    rows = dict(again.rows)
    assert not any(cell.best for cell in rows["weak-SimCLR †"])
    for column in zip(*rows.values(), strict=True):
        assert sum(cell.best for cell in column) >= 1
    note = "did not learn, and is never bold: the loss of its last epoch is not clearly below"
    assert f"† {note}" in markdown
    assert f"\\textdagger{{}} {note}" in latex
    assert "weak-SimCLR \\textdagger{}" in latex
    assert csv.splitlines()[0].endswith("leaky,learned")
    assert csv.splitlines()[1].endswith(",0,")
    assert csv.splitlines()[-1].endswith(",0,0")


def test_the_same_encoder_is_marked_by_beta(predictions):
    table = performance.table2(predictions, BETAS, {"weak_simclr-0.5": False})
    names = [name for name, _ in layouts.of(table).rows]
    assert names == ["0 (SimCLR)", "0.2", "0.5 †", "1 (Supervised)"]


def test_where_nothing_is_known_the_tables_are_as_before(predictions, table1):
    for learned in ({}, {"another": False}):
        table = performance.table1(predictions, METHODS, learned)
        pd.testing.assert_frame_equal(table, table1.drop(columns="data"))
    assert "did not learn" not in " ".join(layouts.of(table1).notes)


def test_an_encoder_learned_if_it_did_with_every_seed():
    weak = {"method": "weak_simclr", "beta": 0.5}
    found = common.learned(
        [
            *({**weak, "learned": False}, {**weak, "learned": True}),
            *({"method": "simclr", "learned": True}, {"method": "simclr", "learned": True}),
            {"method": "supcon"},  # of an older version
            {"protocol": "finetune", "encoder": "none", "folds": [{"learned": False}]},
        ]
    )
    assert found == {"weak_simclr-0.5": False, "simclr": True}


def test_latex_is_escaped(tmp_path):
    _, _, latex = written(tmp_path, hand_made(), caption=r"50 % of {A_1} & B ~ C^2 \x β ± 1 $#")
    escaped = (
        r"\caption{50 \% of \{A\_1\} \& B \textasciitilde{} C\textasciicircum{}2 "
        r"\textbackslash{}x $\beta$ \textpm{} 1 \$\#}"
    )
    assert escaped in latex
    assert r"my\_method\&co & " in latex
    assert latex.isascii()
    assert latex.count(r"\begin{") == latex.count(r"\end{") == 2


def test_markdown_columns_line_up(tmp_path):
    _, markdown, _ = written(tmp_path, hand_made(method=["none", "a|b", "c"]))
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 5
    assert len({len(row) for row in rows}) == 1
    assert r"| a\|b " in markdown


def test_notes_say_what_the_numbers_are(tmp_path, predictions, table1):
    counts = metrics.counts(predictions)
    _, markdown, latex = written(tmp_path, table1, counts=counts)
    assert "over 5 folds. In square brackets the 95 % interval" in markdown
    assert "100 patients (60 positive, 40 negative)." in markdown
    half = (table1["auc_high"] - table1["auc_low"]) / 2
    assert f"of these patients is ± {half.min():.2f} to ± {half.max():.2f} wide" in markdown
    found = table1["minimum_detectable_difference"]
    assert f"only if it is {found.min():.2f} to {found.max():.2f} or more (alpha 0.05" in markdown
    assert "an AUC of 0.84 has a 95 % interval of about ± 0.075" in markdown
    assert formatting.SYNTHETIC in markdown
    assert formatting.SYNTHETIC in latex
    _, markdown, latex = written(tmp_path, hand_made(n_folds=[5, 5, 50]))
    assert "over 5 to 50 folds." in markdown
    assert "ynthetic" not in markdown + latex
    assert "of these patients is" not in markdown


def test_intervals_stand_in_every_markup(tmp_path, table1):
    row = table1.set_index(["method", "protocol"]).loc[("simclr", "linear")]
    interval = f"[{row['auc_low']:.2f}, {row['auc_high']:.2f}]"
    value = f"{row['auc_mean']:.2f} ± {row['auc_sd']:.2f}"
    _, markdown, latex = written(tmp_path, table1)
    assert f"| {value} {interval} (0.78 ± 0.09) " in markdown
    assert f" & {{{interval}}} & " in latex
    cell = dict(layouts.of(table1).rows)["SimCLR"][0]
    assert (cell.value, cell.interval, cell.paper) == (value, interval, "0.78 ± 0.09")


@pytest.mark.parametrize(
    ("disclaimers", "said", "data"),
    [
        ([], [], "cohort"),
        (["synthetic"], ["Synthetic cohort:"], "synthetic"),
        (
            ["synthetic", "permuted"],
            ["Synthetic cohort:", "Labels permuted:"],
            "synthetic permuted",
        ),
    ],
)
def test_every_table_carries_its_disclaimers(tmp_path, predictions, disclaimers, said, data):
    few = predictions.query("encoder in ('none', 'simclr')")
    for table in tables.all(
        few, {"none": "none", "simclr": "simclr"}, {0: "simclr"}, disclaimers
    ).values():
        _, markdown, latex = written(tmp_path, table)
        if len(table):
            assert table.columns[-1] == "data"
            assert set(table["data"]) == {data}
            for text in (markdown, latex):
                found = [word for word in ("Synthetic cohort:", "Labels permuted:") if word in text]
                assert found == said


def test_a_leak_is_marked_in_every_row_that_has_it(tmp_path, predictions):
    leaky = (predictions["protocol"] == "finetune") & (predictions["encoder"] == "simclr")
    table = performance.table1(predictions.assign(leaky=leaky.astype(int)), METHODS)
    marked = table.loc[table["leaky"] == 1, ["method", "protocol"]].to_numpy().tolist()
    assert marked == [["simclr", "finetune"]]
    _, markdown, latex = written(tmp_path, table)
    assert formatting.DISCLAIMERS["leaky"] in markdown
    assert "Leaky:" in latex
    _, markdown, _ = written(tmp_path, table[table["protocol"] == "linear"])
    assert "Leaky" not in markdown


def test_other_tables_are_readable_too(tmp_path, predictions):
    _, markdown, _ = written(tmp_path, performance.table2(predictions, BETAS))
    assert "| 0 (SimCLR) " in markdown
    assert "| 0.2 " in markdown
    curve = performance.learning_curve(predictions)
    _, markdown, latex = written(tmp_path, curve)
    assert "| 40 % (32) " in markdown
    assert "AUC power law" in markdown
    assert "**" not in markdown
    assert r"40 \% (32) & " in latex


# The bootstrap, DeLong and the tests have tests of their own; here each is wired to its rows.


def direct(predictions, protocol, encoder):
    part = predictions.query("protocol == @protocol and encoder == @encoder and fraction == 1")
    return evaluation.to_arrays(part)


def on_the_logit_scale(middle, error):
    half = 1.959964 * error / (middle * (1 - middle))
    return expit(logit(middle) + half * np.array([-1, 1]))


def test_intervals_of_the_auc_are_delongs_within_folds(predictions, table1):
    scores = direct(predictions, "finetune", "supcon")
    _, covariance = comparison_tests.delong(scores.labels, scores.probabilities, scores.folds)
    row = table1.set_index(["method", "protocol"]).loc[("supcon", "finetune")]
    expected = on_the_logit_scale(row["auc_mean"], np.sqrt(covariance[0, 0]))
    assert [row["auc_low"], row["auc_high"]] == pytest.approx(expected)


def test_intervals_of_balanced_accuracy_are_those_of_the_bootstrap(predictions, table1):
    row = table1.set_index(["method", "protocol"]).loc[("supcon", "finetune")]
    at_half = predictions.assign(threshold=0.5)
    for name, part in (("balanced_accuracy", at_half), ("balanced_accuracy_youden", predictions)):
        scores = direct(part, "finetune", "supcon")
        weights = comparison_tests.stratified_bootstrap(scores.labels, common.DRAWS, common.SEED)
        draws = evaluation.per_fold(scores, weights)["balanced_accuracy"]
        expected = on_the_logit_scale(row[f"{name}_mean"], draws.std(ddof=1))
        assert row[[f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(expected)


def test_published_balanced_accuracies_fit_youdens_threshold():
    """Normal scores of equal spread with the paper's AUCs, at 0.5 calibrated and at the best."""
    for protocol, below in (("linear", 0.056), ("finetune", 0.081)):
        paper = pd.DataFrame([row for (_, of), row in performance.PAPER.items() if of == protocol])
        apart = np.sqrt(2) * norm.ppf(paper["paper_auc_mean"])
        cut = apart / 2 + np.log(28 / 78) / apart  # where the odds of 78 to 28 are even
        at_half = (norm.cdf(apart - cut) + norm.cdf(cut)) / 2
        published = paper["paper_balanced_accuracy_mean"]
        assert (published - at_half).mean() == pytest.approx(below, abs=1e-3)
        assert abs((published - norm.cdf(apart / 2)).mean()) < 0.02


def test_the_pooled_difference_is_bootstrapped_in_pairs(complete, comparisons):
    part = complete.query("protocol == 'linear' and fraction == 1")
    both = evaluation.to_arrays(part[part["encoder"].isin(["none", "supcon"])])
    aucs = [
        np.mean([roc_auc_score(both.labels, scores) for scores in model])
        for model in both.probabilities
    ]
    weights = comparison_tests.stratified_bootstrap(both.labels, common.DRAWS, common.SEED)
    draws = comparison_tests.fold_auc(both.labels, both.probabilities, None, weights)
    sign = 1 if both.models == ["none", "supcon"] else -1
    row = comparisons.set_index(["protocol", "encoder", "reference"]).loc[
        ("linear", "supcon", "none")
    ]
    assert row["pooled"] == pytest.approx(sign * (aucs[1] - aucs[0]))
    half = 1.959964 * np.std(draws[:, 1] - draws[:, 0], ddof=1)
    assert (row["pooled_high"] - row["pooled_low"]) / 2 == pytest.approx(half)


def test_the_detectable_difference_is_that_of_the_paired_variance(predictions, table1):
    chosen = predictions.query("protocol == 'linear' and encoder in ('none', 'supcon')")
    scores = evaluation.to_arrays(chosen)
    _, covariance = comparison_tests.delong(scores.labels, scores.probabilities, scores.folds)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    row = table1.set_index(["method", "protocol"]).loc[("supcon", "linear")]
    # 1.96 + 0.84 standard errors
    assert row["minimum_detectable_difference"] == pytest.approx(
        (1.959964 + 0.841621) * np.sqrt(variance), rel=1e-5
    )
    assert table1.loc[table1["method"] == "none", "minimum_detectable_difference"].isna().all()


def test_a_table_made_by_hand_has_a_row_per_encoder(tmp_path):
    jobs = [example_predictions.job("linear", name) for name in ("simclr", "supcon")]
    table = pd.concat([jobs[0].assign(encoder="Reader A"), jobs[1].assign(encoder="None")])
    columns = ["encoder", "patient_id", "label", "probability"]
    table[columns].to_csv(tmp_path / "hand.csv", index=False)
    read = predictions_of_run.read([tmp_path / "hand.csv"])
    found = tables.all(read)
    table1 = found["table1"].set_index("method")
    assert list(table1.index) == ["None", "Reader A"]
    assert set(table1["protocol"]) == {"model"}
    assert table1["n_folds"].tolist() == [1, 1]
    expected = roc_auc_score(jobs[0]["label"], jobs[0]["probability"])
    assert table1.loc["Reader A", "auc_mean"] == pytest.approx(expected)
    assert table1["auc_low"].notna().all()
    assert table1["minimum_detectable_difference"].isna().all()
    (row,) = found["comparisons"].to_dict("records")
    assert (row["encoder"], row["reference"]) == ("Reader A", "None")
    assert np.isnan(row["p_corrected_t"])
    assert row["minimum_detectable_difference"] > 0
    for name in ("table2", "learning_curve", "nested", "aggregation"):
        assert found[name].empty
        _, markdown, latex = written(tmp_path, found[name])
        assert "Nothing to show" in markdown
        assert "Nothing to show" in latex
        assert tables.read(tmp_path / "table.csv").empty
    _, markdown, _ = written(tmp_path, found["table1"])
    assert "| Pretraining | AUC model " in markdown


def test_encoders_of_some_protocols_leave_gaps(tmp_path, predictions):
    part = predictions.query("encoder == 'simclr' or (encoder == 'none' and protocol == 'linear')")
    table = performance.table1(part)
    assert len(table) == 3
    _, markdown, _ = written(tmp_path, table)
    line = next(line for line in markdown.splitlines() if line.startswith("| None"))
    assert [bool(cell.strip()) for cell in line.split("|")[1:-1]] == [
        True,
        *([True, False] * 3),
    ]


def test_folds_of_one_class_are_mentioned(tmp_path):
    jobs = [example_predictions.job("linear", name, patients=25) for name in ("none", "simclr")]
    alone = pd.concat([job.assign(fold=np.arange(25) + 1) for job in jobs])
    table = performance.table1(alone)
    assert table["n_folds"].tolist() == [0, 0]
    expected = roc_auc_score(jobs[1]["label"], jobs[1]["probability"])
    assert table["auc_mean"].tolist()[1] == pytest.approx(expected)
    _, markdown, _ = written(tmp_path, table)
    assert "every repeat was evaluated as a whole" in markdown
    assert "Of plain leave-one-out such an AUC is biased" in markdown


@pytest.fixture(scope="module")
def complete():
    return example_predictions.complete(repeats=2, seeds=(1, 2))


@pytest.fixture(scope="module")
def measures(complete):
    part = complete.query("encoder in ('none', 'simclr')")
    return measures_.measures(part).set_index(["protocol", "encoder", "measure"])


def test_measures_have_a_row_each_with_its_interval(measures):
    assert len(measures) == 3 * 2 * 12
    assert set(measures.index.get_level_values("measure")) == set(formatting.MEASURE_COLUMNS)
    assert (
        (measures["low"] < measures["estimate"]) & (measures["estimate"] < measures["high"])
    ).all()


def test_measures_agree_with_scikit_learn(complete, measures):
    part = complete.query("protocol == 'linear' and encoder == 'simclr'")
    jobs = [job for _, job in part.groupby(["seed", "repeat"])]
    brier = np.mean([brier_score_loss(job["label"], job["probability"]) for job in jobs])
    pooled = np.mean([roc_auc_score(job["label"], job["probability"]) for job in jobs])
    found = measures.loc[("linear", "simclr"), "estimate"]
    assert found["brier"] == pytest.approx(brier)
    assert found["auc_pooled"] == pytest.approx(pooled)


def test_measures_take_the_configured_threshold_and_name_it(complete, tmp_path):
    part = complete.query("encoder == 'simclr' and seed == 1 and repeat == 1 and fraction == 1")
    beside = part[part["protocol"] == "linear"].assign(protocol="linear_scaled")
    both = [tables.all(pd.concat([part, beside]), threshold=kind) for kind in ("youden", 0.5)]
    pd.testing.assert_frame_equal(both[0]["table1"], both[1]["table1"])
    for found, name in zip(both, ("balanced_accuracy_youden", "balanced_accuracy"), strict=True):
        rows = found["measures"].set_index(["protocol", "measure"])
        expected = found["table1"].set_index("protocol").loc["linear"]
        for protocol in ("linear", "linear_scaled"):
            row = rows.loc[(protocol, "balanced_accuracy")]
            assert row["estimate"] == pytest.approx(expected[f"{name}_mean"])
            assert [row["low"], row["high"]] == [expected[f"{name}_{e}"] for e in ("low", "high")]
    notes = [written(tmp_path, found["measures"])[1] for found in both]
    assert "The threshold is Youden's. " in notes[0]
    assert "The threshold is 0.5, but for linear nested Youden's." in notes[1]
    others = [name for name in tables.TITLES if name != "measures"]
    for name in others:
        assert "linear_scaled" not in both[0][name].to_csv(), name
    labels = [name for name, _ in layouts.of(both[0]["measures"]).rows]
    assert labels == [
        f"SimCLR, {name}" for name in ("linear", "linear scaled", "fine-tuned", "linear nested")
    ]


def test_calibration_is_a_regression_on_the_logits(complete, measures):
    part = complete.query("protocol == 'linear' and encoder == 'simclr'")
    model = LogisticRegression(C=np.inf, tol=1e-10)
    model.fit(logit(part[["probability"]]), part["label"])
    found = measures.loc[("linear", "simclr")]
    assert found.loc["calibration_slope", "estimate"] == pytest.approx(model.coef_.item(), abs=1e-3)
    clusters = {"groups": part["patient_id"]}
    fit = sm.Logit(part["label"], sm.add_constant(logit(part["probability"])))
    expected = fit.fit(disp=False, cov_type="cluster", cov_kwds=clusters).conf_int().iloc[1]
    interval = found.loc["calibration_slope", ["low", "high"]]
    assert interval.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    # Calibration in the large: with the slope fixed at 1 the mean is right.
    shifted = expit(logit(part["probability"]) + found.loc["calibration_intercept", "estimate"])
    assert shifted.mean() == pytest.approx(part["label"].mean(), abs=1e-6)
    # Its error by hand: what each patient adds to the score, all repeats together.
    added = (part["label"] - shifted).groupby(part["patient_id"]).sum()
    error = np.sqrt((added**2).sum()) / (shifted * (1 - shifted)).sum()
    low, high = found.loc["calibration_intercept", ["low", "high"]]
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.01)


@pytest.fixture(scope="module")
def comparisons(complete):
    return comparisons_.comparisons(complete, METHODS)


def test_methods_are_compared_with_both_references(comparisons):
    pairs = comparisons.groupby("protocol")[["encoder", "reference"]].apply(
        lambda part: sorted(part.itertuples(index=False, name=None))
    )
    others = ["supcon", "supervised", "weak_simclr-0.5"]
    expected = sorted(
        [(name, "none") for name in [*others, "simclr"]] + [(name, "simclr") for name in others]
    )
    assert pairs["linear"] == expected
    nested = sorted([*expected, ("weak_simclr-nested", "none"), ("weak_simclr-nested", "simclr")])
    assert pairs["finetune"] == pairs["linear_nested"] == nested


def test_differences_are_those_of_table_1(complete, comparisons):
    table1 = performance.table1(complete, METHODS).set_index(["method", "protocol"])["auc_mean"]
    rows = comparisons.set_index(["protocol", "encoder", "reference"])
    found = rows.loc[("finetune", "supcon", "simclr")]
    expected = table1["supcon", "finetune"] - table1["simclr", "finetune"]
    assert found["difference"] == pytest.approx(expected)
    assert (comparisons["low"] < comparisons["difference"]).all()
    assert (comparisons["difference"] < comparisons["high"]).all()


def test_holm_counts_the_methods_of_a_reference_and_protocol(comparisons):
    for _, part in comparisons.groupby(["protocol", "reference"]):
        ranked = part.sort_values("p_corrected_t")
        factors = len(part) - np.arange(len(part))
        expected = np.minimum(np.maximum.accumulate(ranked["p_corrected_t"] * factors), 1)
        assert ranked["p_holm"].tolist() == pytest.approx(expected.tolist())


def test_the_corrected_t_test_averages_seeds(complete, comparisons):
    folds = metrics.by_fold(
        complete.query("protocol == 'linear' and encoder in ('none', 'supcon')")
    )
    wide = folds.pivot_table(index=["repeat", "fold"], columns="encoder", values="auc")
    d = wide["supcon"] - wide["none"]
    assert len(d) == 10
    t = d.mean() / np.sqrt((1 / 10 + 20 / 80) * d.var(ddof=1))
    rows = comparisons.set_index(["protocol", "encoder", "reference"])
    found = rows.loc[("linear", "supcon", "none"), "p_corrected_t"]
    assert found == pytest.approx(2 * student_t.sf(abs(t), 9))
    low, high = rows.loc[("linear", "supcon", "none"), ["t_low", "t_high"]]
    half = student_t.ppf(0.975, 9) * abs(d.mean() / t)
    assert (low, high) == pytest.approx((d.mean() - half, d.mean() + half))


def test_equal_methods_do_not_differ(complete, tmp_path):
    none = complete.query("protocol == 'linear' and encoder == 'none'")
    twice = pd.concat([none, none.assign(encoder="same")])
    (row,) = comparisons_.comparisons(twice).to_dict("records")
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)
    assert row["p_delong"] == row["p_permutation"] == row["p_holm"] == 1
    assert np.isnan(row["minimum_detectable_difference"])
    _, markdown, _ = written(tmp_path, comparisons_.comparisons(twice))
    assert "nan" not in markdown
    assert "80 % power" not in markdown


def test_few_patients_give_tables_without_warnings(tmp_path):
    # Two positive patients in folds of their own: some draws know no fold; nobody is called.
    jobs = [example_predictions.job("linear", name, patients=8) for name in ("none", "simclr")]
    few = pd.concat(jobs).assign(threshold=1.0)
    few["label"] = few["patient_id"].isin(["0012", "0016"]).astype(int)
    few["fold"] = few["patient_id"].isin(["0012", "0013", "0014", "0015"]) + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tables.all(few)
    measures = found["measures"].set_index(["encoder", "measure"])
    assert measures.loc[("simclr", "ppv"), ["estimate", "low", "high"]].isna().all()
    assert found["comparisons"]["low"].notna().all()


@pytest.fixture(scope="module")
def nested(complete):
    return comparisons_.nested(complete, METHODS, BETAS).set_index(
        ["protocol", "encoder", "choice"]
    )


def mean_auc(predictions, protocol, encoder):
    chosen = predictions.query("protocol == @protocol and encoder == @encoder and fraction == 1")
    return metrics.by_fold(chosen)["auc"].mean()


def test_nested_c_is_compared_with_the_fixed_one(complete, nested):
    row = nested.loc[("linear_nested", "simclr", "C")]
    assert row["measure"] == "auc"
    assert row["fixed"] == pytest.approx(mean_auc(complete, "linear", "simclr"))
    assert row["nested"] == pytest.approx(mean_auc(complete, "linear_nested", "simclr"))
    assert row["optimism"] == pytest.approx(row["fixed"] - row["nested"])
    assert row["low"] < row["optimism"] < row["high"]
    assert row["chosen"] == "0.1: 12, 1: 8"


def test_the_nested_threshold_is_compared_on_the_same_probabilities(complete, nested):
    row = nested.loc[("linear_nested", "simclr", "threshold")]
    chosen = complete.query("protocol == 'linear_nested' and encoder == 'simclr'")
    half, own = [], []
    for _, fold in chosen.groupby(["seed", "repeat", "fold"]):
        p, y = fold["probability"], fold["label"]
        half.append(balanced_accuracy_score(y, p >= 0.5))
        own.append(balanced_accuracy_score(y, p >= fold["threshold"]))
    assert row["fixed"] == pytest.approx(np.mean(half))
    assert row["nested"] == pytest.approx(np.mean(own))
    assert row["chosen"] == "0.40 to 0.60, median 0.50"


@pytest.mark.parametrize("protocol", ["linear_nested", "finetune"])
def test_the_best_beta_of_the_reported_folds_is_called_optimistic(complete, nested, protocol):
    row = nested.loc[(protocol, "weak_simclr-nested", "beta")]
    best = max((mean_auc(complete, protocol, encoder), beta) for beta, encoder in BETAS.items())
    assert row["fixed"] == pytest.approx(best[0])
    assert row["against"] == f"{best[1]:g} (optimistic: chosen on the reported folds)"
    assert row["nested"] == pytest.approx(mean_auc(complete, protocol, "weak_simclr-nested"))
    assert row["chosen"] == "0: 4, 0.2: 4, 0.5: 12"


def test_many_chosen_values_are_given_as_a_range(complete):
    part = complete.query("protocol == 'linear_nested' and encoder == 'none'")
    spread = part["fold"] / 10 + part["repeat"] / 100
    row = comparisons_.nested(part.assign(threshold=spread), None, {}).iloc[0]
    assert row["chosen"] == "0.11 to 0.52, median 0.32"


def test_aggregation_starts_from_the_slices(complete):
    part = complete.query("encoder == 'simclr' and protocol == 'linear'")
    table = measures_.aggregation(part).set_index("aggregation")
    assert list(table.index) == ["slices", "mean", "median", "max", "learned"]
    assert table.loc["mean", "auc"] == pytest.approx(mean_auc(complete, "linear", "simclr"))
    slices = part.assign(by_slice=part["by_slice"].str.split()).explode("by_slice")
    slices = slices.astype({"by_slice": float})
    aucs = [
        roc_auc_score(fold["label"], fold["by_slice"])
        for _, fold in slices.groupby(["seed", "repeat", "fold"])
    ]
    assert table.loc["slices", "auc"] == pytest.approx(np.mean(aucs))
    assert ((table["low"] < table["auc"]) & (table["auc"] < table["high"])).all()


def test_encoders_without_slices_are_omitted(complete):
    part = complete.query("encoder in ('none', 'simclr') and protocol == 'linear'")
    gone = part.assign(by_slice=part["by_slice"].mask(part["encoder"] == "none"))
    assert set(measures_.aggregation(gone)["encoder"]) == {"simclr"}


def test_every_table_of_a_whole_run_is_written(tmp_path, complete):
    part = complete.query("seed == 1 and repeat == 1")
    found = tables.all(part, METHODS, BETAS, ["synthetic"])
    assert list(found) == list(tables.TITLES)
    for name, table in found.items():
        csv, markdown, latex = written(tmp_path, table, caption=tables.TITLES[name])
        assert len(csv.splitlines()) == len(table) + 1 > 1, name
        rows = [line for line in markdown.splitlines() if line.startswith("|")]
        assert len({len(row) for row in rows}) == 1
        assert "nan" not in markdown + latex
        assert latex.isascii()
        assert latex.count("{") == latex.count("}")
        # Every row has as many cells as the table has columns.
        columns = re.search(r"begin.tabular.{2}l(c+)", latex).group(1)
        body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
        assert {line.count("&") for line in body.splitlines()[1:]} == {len(columns)}
        read = tables.read(tmp_path / "table.csv")
        assert layouts.of(read) == layouts.of(table.round(6))


def test_the_same_predictions_give_the_same_tables(complete):
    part = complete.query("seed == 1 and repeat == 1 and encoder in ('none', 'simclr')")
    shuffled = part.sample(frac=1, random_state=1).sort_values(metrics.FOLD)
    rows = {"none": "none", "simclr": "simclr"}
    for one, other in itertools.zip_longest(
        *(tables.all(table, rows).values() for table in (part, shuffled))
    ):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(
    "module",
    ["reporting.tables.tables", "reporting.formatting", "reporting.report", "stats.evaluation"],
)
def test_import_is_light(module):
    code = (
        f"import sys, hepatoclr.{module}; "
        "print([m for m in ('matplotlib', 'sklearn', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_baselines_for_people():
    text = markup.markdown(layouts.of(example_report.baselines()), tables.BASELINES)
    assert re.search(r"^\| SimCLR \+ platelets +\| 0.81 ", text, re.M)
    assert "**0.72** [0.56, 0.84]" in text
    assert "0.09 [0.02, 0.16]" in text
    assert "nan" not in text
