"""The study with a known truth: its plan, resuming, its statistics, and what the page says."""

import shutil
import time

import numpy as np
import pandas as pd
import pytest

from benchmarks import common
from benchmarks.positive_control import __main__ as study
from benchmarks.positive_control import cells, effects, figures, page, probes, run, table, truth
from benchmarks.positive_control.effects import Arm

AUCS = {cells.RANDOM: 0.6, "simclr": 0.7, "supervised": 0.7, cells.WEAK: 0.8}
READERS = {"truth": 1.0, "0": 0.9, "default": 0.8, "2": 0.7, "4": 0.6, "useless": 0.5}


def rows(cell, aucs, seed=0, **more):
    """Made-up rows of a cell: AUCs vary by data seed, alike for all encoders, and by chance."""
    rng = np.random.default_rng([seed, cell.data_seed, *map(ord, cell.noise), cell.patients])
    own = np.random.default_rng(cell.data_seed).normal(0, 0.05)
    made = []
    for encoder, auc in aucs.items():
        for protocol in cells.PROTOCOLS:
            value = auc + own + rng.normal(0, 0.005)
            key = (cell.data_seed, cell.patients, cell.noise, cell.labelled, encoder, protocol)
            made += [(*key, 1, repeat, value) for repeat in (1, 2, 3)]
    found = pd.DataFrame(made, columns=[*cells.KEY, "auc"])
    facts = {"variance": 0.002, "positive": 78, "negative": 28, "loss": 2.0, "chance": 4.8}
    facts |= {"reader_auc": READERS[cell.noise], "reader_positive": 0.3}
    facts |= {"seconds": 60.0, "core_seconds": 60.0, "settings": "s", "code": "c"} | more
    return found.assign(**facts)[list(table.COLUMNS)]


@pytest.fixture
def measured():
    """A table with a gain of weak labels that shrinks with the reader, and is none at 4 SDs."""
    parts = []
    for seed in cells.SEEDS:
        parts.append(rows(cells.Cell(seed, 300), AUCS))
        gains = {"truth": 0.2, "0": 0.15, "2": 0.04, "4": 0.0, "useless": -0.1}
        for noise, gain in gains.items():
            aucs = {"supervised": 0.65 + gain, cells.WEAK: 0.7 + gain}
            parts.append(rows(cells.Cell(seed, 300, noise), aucs))
        for size in (100, 1000):
            aucs = {"supervised": 0.7, "simclr": 0.7, cells.WEAK: 0.8}
            parts.append(rows(cells.Cell(seed, size), aucs))
    return pd.concat(parts, ignore_index=True)


def test_the_plan_has_each_cell_once_with_all_that_the_parts_need():
    whole = cells.plan()
    by_size = pd.Series([cell.patients for cell in whole.work]).value_counts()
    assert by_size.to_dict() == {300: 5 * 8, 100: 5, 1000: 3}
    middle = cells.Cell(1, 300)
    assert list(whole.work)[:5] == [cells.Cell(seed, 300) for seed in cells.SEEDS]
    assert [cell.patients for cell in whole.work][-3:] == [1000] * 3
    assert set(whole.work[middle]) - {cells.ORACLE} == {cells.RANDOM, *cells.methods()}
    assert whole.work[cells.Cell(1, 300, "truth")] == ["supervised", cells.WEAK]
    noise = cells.plan(["noise"], [1])
    assert {cell.noise for cell in noise.work} == set(cells.NOISE)
    assert set(noise.work[middle]) - {cells.ORACLE} == {"none", "simclr", "supervised", cells.WEAK}


def test_the_whole_study_fits_in_five_hours_of_two_cores_and_a_bit():
    whole, there = cells.plan(), {}
    total = 0
    for cell in whole.work:
        total += cells.core_seconds(cell, whole, there.get(cell.data_seed, 0))
        before = there.get(cell.data_seed, 0)
        there[cell.data_seed] = max(before, cells.all_patients(cell, whole))
    assert 6 < total / 3600 < 9
    large = next(cell for cell in whole.work if cell.patients == 1000)
    assert cells.core_seconds(large, whole) - cells.core_seconds(large, whole, 1106) > 2000


