from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hepatoclr.cohorts import cohort_table, manifests, splits
from hepatoclr.stats import shortcuts

NAMES = [
    *("row order", "kept slices", "slice spacing", "pixel spacing", "liver volume"),
    *("liver density", "folder", "site", "scanner", "all but the liver", "all"),
]


def evaluated(count=60, seed=1):
    """A cohort in which nothing tells the label, and its manifest."""
    rng = np.random.default_rng(seed)
    rows = [
        manifests.row(
            {"patient_id": f"{number:03}", "image": f"ct/{number:03}/dicom", "label": "F0"},
            Path("data"),
            number,
        )
        for number in range(count)
    ]
    target = rng.permutation(np.arange(count) % 2)
    found = pd.DataFrame({"case": [row.case for row in rows], "target": target})
    found["patient_id"] = found["case"]
    for name in ("slices", "slice_mm", "pixel_mm", "liver_ml", "liver_hu"):
        found[name] = rng.normal(50, 5, count)
    return found.assign(included=True, site="", scanner=""), rows


def told(table, rows, repeats=2, seed=1):
    people = cohort_table.patients(table)
    dealt = [splits.stratified(people, 5, repeat, seed) for repeat in range(1, repeats + 1)]
    return shortcuts.table(table, rows, dealt).set_index("shortcut")


def test_every_shortcut_has_its_row_and_what_is_the_same_for_all_no_auc():
    found = told(*evaluated())
    assert found.index.tolist() == NAMES
    assert found["auc"].dropna().index.tolist() == [*NAMES[:6], *NAMES[9:]]
    assert found.loc["folder", "values"] == found.loc["site", "values"] == 1
    assert found["low"].le(found["auc"]).eq(found["high"].ge(found["auc"])).all()


def test_where_nothing_tells_the_label_it_is_chance_on_average():
    aucs = [told(*evaluated(seed=n), repeats=1, seed=n)["auc"] for n in range(10)]
    mean = pd.concat(aucs, axis=1).mean(axis=1).dropna()
    assert mean.between(0.38, 0.6).all(), mean


@pytest.mark.parametrize(
    ("column", "name"),
    [("slice_mm", "slice spacing"), ("liver_ml", "liver volume"), ("slices", "kept slices")],
)
def test_a_number_that_tells_the_label_is_found(column, name):
    table, rows = evaluated()
    table[column] += 9 * table["target"]
    found = told(table, rows)
    assert 0.7 < found.loc[name, "low"] < found.loc[name, "auc"] < found.loc[name, "high"] < 1
    assert found.loc["all", "low"] > 0.7
    assert (found.loc["all but the liver", "low"] > 0.7) == (column == "slice_mm")


def test_a_scanner_that_tells_the_label_is_found():
    table, rows = evaluated()
    swapped = (table.index % 10 == 0) ^ (table["target"] == 1)
    table["scanner"] = swapped.map({True: "GE Revolution", False: "Siemens SOMATOM"})
    found = told(table, rows)
    assert found.loc["scanner", "kind"] == "category"
    assert found.loc["scanner", "values"] == 2
    assert found.loc["scanner", "auc"] == pytest.approx(0.87, abs=0.04)
    assert found.loc["all but the liver", "low"] > 0.7


def test_rows_sorted_by_label_are_found():
    table, rows = evaluated()
    table["target"] = (table.index >= 30).astype(int)
    assert told(table, rows).loc["row order", "auc"] == 1


def test_a_folder_named_after_the_label_is_found_and_not_named():
    table, _ = evaluated()
    rows = [
        manifests.row(
            {"patient_id": case, "image": f"cirrhosis{target}/{case}/dicom"}, Path("data"), 1
        )
        for case, target in table[["case", "target"]].to_numpy()
    ]
    found = told(table, rows)
    assert found.loc["folder", "auc"] == 1
    assert "cirrhosis" not in found.to_csv()


def test_patients_with_several_cts_count_once():
    table, rows = evaluated()
    again = table.iloc[:20].assign(case=[f"{case}~b" for case in table["case"][:20]])
    more = [
        manifests.row({"patient_id": row.patient_id, "scan_id": "b", "image": "x/y"}, Path("d"), 99)
        for row in rows[:20]
    ]
    table = pd.concat([table, again.assign(liver_ml=again["liver_ml"] + 4)], ignore_index=True)
    numbers, categories = shortcuts.known(table, rows + more)
    assert all(len(one) == 60 for one in (numbers | categories).values())
    first = table["liver_ml"][0]
    assert numbers["liver volume"].loc["000"].item() == pytest.approx(first + 2)
    assert told(table, rows + more).loc["row order", "values"] > 1


def test_excluded_cases_do_not_count():
    table, rows = evaluated()
    table.loc[table.index[:10], "included"] = False
    numbers, _ = shortcuts.known(table, rows)
    assert len(numbers["row order"]) == 50
