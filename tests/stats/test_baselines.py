from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from conftest import SHARED
from scipy.special import expit
from scipy.stats import chi2

from hepatoclr.cohorts import cohort_table, covariates, manifests, splits
from hepatoclr.stats import baselines, liver_scores

NAMES = [
    *("row order", "kept slices", "slice spacing", "pixel spacing", "liver volume"),
    *("liver density", "folder", "site", "scanner", "acquisition", "all"),
]
KINDS = {"age": "number", "sex": "category", "scan_date": "date", "platelets": "number"}
BLOOD = {"ast": "number", "alt": "number", "albumin": "number", "bilirubin": "number"}


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


def given(table, kinds=KINDS | BLOOD, seed=1):
    """Covariates that say nothing, by case; some cells are empty."""
    rng = np.random.default_rng(seed)
    drawn = {
        name: rng.choice(["f", "m", ""], len(table))
        if kind == "category"
        else np.where(rng.random(len(table)) < 0.1, np.nan, rng.uniform(20, 60, len(table)))
        for name, kind in kinds.items()
    }
    return pd.DataFrame(drawn, index=pd.Index(table["case"], name="case"))


def dealt(table, repeats=2, seed=1):
    people = cohort_table.patients(table)
    return [splits.stratified(people, 5, repeat, seed) for repeat in range(1, repeats + 1)]


def told(table, rows, beside=None, kinds=None, seed=1, images=None, repeats=2):
    known = baselines.known(table, rows, beside, kinds)
    found = baselines.table(known, table, dealt(table, repeats, seed), images)
    return found.set_index("baseline")


def predicted(table, scores, encoder="simclr", seeds=(1,), repeats=2):
    """Predictions of an image method, of given log odds by patient."""
    parts = [
        split.assign(probability=expit(split["patient_id"].map(scores)), encoder=encoder, seed=seed)
        for split in dealt(table, repeats)
        for seed in seeds
    ]
    return pd.concat(parts, ignore_index=True)


def test_every_baseline_has_its_row_and_what_is_the_same_for_all_no_auc():
    found = told(*evaluated())
    assert found.index.tolist() == NAMES
    assert found["auc"].dropna().index.tolist() == [*NAMES[:6], *NAMES[9:]]
    assert found.loc["folder", "values"] == found.loc["site", "values"] == 1
    assert found["low"].le(found["auc"]).eq(found["high"].ge(found["auc"])).all()
    assert found["p_holm"].notna().equals(found["auc"].notna())
    assert found[["gain", "p_likelihood_ratio"]].isna().all(axis=None)
    assert found["missing"].fillna(-1).tolist() == [*[0] * 7, 60, 60, -1, -1]


def test_a_category_whose_values_one_patient_each_has_predicts_nothing():
    table, rows = evaluated()
    found = told(table.assign(site=table["case"]), rows)
    assert found.loc["site", "values"] == 1
    assert np.isnan(found.loc["site", "auc"])


def test_covariates_and_the_scores_that_can_be_made_of_them_are_baselines():
    table, rows = evaluated()
    beside = given(table)
    found = told(table, rows, beside, KINDS | BLOOD)
    more = [*KINDS, *BLOOD, "FIB-4", "APRI", "ALBI", "age + sex"]
    assert found.index.tolist() == [*NAMES[:9], *more, *NAMES[9:]]
    assert found["auc"].drop(["folder", "site", "scanner"]).notna().all()
    kinds = found.loc[["age", "sex", "scan_date", "FIB-4", "age + sex"], "kind"]
    assert kinds.tolist() == ["number", "category", "date", "number", "several"]
    assert found.loc["age", "missing"] == beside["age"].isna().sum() > 0
    assert found.loc["sex", "missing"] == (beside["sex"] == "").sum()
    assert found.loc["FIB-4", "missing"] > found.loc["age", "missing"]
    few = {"ast": "number", "platelets": "number"}
    assert "APRI" in told(table, rows, beside, few).index
    assert not {"FIB-4", "age + sex"} & set(told(table, rows, beside, few).index)


def test_scores_are_of_the_patients_means():
    table, rows = evaluated()
    beside = given(table)
    score = baselines.known(table, rows, beside, KINDS | BLOOD)["FIB-4"].columns["value"]
    first = beside.iloc[0]
    wanted = liver_scores.fib4(*first[["age", "ast", "alt", "platelets"]])
    assert score.loc["000"] == pytest.approx(wanted, nan_ok=True)