def test_settings_of_a_cell_reach_the_configuration_and_only_its_own():
    plan = cells.plan()
    truth_cell, some = cells.Cell(2, 300, "truth"), cells.Cell(2, 300, labelled=0.3)
    found = cells.in_force(truth_cell, plan)
    assert found["simulate"]["confusion"] == {"none": [1, 1, 1, 0, 0], "severe": [0, 0, 0, 1, 1]}
    assert found["simulate"]["seed"] == 2
    assert found["cohorts"]["histo"]["simulate"]["patients"] == 106
    assert found["experiment"]["methods"] == ["supervised"]
    assert found["experiment"]["betas"] == [1, 0.5]  # supervised, the same run, and weak-SimCLR
    read = cells.in_force(some, plan)["cohorts"]["radio"]
    assert read["simulate"]["labelled"] == 0.3
    assert read["labels"]["unlabelled"] == ["unread"]
    assert read["labels"]["negative"] == ["none"]
    usual = cells.in_force(cells.Cell(2, 300), plan)["cohorts"]["radio"]["labels"]
    assert "unread" not in usual.get("unlabelled", [])


def test_a_cell_is_done_until_its_settings_or_the_code_change(tmp_path, monkeypatch):
    plan, cell = cells.plan(["noise"], [1, 2]), cells.Cell(1, 300, "truth")
    kept = tmp_path / "table.csv"
    assert not cells.is_done(cell, plan, table.read(kept))
    expected = cells.expected(cell, plan)
    complete = expected.reindex(columns=list(table.COLUMNS)).fillna({"auc": 0.7})
    found = table.add(complete, kept, cells.KEY)
    assert cells.is_done(cell, plan, found)
    assert not cells.is_done(cell, plan, found.iloc[1:])
    assert not cells.is_done(cells.Cell(2, 300, "truth"), plan, found)
    with_more = cells.plan(["noise"], [1], training_seeds=[1, 2])
    assert not cells.is_done(cell, with_more, found)
    monkeypatch.setattr(cells, "code_digest", lambda: "other")
    assert not cells.is_done(cell, plan, found)
    assert cells.is_done(cell, plan, found, any_code=True)
    monkeypatch.undo()
    tuned = cells.settings.merge(cells.preset(), {"pretraining": {"learning_rate": 0.5}})
    monkeypatch.setattr(cells, "preset", lambda: tuned)
    assert not cells.is_done(cell, plan, found, any_code=True)


@pytest.fixture
def running(tmp_path, monkeypatch):
    """Runs the quick plan of two data seeds by a stand-in; gives which cells were begun."""

    def start(ended=lambda cell: None, budget=None):
        given = study.parser().parse_args(["--quick", "--scratch", str(tmp_path)])
        given.budget_minutes, begun, busy = budget, [], set()

        def stand_in(cell, *_):
            assert cell.data_seed not in busy
            busy.add(cell.data_seed)
            begun.append(cell)
            time.sleep(0.005)
            busy.remove(cell.data_seed)
            ended(cell)

        monkeypatch.setattr(run, "run", stand_in)
        plan = cells.plan(seeds=[1, 2], quick=True)
        return plan, begun, study.work(plan, given)

    return start


def test_cells_of_one_simulation_run_one_after_another_and_a_failure_stops_no_other(running):
    def fail(cell):
        if cell == cells.Cell(1, 20):
            raise run.CellFailed("no disk")

    plan, begun, failed = running(fail)
    assert sorted(begun) == sorted(plan.work)
    assert {cell.data_seed for cell in begun[:2]} == {1, 2}
    assert failed == ["data seed 1, 20 patients, 100% read, reader default: no disk"]


def test_an_edit_of_the_code_ends_the_study(running):
    def edited(_):
        raise run.CodeChanged("the code has changed")

    _, begun, failed = running(edited)
    assert len(begun) == len(failed) <= 4


def test_no_cell_begins_that_would_not_fit_in_the_budget(running, capsys):
    plan, begun, _ = running(budget=0.1)
    assert not begun
    assert f"{len(plan.work)} cells do not fit" in capsys.readouterr().out
    waiting = {cells.Cell(1, 20): 90.0, cells.Cell(2, 20): 50.0}
    assert study.following(waiting, [], 60) == cells.Cell(2, 20)
    assert study.following(waiting, [2], 60) is None


def test_what_did_not_learn_is_not_the_best(measured):
    arms = effects.candidates()
    assert effects.best(measured, "linear", arms) == Arm(cells.WEAK)
    usual = (measured["noise"] == "default") & (measured["encoder"] == cells.WEAK)
    measured.loc[usual, "loss"] = 4.9
    assert effects.best(measured, "linear", arms).encoder in ("simclr", "supervised")
    assert "weak-SimCLR, **did not learn**" in page.by_method(measured)


