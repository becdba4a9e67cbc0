"""Reading predictions: of a run, made by hand, and broken."""

import example_predictions
import numpy as np
import pandas as pd
import pytest

from hepatoclr.base.errors import UserError
from hepatoclr.stats import metrics, predictions


@pytest.fixture
def written(tmp_path):
    """Write tables as files and give the paths."""

    def write(*tables):
        paths = [tmp_path / f"{number}.csv" for number in range(len(tables))]
        for table, path in zip(tables, paths, strict=True):
            table.to_csv(path, index=False)
        return paths

    return write


def test_predictions_are_read_as_written(written):
    run = example_predictions.complete(repeats=2)
    paths = written(*(job for _, job in run.groupby(["protocol", "encoder", "fraction"])))
    read = predictions.read(paths)
    assert "0012" in set(read["patient_id"])
    expected = run.assign(leaky=0).sort_values([*metrics.FOLD, "patient_id"], ignore_index=True)
    assert set(read) == set(expected)
    pd.testing.assert_frame_equal(read[list(expected)], expected, check_dtype=False)
    pd.testing.assert_frame_equal(predictions.read(paths[::-1]), read, check_like=True)


def test_what_is_written_is_read(tmp_path):
    run = example_predictions.complete(repeats=1)
    predictions.write([run], tmp_path / "p.csv")
    pd.testing.assert_frame_equal(
        predictions.read([tmp_path / "p.csv"])[list(run)],
        run.sort_values([*metrics.FOLD, "patient_id"], ignore_index=True),
        check_dtype=False,
    )


def test_a_table_made_by_hand_needs_four_columns(written):
    job = example_predictions.job("linear", "simclr")
    # As a spreadsheet may write it: labels as 1.0, spaces, a byte order mark.
    table = job[["encoder", "patient_id", "label", "probability"]].astype({"label": float})
    (path,) = written(table)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b",1.0,", b", 1.0 ,"))
    read = predictions.read([path])
    assert set(read["protocol"]) == {"model"}
    for column in ("fraction", "seed", "repeat", "fold"):
        assert read[column].tolist() == [1] * 100
    assert read["threshold"].tolist() == [0.5] * 100
    assert read["slices"].tolist() == read["leaky"].tolist() == [0] * 100
    assert read["label"].tolist() == job["label"].tolist()
    assert read["probability"].tolist() == job["probability"].tolist()


def test_optional_columns_may_be_in_some_files_only(written):
    jobs = [
        example_predictions.job("linear_nested", "simclr"),
        example_predictions.job("linear", "simclr"),
        example_predictions.job("finetune", "simclr").assign(leaky=1),
    ]
    read = predictions.read(written(*jobs)).set_index("protocol")
    assert read["leaky"].groupby("protocol").first().to_dict() == {
        "linear": 0,
        "linear_nested": 0,
        "finetune": 1,
    }
    assert read.loc["linear", "C"].isna().all()
    assert set(read.loc["linear_nested", "C"]) == {0.1, 1.0}


def test_the_configured_threshold_is_taken_but_by_the_nested_protocol():
    jobs = [example_predictions.job(name, "simclr") for name in ("linear", "linear_nested")]
    run = pd.concat(jobs)
    assert predictions.at_threshold(run, "youden") is run
    at_half = predictions.at_threshold(run, 0.5)
    assert set(at_half.loc[at_half["protocol"] == "linear", "threshold"]) == {0.5}
    nested = at_half["protocol"] == "linear_nested"
    assert at_half[nested].equals(jobs[1])


def test_patients_may_be_called_anything(written):
    job = example_predictions.job("linear", "none", patients=4, folds=1)
    paths = written(job.assign(patient_id=["NA", "None", "007", "1e3"]))
    read = predictions.read(paths)
    assert set(read["patient_id"]) == {"NA", "None", "007", "1e3"}
    assert set(read["encoder"]) == {"none"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.drop(columns=["label", "probability"]),
            "p.csv lacks the columns label, probability; it has protocol, encoder",
        ),
        (lambda t: t.assign(label="F3"), "line 2: label must be a number, found 'F3' .100 rows"),
        (lambda t: t.assign(label=0.5), "line 2: label must be a whole number, found '0.5'"),
        (lambda t: t.assign(probability="high"), "line 2: probability must be a number"),
        (lambda t: t.assign(patient_id=""), "line 2: patient_id is missing"),
        (lambda t: t.assign(fraction=np.nan), "line 2: fraction is missing"),
        (lambda t: t.assign(repeat="inf"), "line 2: repeat must be a whole number"),
        (lambda t: t.assign(beta="much"), "line 2: beta must be a number, found 'much'"),
        (
            lambda t: t.assign(threshold=t["threshold"].mask(t.index == 41, np.nan)),
            "line 43: threshold is missing .1 rows in all.. Correct the file",
        ),
        (
            lambda t: pd.concat([t, t]),
            "patient 0012 is predicted twice by simclr .linear. in seed 1, repeat 1: again in "
            ".*p.csv, line 102; 100 rows are too many",
        ),
        (
            lambda t: pd.concat([t, t.assign(encoder="none", label=1 - t["label"])]),
            "patient 0012 has label 0 in one file and 1 in another",
        ),
    ],
)
def test_bad_files_are_refused(tmp_path, change, said):
    change(example_predictions.job("linear", "simclr")).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(UserError, match=said):
        predictions.read([tmp_path / "p.csv"])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00x", None])
def test_what_is_no_csv_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(UserError, match="p.csv cannot be read as a CSV file"):
        predictions.read([tmp_path / "p.csv"])


def test_a_semicolon_in_place_of_commas_is_seen(tmp_path):
    table = example_predictions.job("linear", "simclr")
    table.to_csv(tmp_path / "p.csv", index=False, sep=";")
    with pytest.raises(UserError, match="it has protocol;encoder;.* a CSV with commas"):
        predictions.read([tmp_path / "p.csv"])


def test_seeds_are_no_repetition(written):
    jobs = [example_predictions.job("linear", "simclr", seed=seed) for seed in (1, 2)]
    assert len(predictions.read(written(*jobs))) == 200


def test_a_missing_probability_is_reported_with_its_fold(written):
    job = example_predictions.job("linear", "simclr")
    job.loc[0, "probability"] = np.nan
    read = predictions.read(written(job))
    with pytest.raises(UserError, match="linear simclr, repeat 1, fold 1: 1 of 20"):
        metrics.by_fold(read)


def test_no_files_are_refused():
    with pytest.raises(UserError, match="no predictions to read"):
        predictions.read([])


def test_a_header_alone_is_no_prediction(tmp_path):
    (tmp_path / "mine.csv").write_text("encoder,patient_id,label,probability\n")
    with pytest.raises(UserError, match=r"mine\.csv: there is a header, but no row"):
        predictions.read([tmp_path / "mine.csv"])