def test_an_unknown_number_is_the_median_of_the_training_patients_and_may_tell():
    table, rows = evaluated()
    beside = given(table, {"platelets": "number"})
    beside["platelets"] = np.where(table["target"] == 1, np.nan, 200.0)
    found = told(table, rows, beside, {"platelets": "number"})
    assert found.loc["platelets", "missing"] == 30
    assert found.loc["platelets", "auc"] == pytest.approx(1)
    empty = beside.assign(platelets=np.nan)
    assert np.isnan(told(table, rows, empty, {"platelets": "number"}).loc["platelets", "auc"])


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
    assert (found.loc["acquisition", "low"] > 0.7) == (column == "slice_mm")
    assert name in baselines.telling(found.reset_index())["baseline"].tolist()


def test_a_scanner_that_tells_the_label_is_found():
    table, rows = evaluated()
    swapped = (table.index % 10 == 0) ^ (table["target"] == 1)
    table["scanner"] = swapped.map({True: "GE Revolution", False: "Siemens SOMATOM"})
    found = told(table, rows)
    assert found.loc["scanner", "kind"] == "category"
    assert found.loc["scanner", "values"] == 2
    assert found.loc["scanner", "auc"] == pytest.approx(0.87, abs=0.04)
    assert found.loc["acquisition", "low"] > 0.7


def test_days_are_of_the_acquisition():
    table, rows = evaluated()
    beside = given(table, {"scan_date": "date"})
    beside["scan_date"] = 2004 + table["target"].to_numpy() + np.linspace(0, 0.5, len(table))
    found = told(table, rows, beside, {"scan_date": "date"})
    assert found.loc["scan_date", "auc"] == pytest.approx(1)
    assert found.loc["acquisition", "auc"] > 0.9


def test_rows_sorted_by_label_are_found():
    table, rows = evaluated()
    table["target"] = (table.index >= 30).astype(int)
    found = told(table, rows)
    assert found.loc["row order", "auc"] == pytest.approx(1)
    assert found.loc["row order", "p_holm"] < 0.01


def test_a_folder_named_after_the_label_is_found_and_not_named():
    table, _ = evaluated()
    rows = [
        manifests.row(
            {"patient_id": case, "image": f"cirrhosis{target}/{case}/dicom"}, Path("data"), 1
        )
        for case, target in table[["case", "target"]].to_numpy()
    ]
    found = told(table, rows)
    assert found.loc["folder", "auc"] == pytest.approx(1)
    assert "cirrhosis" not in found.to_csv()


def test_patients_with_several_cts_count_once():
    table, rows = evaluated()
    again = table.iloc[:20].assign(case=[f"{case}~b" for case in table["case"][:20]])
    more = [
        manifests.row({"patient_id": row.patient_id, "scan_id": "b", "image": "x/y"}, Path("d"), 99)
        for row in rows[:20]
    ]
    table = pd.concat([table, again.assign(liver_ml=again["liver_ml"] + 4)], ignore_index=True)
    beside = given(table, {"age": "number"}).assign(age=[*range(60), *range(2, 22)])
    known = baselines.known(table, rows + more, beside, {"age": "number"})
    assert all(len(one.columns) == 60 for one in known.values())
    first = table["liver_ml"][0]
    assert known["liver volume"].columns.loc["000", "value"] == pytest.approx(first + 2)
    assert known["age"].columns.loc["000", "value"] == 1
    assert told(table, rows + more).loc["row order", "values"] > 1


def test_excluded_cases_do_not_count():
    table, rows = evaluated()
    table.loc[table.index[:10], "included"] = False
    known = baselines.known(table, rows, given(table), KINDS | BLOOD)
    assert {len(one.columns) for one in known.values()} == {50}


# --- images beside the best baseline --------------------------------------------------------------


@pytest.fixture
def sites():
    """A cohort whose site tells the label, nearly."""
    table, rows = evaluated(100)
    rng = np.random.default_rng(5)
    known = np.where(table["target"] == 1, "A", "B")
    table["site"] = np.where(rng.random(100) < 0.6, known, rng.choice(["A", "B"], 100))
    for column in baselines.NUMBERS.values():
        table[column] = 0.0
    rows = [manifests.row({"patient_id": row.case, "image": "x/y"}, Path("d"), 2) for row in rows]
    return table, rows