def test_rows_of_a_cell_that_runs_again_take_the_place_of_its_old_ones(tmp_path):
    path, cell = tmp_path / "table.csv", cells.Cell(1, 300)
    table.add(rows(cell, AUCS), path, cells.KEY)
    before = table.add(rows(cells.Cell(2, 300), AUCS), path, cells.KEY)
    after = table.add(rows(cell, {"simclr": 0.9}, code="new"), path, cells.KEY)
    assert len(after) == len(before)
    assert set(after.loc[after["code"] == "new", "encoder"]) == {"simclr"}
    pd.testing.assert_frame_equal(table.read(path), after)


def test_a_planted_difference_is_found_and_none_is_not(measured):
    weak, simclr = Arm(cells.WEAK), Arm("simclr")
    found = effects.difference(measured, weak, simclr, "linear")
    assert found.verdict == "yes"
    assert found.low < 0.1 < found.high < 0.13
    assert found.seeds == 5
    # the spread between data seeds, ten times that, is in both and is no part of the difference
    assert found.high - found.low < 0.03
    assert effects.auc(measured, weak, "linear").high - 0.8 > 0.03
    none = effects.difference(measured, Arm("supervised"), simclr, "linear")
    assert none.verdict == "not shown"
    assert none.low < 0 < none.high
    assert effects.difference(measured, simclr, weak, "linear").verdict == "no, it is worse"
    assert effects.difference(measured, weak, Arm("supcon"), "linear").verdict == "not measured yet"


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(3)
    found = [effects.estimate(rng.normal(0.1, 1, 5)) for _ in range(2000)]
    assert 0.935 < np.mean([one.low <= 0.1 <= one.high for one in found]) < 0.965


def test_the_bootstrap_of_betas_knows_a_clear_winner_and_a_tie():
    names = [cells.experiment.name("weak_simclr", beta) for beta in cells.BETAS]
    clear = dict(zip(names, (0.6, 0.65, 0.7, 0.8, 0.7, 0.6), strict=True))
    parts = [rows(cells.Cell(seed, 300), clear) for seed in cells.SEEDS]
    curve = effects.betas(pd.concat(parts), "linear").set_index("beta")
    assert curve["best"].sum() == pytest.approx(1)
    assert curve.loc[0.5, "best"] > 0.99
    tie = dict.fromkeys(names, 0.7)
    parts = [rows(cells.Cell(seed, 300), tie, seed=7) for seed in cells.SEEDS]
    assert effects.betas(pd.concat(parts), "linear")["best"].max() < 0.95


def test_trainings_stay_within_their_data_seed_in_the_bootstrap():
    index = pd.MultiIndex.from_tuples([(1, 1), (1, 2), (2, 1), (2, 2)])
    wide = pd.DataFrame({"a": [0.0, 0.0, 1.0, 1.0], "b": [1.0, 1.0, 0.0, 0.0]}, index=index)
    drawn = effects.hierarchical(wide, 4000, seed=1)
    assert set(np.unique(drawn)) == {0.0, 0.5, 1.0}  # a data seed is drawn whole
    assert np.allclose(drawn.sum(axis=1), 1)
    assert drawn[:, 0].mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ([0.2, 0.1, -0.1], 0.75),
        ([0.2, np.nan, -0.2], 0.75),
        ([0.2, 0.1, 0.1], -np.inf),
        ([-0.1, 0.1, 0.2], np.nan),
    ],
)
def test_the_crossing_is_interpolated(gain, expected):
    found = effects.crossing(np.array([1.0, 0.8, 0.5]), np.array(gain))
    expected = 0.65 if gain[1] == 0.1 and gain[2] == -0.1 else expected
    assert found == pytest.approx(expected, nan_ok=True)


def test_weak_labels_stop_to_help_where_their_gain_ends(measured):
    curve = effects.noise_curve(measured, "linear")
    assert list(curve["noise"]) == list(READERS)
    assert effects.crossing(curve["reader_auc"], curve["weak_gain"]) == pytest.approx(0.6, abs=0.03)
    assert 0.6 < effects.crossing(curve["reader_auc"], curve["weak_gain_low"]) < 0.7


