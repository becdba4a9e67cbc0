"""Covariates of a manifest: columns that the configuration names, checked like all others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import covariates, manifest_checks

SCHEMA = yaml.safe_load(
    (Path(__file__).parents[2] / "rules/cohort.schema.yaml").read_text(encoding="utf-8")
)
KINDS = {"age": "number", "sex": "category", "scan_date": "date", "platelets": "number"}
HEADER = "patient_id,image,age,sex,scan_date,platelets"


@pytest.fixture
def write(tmp_path):
    def write(*lines, header=HEADER):
        path = tmp_path / "m.csv"
        path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
        return path

    return write


def refused(path, kinds=KINDS, role="evaluation"):
    with pytest.raises(UserError) as error:
        manifest_checks.read(path, SCHEMA, kinds, role)
    return str(error.value)


def test_values_are_read_by_their_kind_and_empty_cells_are_unknown(write):
    path = write("0012,a,61.5,f,2004-07-01,180", "b,a,,,2004,", "c,a, 70 ,m,2004-02,9e2")
    assert len(manifest_checks.read(path, SCHEMA, KINDS, "evaluation")) == 3
    found = covariates.read(path, KINDS)
    assert found.index.tolist() == ["0012", "b", "c"]
    assert found["age"].tolist() == pytest.approx([61.5, np.nan, 70], nan_ok=True)
    assert found["platelets"].tolist() == pytest.approx([180, np.nan, 900], nan_ok=True)
    assert found["sex"].tolist() == ["f", "", "m"]
    assert found["scan_date"].tolist() == pytest.approx([2004.5, 2004.5, 2004.12], abs=0.01)


def test_everything_wrong_is_told_at_once(write):
    text = refused(
        write(
            "a,x,old,f,2004-13-01,180",
            'b,x,"61,5",=1+1,01.03.2004,187000',
            "c,x,nan,f,,1_000",
        )
    )
    for part in (
        "row 2: age must be a number or empty, got 'old'",
        "row 2: scan_date must be a day as 2004-03-01, or 2004-03 or 2004, or empty",
        "row 3: age '61,5' has a comma for its decimal point",
        "row 3: platelets 187000 is outside 1 to 2000; the unit is 10^9/L, convert it",
        "row 3: sex '=1+1' would be a formula",
        "row 4: age must be a number or empty, got 'nan'",
        "row 4: platelets must be a number or empty, got '1_000'",
    ):
        assert part in text, part
    assert "01.03.2004" not in text


def test_the_evaluation_cohort_needs_the_columns_and_others_may_lack_them(write):
    path = write("a,x,60", header="patient_id,image,age")
    text = refused(path)
    assert "no column platelets, which covariates names; add it, its cells may be empty" in text
    assert "no column age" not in text
    for role in ("pretraining", "external"):
        assert manifest_checks.read(path, SCHEMA, KINDS, role)
    assert covariates.read(path, KINDS).columns.tolist() == ["age"]


def test_columns_that_the_configuration_does_not_name(write):
    text = refused(write("a,x,60,f,2004,180"), {"age": "number"})
    hint = "platelets: is a column where the configuration names it: covariates: "
    assert f"{hint}{{platelets: number}}" in text
    assert "Age: unknown key; did you mean 'age'?" in refused(
        write("a,x,60", header="patient_id,image,Age"), {"age": "number"}, "external"
    )


def test_the_configuration_names_the_known_columns_with_their_units():
    path = Path(__file__).parents[2] / "rules/config.schema.yaml"
    told = yaml.safe_load(path.read_text(encoding="utf-8"))["properties"]["covariates"]
    for name, about in SCHEMA["covariates"].items():
        assert name in told["description"]
        assert f"({about.get('unit', 'years')})" in told["description"]
        assert about["kind"] in told["additionalProperties"]["enum"]


def test_columns_that_are_no_covariates():
    given = {"label": "category", "site": "category", "platelets": "category", "afp": "number"}
    assert list(covariates.name_problems(given, SCHEMA["covariates"])) == [
        "covariates.label: names a patient, an image or the label; remove it",
        "covariates.platelets: is a number in 10^9/L, not a category",
    ]


def test_a_simulated_cohort_has_none():
    cohorts = {"histo": {"role": "evaluation", "simulate": {}}}
    found = manifest_checks._covariate_problems({"covariates": KINDS, "cohorts": cohorts}, {})
    assert "cohort histo is simulated and has none" in "".join(found)


def test_several_rows_of_a_patient_are_told_apart(write):
    path = write("a,1,x,60", "a,2,x,61", header="patient_id,scan_id,image,age")
    found = covariates.read(path, {"age": "number"})
    pd.testing.assert_series_equal(
        found["age"], pd.Series([60.0, 61.0], pd.Index(["a~1", "a~2"], name="case"), name="age")
    )
