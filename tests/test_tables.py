"""Tables from a made-up predictions table: numbers, files and refusals."""

import subprocess
import sys

import example_predictions
import numpy as np
import pandas as pd
import pytest
from example_predictions import BETAS, METHODS
from sklearn.metrics import roc_auc_score

from hepatoclr import layout, metrics, tables
from hepatoclr.errors import UserError

COLUMNS = [
    "method",
    "protocol",
    "n_folds",
    "auc_mean",
    "auc_sd",
    "balanced_accuracy_mean",
    "balanced_accuracy_sd",
    "paper_auc_mean",
    "paper_auc_sd",
    "paper_balanced_accuracy_mean",
    "paper_balanced_accuracy_sd",
    "data",
]


@pytest.fixture(scope="module")
def predictions():
    return example_predictions.predictions()


@pytest.fixture(scope="module")
def table1(predictions):
    return tables.table1(predictions, METHODS, synthetic=True)


def written(folder, table, caption="Caption.", **settings):
    paths = [folder / f"table.{kind}" for kind in ("csv", "md", "tex")]
    tables.write(table, *paths, caption, **settings)
    return [path.read_text(encoding="utf-8") for path in paths]


def test_table1_has_the_agreed_columns_and_rows(table1):
    assert list(table1.columns) == COLUMNS
    assert list(zip(table1["method"], table1["protocol"], strict=True)) == [
        (method, protocol) for method in METHODS for protocol in ("linear", "finetune")
    ]
    assert set(table1["data"]) == {"synthetic"}
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
    table = tables.table1(predictions, {"mine": "simclr"}, synthetic=False)
    assert table.filter(like="paper_").isna().all(axis=None)
    assert set(table["data"]) == {"cohort"}


def test_the_fraction_of_the_learning_curve_stays_out(predictions, table1):
    full = predictions[predictions["fraction"] == 1]
    pd.testing.assert_frame_equal(tables.table1(full, METHODS, synthetic=True), table1)


def test_table2_shows_the_same_runs_by_beta(predictions, table1):
    table2 = tables.table2(predictions, BETAS, synthetic=True)
    assert list(table2.columns) == ["beta", *COLUMNS[1:]]
    assert table2["beta"].unique().tolist() == [0, 0.2, 0.5, 1]
    by_beta = table2.set_index(["beta", "protocol"])
    by_method = table1.set_index(["method", "protocol"])
    for beta, method in ((0, "simclr"), (0.5, "weak_simclr"), (1, "supervised")):
        assert by_beta.loc[(beta, "linear")].equals(by_method.loc[(method, "linear")])
    assert by_beta.loc[(0.2, "finetune"), "paper_balanced_accuracy_sd"] == 0.13


def test_learning_curve_rises_by_fraction(predictions):
    table = tables.learning_curve(predictions, synthetic=False)
    assert list(table.columns) == ["fraction", "auc_mean", "auc_sd", "n_folds", "data"]
    assert table["fraction"].tolist() == [0.4, 0.6, 0.8, 1.0]
    folds = metrics.by_fold(predictions.query("encoder == 'none' and protocol == 'finetune'"))
    means = folds.groupby("fraction")["auc"].mean()
    assert table["auc_mean"].tolist() == pytest.approx(means.tolist())


def test_protocols_can_be_chosen(predictions):
    linear = predictions[predictions["protocol"] == "linear"]
    table = tables.table1(linear, METHODS, synthetic=True, protocols=["linear"])
    assert set(table["protocol"]) == {"linear"}


def test_missing_encoders_are_all_named(predictions):
    left = predictions.query("encoder not in ('simclr', 'supcon') or protocol == 'linear'")
    with pytest.raises(UserError, match=r"of simclr \(finetune\), supcon \(finetune\) on"):
        tables.table1(left, METHODS, synthetic=True)
    with pytest.raises(UserError, match=r"of none \(finetune\)"):
        tables.learning_curve(predictions[predictions["protocol"] == "linear"], synthetic=True)


def test_only_a_fraction_is_no_full_result(predictions):
    part = predictions.query("encoder != 'none' or fraction < 1")
    with pytest.raises(UserError, match=r"none \(linear\), none \(finetune\) on the whole"):
        tables.table1(part, METHODS, synthetic=True)


