"""Tables of external cohorts: what can be compared, and a sentence where it cannot."""

import numpy as np
import pandas as pd
import pytest
from example_predictions import predictions as made
from scipy.special import expit

from hepatoclr.reporting import formatting, html_tables, layouts, markup
from hepatoclr.reporting.plots import external as plots
from hepatoclr.reporting.tables import external, tables

METHODS = {"none": "none", "simclr": "simclr"}


def outside(patients, seed=1, effect=1.0, encoders=("none", "simclr"), labels=None):
    """Predictions of an external cohort by final models, as `external.read` gives them."""
    rng = np.random.default_rng(seed)
    label = np.arange(patients) % 3 > 0 if labels is None else np.asarray(labels)
    rows = []
    for number, encoder in enumerate(encoders):
        logits = rng.normal(size=patients) + effect * (1 + number) * (label == 1)
        rows.append(
            pd.DataFrame({"patient_id": [f"x{n}" for n in range(patients)], "label": label * 1.0})
            .assign(probability=expit(logits), encoder=encoder, protocol="linear", fraction=1.0)
            .assign(seed=1, repeat=1, fold=1, threshold=0.6, slices=9, leaky=0)
        )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture
def inside():
    found = made()
    known = found["encoder"].isin(METHODS) & (found["protocol"] == "linear")
    return found[known]


def test_a_row_per_encoder_with_the_drop_from_inside(inside):
    table = external.external(inside, {"far": outside(90)}, METHODS)
    assert table["encoder"].tolist() == ["none", "simclr"]
    assert table["patients"].tolist() == [90, 90]
    assert table["positive"].tolist() == [60, 60]
    assert table["note"].eq("").all()
    assert (table["drop"] - (table["inside"] - table["auc"])).abs().max() < 1e-12
    assert (table["drop_low"] < table["drop"]).all()
    assert (table["drop"] < table["drop_high"]).all()
    own = outside(90).query("encoder == 'simclr'")
    row = table.set_index("encoder").loc["simclr"]
    positive = own["label"] == 1
    called = own["probability"] >= 0.6
    assert row["sensitivity"] == pytest.approx(called[positive].mean())
    assert row["specificity"] == pytest.approx(1 - called[~positive].mean())
    assert row["observed_expected"] == pytest.approx(positive.mean() / own["probability"].mean())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (outside(5, labels=[1] * 5), "all 5 labelled patients are positive"),
        (outside(5, labels=[np.nan] * 5), "no patient has a label"),
        (outside(5).iloc[:0], "no case could be used"),
    ],
)
def test_what_cannot_be_compared_has_a_sentence_and_no_number(inside, table, said):
    found = external.external(inside, {"odd": table, "far": outside(90)}, METHODS)
    row = found.iloc[0]
    assert said in row["note"]
    assert row[["auc", "low", "drop", "sensitivity", "brier"]].isna().all()
    assert found["cohort"].tolist() == ["odd", "far", "far"]
    assert external.compared({"odd": table}, METHODS).empty
    assert external.recalibration({"odd": table}, METHODS, [3], 5, 1).empty
    alone = html_tables.of_layout(layouts.of(found.iloc[:1]))
    assert len(alone.numbers) == len(alone.heads)
    assert not alone.rows
    text = markup.markdown(layouts.of(found), tables.EXTERNAL)
    assert f"odd: {row['note']}" in text
    assert "nan" not in text


def test_three_patients_have_numbers_and_no_invented_interval(inside):
    found = external.external(inside, {"few": outside(3)}, METHODS)
    assert found["auc"].notna().all()
    ends = [name for name in found if name.endswith(("_low", "_high")) and "inside" not in name]
    assert found[["low", "high", *ends]].isna().all(axis=None)
    assert external.compared({"few": outside(3)}, METHODS).empty
    assert found["note"].str.contains("fewer than 10 patients of a class").all()


def test_from_three_hospitals_on_there_is_a_summary():
    several = {f"h{n}": outside(60, seed=n) for n in range(4)}
    found = external.hospitals(several, METHODS)
    assert found["encoder"].tolist() == ["none", "simclr"]
    assert (found["hospitals"] == 4).all()
    assert (found["next_low"] < found["low"]).all()
    assert external.hospitals({"a": several["h0"], "b": several["h1"]}, METHODS).empty


def test_methods_are_compared_within_each_hospital():
    found = external.compared({f"h{n}": outside(60, seed=n) for n in range(2)}, METHODS)
    assert found["cohort"].tolist() == ["h0", "h1"]
    assert found["difference"].notna().all()
    assert found["p_delong"].between(0, 1).all()


def test_recalibration_is_of_each_hospital():
    found = external.recalibration({"far": outside(60)}, METHODS, [20], 5, 1)
    assert found.groupby("encoder")["update"].apply(list)["none"] == [
        "none",
        "intercept",
        "intercept and slope",
    ]


def test_the_cost_of_recalibration_is_drawn_of_the_best_inside(inside, tmp_path):
    others = {"far": outside(90), "near": outside(60, seed=2)}
    table = external.external(inside, others, METHODS).assign(data="synthetic")
    found = external.recalibration(others, METHODS, [20, 40], 5, 1)
    figure = plots.recalibration(table, found, [tmp_path / "one.svg"])
    best = table.loc[table["inside"].idxmax(), "encoder"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["far", "near"]
    (legend,) = figure.legends
    assert legend.get_title().get_text() == formatting.short_label(best)
    assert [text.get_text() for text in legend.get_texts()] == [
        *("as it is", "intercept", "intercept and slope")
    ]
    own = found.query("cohort == 'far' and encoder == @best and update == 'intercept'")
    bars = figure.axes[0].containers[0]
    assert bars.lines[0].get_ydata() == pytest.approx(own["brier"].to_numpy())
    empty = plots.recalibration(table, external.recalibration({}, METHODS, [20], 5, 1), [])
    assert "Nothing to draw" in empty.texts[0].get_text()
