import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from hepatoclr.base.errors import UserError
from hepatoclr.reporting import compare

ROOT = Path(__file__).parents[2]


def hand_made():
    """Two models and nothing but what is needed, as anybody would write it."""
    rng = np.random.default_rng(0)
    label = (np.arange(60) % 3 == 0).astype(int)
    models = {"ours": 1.5, r"$\x$|'!A1 <b>theirs</b>": 0.5}
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "encoder": name,
                    "patient_id": [f"{number:03}" for number in range(60)],
                    "label": label,
                    "probability": 1 / (1 + np.exp(rng.normal(size=60) - signal * label)),
                }
            )
            for name, signal in models.items()
        ]
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    hand_made().to_csv(folder / "mine.csv", index=False)
    compare.run([folder / "mine.csv"], folder / "out")
    return folder / "out"


def test_a_hand_made_table_goes_through_tables_figures_and_report(compared):
    table = pd.read_csv(compared / "tables/table1.csv")
    for name, part in hand_made().groupby("encoder"):
        expected = roc_auc_score(part["label"], part["probability"])
        row = table[table["method"] == name].iloc[0]
        assert row["auc_mean"] == pytest.approx(expected, abs=1e-6)
        assert row["auc_low"] < expected < row["auc_high"]
    for name in ("roc", "calibration", "decision_curve"):
        assert "<svg" in (compared / f"figures/{name}.svg").read_text()
    assert not table.filter(like="youden").size  # all at 0.5
    page = (compared / "report.html").read_text()
    assert "ours has the highest AUC" in page
    assert "<b>theirs" not in page
    assert "<b>theirs" not in (compared / "tables/table1.md").read_text()


def test_sections_without_input_are_omitted(compared):
    made = {path.stem for path in (compared / "tables").iterdir()}
    assert made == {"table1", "measures", "comparisons"}
    page = (compared / "report.html").read_text()
    for section in ("Learning curve", "Patient flow", "Cost", "Settings"):
        assert not re.search(rf"<h2[^>]*>{section}", page)


def of_hospitals(count, folder):
    """A file per hospital, as each would send it."""
    paths = []
    for number in range(count):
        table = hand_made().assign(site=f"hospital {number}")
        table["patient_id"] += f"-{number}"
        paths.append(folder / f"hospital{number}.csv")
        table.to_csv(paths[-1], index=False)
    return paths


def test_hospitals_that_exchange_predictions_alone_are_summarised(tmp_path):
    compare.run(of_hospitals(3, tmp_path), tmp_path / "out")
    found = pd.read_csv(tmp_path / "out/tables/hospitals.csv").set_index("encoder")
    assert found["hospitals"].eq(3).all()
    assert 0.7 < found.loc["ours", "auc"] < 0.95
    page = (tmp_path / "out/report.html").read_text()
    assert "Over 3 hospitals ours" in page
    compare.run(of_hospitals(2, tmp_path), tmp_path / "two")
    assert pd.read_csv(tmp_path / "two/tables/hospitals.csv").empty


def test_a_row_without_its_hospital_is_named(tmp_path):
    table = hand_made().assign(site="a")
    table.loc[3, "site"] = ""
    table.to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(UserError, match=r"patient 003 has no site \(2 rows in all\)"):
        compare.run([tmp_path / "mine.csv"], tmp_path / "out")


def test_columns_beside_the_needed_ones_are_used(tmp_path):
    table = hand_made()
    table["fold"] = np.tile(np.arange(60) % 5 + 1, 2)
    table = pd.concat([table, table.head(60).assign(encoder="none", probability=0.5)])
    table["threshold"] = 0.4
    table.to_csv(tmp_path / "mine.csv", index=False)
    compare.run([tmp_path / "mine.csv"], tmp_path / "out")
    table1 = pd.read_csv(tmp_path / "out/tables/table1.csv", keep_default_na=False)
    assert table1["n_folds"].eq(5).all()
    assert (table1["balanced_accuracy_youden_mean"] != table1["balanced_accuracy_mean"]).any()
    assert (tmp_path / "out/figures/comparisons.svg").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="label"), "lacks the column"),
        (lambda table: table.assign(probability=2), "outside [0, 1]"),
        (lambda table: table.assign(label=1), "all 60 patients have label 1"),
    ],
)
def test_mistakes_end_as_one_message_without_a_traceback(tmp_path, change, message):
    change(hand_made()).to_csv(tmp_path / "mine.csv", index=False)
    run = subprocess.run(
        [sys.executable, "-m", "hepatoclr", "compare", "mine.csv", "--output", "out"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert message in run.stderr
    assert not (tmp_path / "out").exists()