def test_predictions_are_read_as_written(tmp_path, predictions):
    jobs = predictions.groupby(["protocol", "encoder", "fraction"])
    paths = []
    for number, (_, job) in enumerate(jobs):
        paths.append(tmp_path / f"{number}.csv")
        job.to_csv(paths[-1], index=False)
    read = tables.read_predictions(paths)
    assert "0012" in set(read["patient_id"])
    order = [*metrics.FOLD, "patient_id"]
    expected = predictions.sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(tables.read_predictions(paths[::-1]), read)


def test_patients_may_be_called_anything(tmp_path):
    job = example_predictions.job("linear", "none", patients=4, folds=1)
    job.assign(patient_id=["NA", "None", "007", "1e3"]).to_csv(tmp_path / "p.csv", index=False)
    read = tables.read_predictions([tmp_path / "p.csv"])
    assert set(read["patient_id"]) == {"NA", "None", "007", "1e3"}
    assert set(read["encoder"]) == {"none"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns=["label", "slices"]), "lacks the columns label, slices"),
        (lambda t: t.assign(label="F3"), "label must be int throughout"),
        (lambda t: t.assign(probability="high"), "probability must be float throughout"),
        (lambda t: t.assign(patient_id=""), "line 2: patient_id is missing"),
        (lambda t: t.assign(fraction=np.nan), "line 2: fraction is missing"),
        (lambda t: pd.concat([t, t]), "patient 0012 is predicted twice by simclr"),
        (
            lambda t: pd.concat([t, t.assign(encoder="none", label=1 - t["label"])]),
            "patient 0012 has label 0 in one file and 1 in another",
        ),
    ],
)
def test_bad_files_are_refused(tmp_path, change, said):
    change(example_predictions.job("linear", "simclr")).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(UserError, match=said):
        tables.read_predictions([tmp_path / "p.csv"])


def test_a_missing_probability_is_reported_with_its_fold(tmp_path):
    job = example_predictions.job("linear", "simclr")
    job.loc[0, "probability"] = np.nan
    job.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(UserError, match="linear simclr, repeat 1, fold 1: 1 of 20"):
        metrics.by_fold(tables.read_predictions([tmp_path / "p.csv"]))


def test_no_files_are_refused():
    with pytest.raises(UserError, match="no predictions to read"):
        tables.read_predictions([])


def test_equal_tables_give_equal_bytes(tmp_path, predictions, table1):
    shuffled = predictions.sample(frac=1, random_state=1)
    again = tables.table1(shuffled, METHODS, synthetic=True)
    assert written(tmp_path / "a", table1) == written(tmp_path / "b", again)


def test_csv_is_rounded_and_reads_back(tmp_path, table1):
    csv, _, _ = written(tmp_path, table1)
    assert csv.splitlines()[0] == ",".join(COLUMNS)
    read = pd.read_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read, table1.round(6), check_dtype=False)
    assert max(len(cell) for cell in csv.splitlines()[1].split(",")[3:7]) <= 8


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
    readable = layout.of(table1)
    assert readable.columns == [
        ("AUC", "linear"),
        ("AUC", "fine-tuned"),
        ("Balanced accuracy", "linear"),
        ("Balanced accuracy", "fine-tuned"),
    ]
    for column, (measure, protocol) in enumerate(
        (m, p) for m in metrics.MEASURES for p in tables.PROTOCOLS
    ):
        part = table1[table1["protocol"] == protocol][f"{measure}_mean"].round(2).tolist()
        best = [cells[column].best for _, cells in readable.rows]
        assert best == [mean == max(part) for mean in part]


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
    assert "over 5 folds; 100 patients (60 positive, 40 negative)." in markdown
    assert "an AUC of 0.84 has a 95 % interval of about ± 0.075" in markdown
    assert layout.SYNTHETIC in markdown
    assert layout.SYNTHETIC in latex
    _, markdown, latex = written(tmp_path, hand_made(n_folds=[5, 5, 50]))
    assert "over 5 to 50 folds." in markdown
    assert "ynthetic" not in markdown + latex


def test_other_tables_are_readable_too(tmp_path, predictions):
    _, markdown, _ = written(tmp_path, tables.table2(predictions, BETAS, synthetic=True))
    assert "| 0 (SimCLR) " in markdown
    assert "| 0.2 " in markdown
    curve = tables.learning_curve(predictions, synthetic=True)
    _, markdown, latex = written(tmp_path, curve)
    assert "| 40 % " in markdown
    assert "**" not in markdown
    assert r"40 \% & " in latex


@pytest.mark.parametrize("module", ["tables", "layout", "metrics", "report"])
def test_import_is_light(module):
    code = (
        f"import sys, hepatoclr.{module}; "
        "print([m for m in ('matplotlib', 'sklearn', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