def test_the_page_says_what_the_table_says(measured, tmp_path):
    probed = pd.DataFrame(
        [(1, "simclr", 1, "fat", "R2", 0.4, 300), (2, "simclr", 1, "fat", "R2", 0.6, 300)],
        columns=list(table.PROBE_COLUMNS),
    )
    paths = [f"images/{path.name}" for path in figures.draw(measured, tmp_path)]
    text = page.section(measured, probed, paths)
    weak = effects.difference(measured, Arm(cells.WEAK), Arm("simclr"), "linear")
    line = next(line for line in text.splitlines() if line.startswith("| weak-SimCLR above SimCLR"))
    assert f"| {weak.mean:+.3f} [{weak.low:+.3f}, {weak.high:+.3f}] | yes |" in line
    assert "78 positive and 28 negative" in text
    assert "| fat | R² | 0.50 |" in text
    assert "down to a reader whose own AUC is about 0.6" in text
    assert all(f"]({path})" in text for path in paths)
    assert len(paths) == 4
    assert page.section(table.read(tmp_path / "none.csv"), probed) == "Not measured yet.\n"


def test_the_page_in_the_docs_is_of_the_table_beside_it(tmp_path):
    found = table.read()
    drawn = [] if found.empty else figures.draw(found, tmp_path)
    text = page.section(found, table.read_probes(), [f"images/{path.name}" for path in drawn])
    docs = cells.ROOT / "docs"
    assert f"begin -->\n{text}<!-- study: end" in (docs / "does-it-work.md").read_text()
    assert all((docs / "images" / path.name).exists() for path in drawn)


def test_the_page_is_filled_between_its_comments(tmp_path):
    copy = tmp_path / "page.md"
    shutil.copy(cells.ROOT / "docs/does-it-work.md", copy)
    common.fill(copy, "new\n", "study")
    text = copy.read_text()
    assert "<!-- study: begin -->\nnew\n<!-- study: end -->" in text
    assert text.startswith("# Does it work?")
    assert text.rstrip().endswith("2.8.")
    with pytest.raises(SystemExit, match="has no <!-- other: begin"):
        common.fill(copy, "new\n", "other")


def test_the_oracle_finds_a_sign_and_nothing_in_noise():
    rng = np.random.default_rng(1)
    targets = np.repeat([1, 0], [78, 28])
    split = pd.DataFrame({"patient_id": [f"p{n}" for n in range(106)], "target": targets})
    split["fold"] = rng.permutation(106) % 5
    noise = rng.normal(size=106)
    signs = pd.DataFrame({"sign": noise + 1.4 * targets}, index=split["patient_id"])
    auc, variance = truth.oracle(signs, split)
    assert 0.75 < auc < 0.92
    assert 0.0005 < variance < 0.005
    assert 0.3 < truth.oracle(signs.assign(sign=noise), split)[0] < 0.65


def test_the_oracle_sees_what_the_simulation_drew():
    config = cells.in_force(cells.Cell(1, 300), cells.plan(["noise"], [1]))
    drawn = truth.rows(config, "histo").set_index("patient_id")
    split = pd.DataFrame({"patient_id": drawn.index, "target": drawn["stage"] >= 3})
    split["fold"] = np.random.default_rng(1).permutation(len(split)) % 5
    signs = truth.true_signs(config, "histo")
    assert list(signs.index) == list(drawn.index)
    assert 0.8 < truth.oracle(signs, split)[0] < 0.97
    around = truth.surroundings(config, "histo")
    assert truth.oracle(around, split)[0] < 0.7
    assert 0.7 < truth.reader(config)["reader_auc"] < 0.85


def test_probes_find_what_features_hold():
    rng = np.random.default_rng(1)
    patients = [f"p{n}" for n in range(60)]
    fat, side = rng.normal(size=60), rng.integers(0, 2, 60)
    position = rng.random((60, 4))
    blocks = [
        np.column_stack([np.full(4, f), np.full(4, s), p])
        for f, s, p in zip(fat, side, position, strict=True)
    ]
    vectors = np.concatenate(blocks) + rng.normal(0, 0.1, (240, 3))
    features = pd.DataFrame(vectors, columns=["f0", "f1", "f2"])
    features.insert(0, "patient_id", np.repeat(patients, 4))
    known = pd.DataFrame({"fat": fat, "other": rng.normal(size=60), "F3-F4": side}, index=patients)
    known["rare"] = [1.0, 1.0, *[0.0] * 58]
    found = probes.of_encoder(features, known, position.ravel()).set_index("target")
    assert "rare" not in found.index  # not in every fold
    assert found.loc[["fat", "slice position"], "value"].min() > 0.85
    assert found.loc["F3-F4", ["measure", "value"]].tolist() == ["AUC", 1.0]
    assert found.loc["other", "value"] < 0.15