def test_an_image_that_reads_the_site_adds_nothing(sites):
    table, rows = sites
    noise = np.random.default_rng(2).normal(size=100)
    scores = pd.Series(noise + 2 * (table["site"] == "A").to_numpy(), table["case"])
    found = told(table, rows, images=predicted(table, scores))
    assert found.loc["image", "auc"] > 0.6
    (together,) = (row for name, row in found.iterrows() if name.startswith("image + "))
    assert not baselines.adds(together)
    assert together["gain"] == pytest.approx(0, abs=0.05)


def test_an_image_that_sees_more_adds_to_the_best_baseline_and_the_best_method_is_taken(sites):
    table, rows = sites
    rng = np.random.default_rng(2)
    scores = pd.Series(rng.normal(size=100) + 2 * table["target"].to_numpy(), table["case"])
    images = [
        predicted(table, scores, seeds=(1, 2)),
        predicted(table, pd.Series(rng.normal(size=100), scores.index), "none", (1, 2)),
    ]
    found = told(table, rows, images=pd.concat(images, ignore_index=True))
    last = found.iloc[-1]
    assert found["encoder"].dropna().tolist() == ["simclr", "simclr"]
    best = found["auc"].iloc[:-2].idxmax()
    assert last.name == f"image + {best}"
    assert baselines.adds(last)
    assert 0 < last["gain_low"] < last["gain"] < last["gain_high"]
    assert last["gain"] == pytest.approx(last["auc"] - found.loc[best, "auc"])
    assert last["p_likelihood_ratio"] < 0.001
    assert np.isnan(last["p_holm"])


def test_the_likelihood_ratio_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    labels = np.arange(80) % 2
    alone, more = rng.normal(size=80) + labels, rng.normal(size=80) + 0.4 * labels
    one = sm.Logit(labels, sm.add_constant(alone)).fit(disp=0)
    two = sm.Logit(labels, sm.add_constant(np.column_stack([alone, more]))).fit(disp=0)
    ratio = 2 * (two.llf - one.llf)
    found = baselines.likelihood_ratio(labels, alone, more)
    assert found == pytest.approx(chi2.sf(ratio, 1), rel=1e-3)
    assert baselines.likelihood_ratio(labels, alone, -more) == 1


def test_a_perfect_baseline_leaves_nothing_to_add():
    table, rows = evaluated()
    table["target"] = (table.index >= 30).astype(int)
    scores = pd.Series(np.random.default_rng(1).normal(size=60), table["case"])
    last = told(table, rows, images=predicted(table, scores)).iloc[-1]
    assert last["gain"] <= 0
    assert not baselines.adds(last)


def test_folds_of_one_class_are_evaluated_together():
    table, rows = evaluated(30)
    table["liver_ml"] += 9 * table["target"]
    split = splits.leave_one_out(cohort_table.patients(table), 1, 1, balanced=True)
    known = {"liver volume": baselines.known(table, rows)["liver volume"]}
    scores = pd.Series(np.random.default_rng(1).normal(size=30), table["case"])
    images = split.assign(
        probability=expit(split["patient_id"].map(scores)), encoder="none", seed=1
    )
    found = baselines.table(known, table, [split], images)
    assert found["auc"].iloc[0] > 0.7
    assert found["gain"].notna().sum() == 1


# --- cohorts of a known answer --------------------------------------------------------------------


def study(seed, told_by_site, patients=106):
    """A table of patients, 70 % positive, whose site follows the label in a share of them."""
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.arange(patients) < 0.7 * patients).astype(int)
    followed = np.where(target == 1, "A", "B")
    anywhere = rng.choice(["A", "B", "C"], patients)
    site = np.where(rng.random(patients) < told_by_site, followed, anywhere)
    case = [f"{number:03}" for number in range(patients)]
    table = pd.DataFrame({"case": case, "patient_id": case, "target": target, "site": site})
    table = table.assign(included=True, scanner=rng.choice(["one", "other"], patients))
    table[list(baselines.NUMBERS.values())] = 0.0
    rows = [manifests.row({"patient_id": one, "image": "x"}, Path("d"), 2) for one in case]
    kinds = {"age": "number", "sex": "category"}
    known = baselines.known(table, rows, given(table, kinds, seed), kinds)
    few = {name: known[name] for name in ("site", "age", "sex")}
    return baselines.table(few, table, dealt(table, 1, seed))


def accused(draws, told_by_site):
    """The baselines that are said to tell the label, of each draw."""
    found = [study(seed, told_by_site) for seed in range(1, draws + 1)]
    return [set(baselines.telling(one)["baseline"]) for one in found]


def test_a_label_that_the_site_alone_tells_is_exposed():
    assert sum("site" in names for names in accused(200, 0.5)) >= 190


def test_a_clean_cohort_is_not_accused():
    assert sum(bool(names) for names in accused(200, 0)) <= 10


# --- public labels --------------------------------------------------------------------------------

CLINICAL = SHARED / "labels/tcga_lihc_clinical_patient_biotab.txt"
SERIES = SHARED / "labels/idc_tcga_lihc_ct_series.csv"


def public(folder):
    """A manifest of the TCGA-LIHC patients with a CT and an Ishak score; no CT is read."""
    clinical = pd.read_csv(CLINICAL, sep="\t", dtype=str).iloc[2:]
    with_ct = pd.read_csv(SERIES, dtype=str)["PatientID"].unique()
    scored = clinical["ishak_fibrosis_score"].str[:1].str.isdecimal()
    chosen = clinical[clinical["bcr_patient_barcode"].isin(with_ct) & scored]
    platelets = pd.to_numeric(chosen["platelet_count_preresection"], errors="coerce")
    manifest = pd.DataFrame(
        {
            "patient_id": chosen["bcr_patient_barcode"],
            "image": "none.nii.gz",
            "label": chosen["ishak_fibrosis_score"].str[:1],
            "site": chosen["bcr_patient_barcode"].str.split("-").str[1],
            "platelets": platelets,
        }
    )
    manifest.to_csv(folder / "m.csv", index=False)
    return folder / "m.csv"


@pytest.mark.skipif(
    not (CLINICAL.is_file() and SERIES.is_file()),
    reason="the public labels are not here (../shared/labels beside the repository)",
)
def test_site_and_platelets_tell_the_public_label(tmp_path):
    path, kinds = public(tmp_path), {"platelets": "number"}
    rows = manifests.read(path)
    target = [int(row.label in ("5", "6")) for row in rows]
    assert (len(rows), sum(target)) == (66, 20)
    case = [row.case for row in rows]
    table = pd.DataFrame({"case": case, "target": target, "scanner": "", "included": True})
    table = table.assign(patient_id=[row.patient_id for row in rows])
    table = table.assign(site=[row.site for row in rows])
    table[list(baselines.NUMBERS.values())] = 0.0
    known = baselines.known(table, rows, covariates.read(path, kinds), kinds)
    few = {name: known[name] for name in ("site", "platelets")}
    found = baselines.table(few, table, dealt(table, 10)).set_index("baseline")
    assert found.loc["site", "auc"] == pytest.approx(0.70, abs=0.01)
    assert found.loc["platelets", "auc"] == pytest.approx(0.715, abs=0.01)
    assert (found["p_holm"] < 0.05).all()
    assert found.loc["platelets", "missing"] == 1


def test_what_tells_elsewhere_is_what_told_here_and_means_the_same_there():
    here, rows = evaluated(80, seed=3)
    there, others = evaluated(60, seed=4)
    for table in (here, there):
        table["liver_ml"] = table["target"] * 10.0 + np.arange(len(table)) % 7
        table["site"] = np.where(table["target"] == 1, "A", "B")
    there.loc[:9, "site"] = "C"  # of nobody here
    kinds = {"age": "number"}
    ages = given(here, kinds, 5), given(there, kinds, 6)
    known = baselines.known(here, rows, ages[0], kinds)
    elsewhere = baselines.known(there, others, ages[1], kinds)
    found = baselines.outside(known, here, elsewhere, there)
    assert found.index.tolist() == list(known)
    assert found.loc["liver volume", "auc"] == 1
    assert found.loc["site", "auc"] > 0.9
    assert found.loc["all", "auc"] > 0.9
    assert found.loc[["row order", "folder"], "auc"].isna().all()
    assert 0.2 < found.loc["age", "auc"] < 0.8
    without = baselines.outside(known, here, baselines.known(there, others), there)
    assert without.loc[["age", "all"], "auc"].isna().all()
    assert without.loc["liver volume", "auc"] == 1
    for odd in (there.assign(target=1), there.assign(target=pd.NA), there.assign(included=False)):
        assert baselines.outside(known, here, elsewhere, odd)["auc"].isna().all()
