"""Feature space: what is built into made-up features is found, and nothing where nothing is."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.metrics.pairwise import cosine_similarity

from hepatoclr.cohorts import cohort_table
from hepatoclr.interpretation import feature_space
from hepatoclr.reporting import formatting, layouts, markup
from hepatoclr.stats import comparison_tests

PEOPLE = 60


@pytest.fixture
def people():
    """Sixty patients; stage, site and scanner have nothing to do with each other."""
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat(["F0", "F2", "F4"], PEOPLE // 3))
    return pd.DataFrame(
        {
            "case": [f"c{n}" for n in range(PEOPLE)],
            "patient_id": [f"p{n}" for n in range(PEOPLE)],
            "target": np.where(label == "F4", "1", "0"),
            "label": label,
            "weak_label": "",
            "site": rng.permutation(np.repeat(["A", "B"], PEOPLE // 2)),
            "scanner": rng.permutation(np.repeat(["x", "y", "z", "rare"], [20, 20, 17, 3])),
        }
    )


def vectors(people, **weights):
    """Features that hold some properties, each with its weight, and noise."""
    rng = np.random.default_rng(1)
    found = rng.normal(size=(PEOPLE, 12))
    for place, (name, weight) in enumerate(weights.items()):
        found[:, place] += weight * np.unique(people[name], return_inverse=True)[1]
    return found


def asked(people, array):
    return feature_space.separability(people, {"mine": array}, 1, []).set_index("property")


def test_an_encoder_that_reads_the_scanner_is_found_out(people):
    found = asked(people, vectors(people, site=6.0))
    assert found.loc["site", "auc"] > 0.98
    assert found.loc["site", "auc_low"] > 0.9
    assert found.loc["site", "neighbours_same"] > found.loc["site", "neighbours_chance"] + 0.2
    assert found.loc["target", "auc_low"] < 0.5 < found.loc["target", "auc_high"]
    found = asked(people, vectors(people, label=6.0))
    assert found.loc["label", "balanced_accuracy"] > 0.7
    assert found.loc["site", "auc_low"] < 0.5 < found.loc["site", "auc_high"]


def test_chance_is_that_of_the_classes(people):
    found = asked(people, vectors(people))
    assert found.loc["label", "balanced_accuracy_chance"] == pytest.approx(1 / 3)
    assert found.loc["site", "neighbours_chance"] == pytest.approx(29 / 59)
    rng = np.random.default_rng(2)
    draws = [rng.permutation(people["label"]) for _ in range(300)]
    near, _ = feature_space.nearest(vectors(people))
    shares = [feature_space._same(labels, near)["neighbours_same"] for labels in draws]
    assert found.loc["label", "neighbours_chance"] == pytest.approx(np.mean(shares), abs=0.01)


def test_small_classes_are_joined_or_excluded(people):
    found = asked(people, vectors(people))
    assert found.loc["scanner", ["patients", "excluded"]].tolist() == [57, 3]
    assert found.loc["scanner", "classes"] == "x 20; y 20; z 17"
    people["scanner"] = people["scanner"].replace("z", "y").mask(people.index < 4, "also rare")
    found = asked(people, vectors(people))
    assert "other" in found.loc["scanner", "classes"]
    assert found.loc["scanner", "excluded"] == 0


def test_properties_without_two_values_are_not_asked_for(people):
    people["site"] = "A"
    assert list(asked(people, vectors(people)).index) == ["target", "label", "scanner"]
    assert feature_space.varying_properties(people) == ["label", "scanner"]


def test_too_few_patients_are_said(people):
    few = people.iloc[:7].assign(label=["a", "b"] * 3 + ["a"], target=["0", "1"] * 3 + ["0"])
    table = feature_space.separability(few, {"mine": vectors(people)[:7]}, 1, ["synthetic"])
    assert table["auc"].isna().all()
    text = markup.markdown(layouts.of(table), "Caption")
    assert "too few" in text
    assert formatting.SYNTHETIC in text


@pytest.mark.parametrize("count", [4, 5])
def test_a_handful_of_patients_have_no_readout(people, count):
    few = people[people["target"] == "0"].head(count - 1)
    few = pd.concat([few, people[people["target"] == "1"].head(1)])
    table = feature_space.separability(few, {"mine": vectors(people)[:count]}, 1, [])
    assert table["auc"].isna().all()
    assert table["auc_chance"].isna().all()


def test_measures_are_scikit_learns():
    rng = np.random.default_rng(3)
    codes = np.repeat([0, 1, 2], [5, 9, 14])
    probability = rng.dirichlet(np.ones(3), len(codes)).round(1) + 1e-6
    probability /= probability.sum(axis=1, keepdims=True)
    groups = [np.flatnonzero(codes == code) for code in range(3)]
    drawn = comparison_tests.drawn(groups, feature_space.DRAWS, 1)
    assert (drawn.sum(axis=1) == len(codes)).all()
    weights = np.concatenate([np.ones((1, len(codes))), drawn[:3]])
    found = feature_space._measures(codes, probability, weights)
    for number, row in enumerate(weights.astype(int)):
        again = np.repeat(np.arange(len(codes)), row)
        one_against_rest = [
            roc_auc_score(codes[again] == code, probability[again, code]) for code in range(3)
        ]
        assert found["auc"][number] == pytest.approx(np.mean(one_against_rest))
        recall = balanced_accuracy_score(codes[again], probability[again].argmax(axis=1))
        assert found["balanced_accuracy"][number] == pytest.approx(recall)


def test_neighbours_are_the_most_similar_others(people):
    people.loc[3, "site"] = ""
    array = np.abs(vectors(people, label=3.0))
    table = feature_space.neighbours(people, {"mine": array, "other": array[:, ::-1]})
    assert len(table) == 2 * PEOPLE * 5
    similarity = pd.DataFrame(cosine_similarity(array), people["patient_id"], people["patient_id"])
    by_id = people.set_index("patient_id")
    for (encoder, name), part in table.groupby(["encoder", "patient_id"]):
        expected = similarity.loc[name].drop(name).nlargest(5)
        assert part["rank"].tolist() == [1, 2, 3, 4, 5], encoder
        assert part["neighbour"].tolist() == expected.index.tolist()
        assert part["similarity"].to_numpy() == pytest.approx(expected.to_numpy())
        assert part["neighbour_label"].tolist() == by_id.loc[part["neighbour"], "label"].tolist()
        same = by_id.loc[part["neighbour"], "target"] == by_id.loc[name, "target"]
        assert part["same_target"].tolist() == same.astype(int).tolist()
    assert table.loc[table["patient_id"] == "p3", "same_site"].isna().all()


def test_patients_are_their_first_used_case(tmp_path):
    table = pd.DataFrame(
        [
            *(("a~1", "a", "F4", 1, False, "S"), ("a~2", "a", "F4", 1, True, "T")),
            *(("a~3", "a", "F4", 1, True, "U"), ("b", "b", "F0", 0, True, "")),
        ],
        columns=["case", "patient_id", "label", "target", "included", "site"],
    )
    cohort_table.write(table, tmp_path / "cohort.csv")
    features = pd.DataFrame(
        {
            "case": ["a~2", "a~2", "a~3", "b"],
            "f0": [1.0, 3.0, 50.0, 5.0],
            "f1": [0.0, 1.0, 50.0, 7.0],
        }
    )
    features.to_parquet(tmp_path / "f.parquet")
    people, arrays = feature_space.read(tmp_path / "cohort.csv", {"mine": tmp_path / "f.parquet"})
    assert people.to_dict("records") == [
        {
            **{"case": "a~2", "patient_id": "a", "target": "1", "label": "F4"},
            **{"weak_label": "", "site": "T", "scanner": ""},
        },
        {
            **{"case": "b", "patient_id": "b", "target": "0", "label": "F0"},
            **{"weak_label": "", "site": "", "scanner": ""},
        },
    ]
    assert arrays["mine"].tolist() == [[2.0, 0.5], [5.0, 7.0]]


def test_principal_components_keep_what_differs_most(people):
    array = vectors(people, label=20.0)
    points, axes = feature_space.pca(array)
    codes = np.unique(people["label"], return_inverse=True)[1]
    assert abs(np.corrcoef(points[:, 0], codes)[0, 1]) > 0.99
    assert axes[0].startswith("PC 1, 9")


def test_tables_and_figures_are_the_same_every_time(people, tmp_path):
    people.loc[:4, "scanner"] = ""
    arrays = {name: vectors(people, label=n) for n, name in enumerate(("none", "simclr"))}
    for folder in (tmp_path / "first", tmp_path / "again"):
        names = ("separability", "separability_md", "separability_tex", "neighbours")
        paths = {name: folder / name for name in names}
        feature_space.run(people, arrays, paths, seed=1, disclaimers=["synthetic"])
        points = {name: feature_space.pca(array) for name, array in arrays.items()}
        paths = [folder / "pca.svg", folder / "pca.png"]
        figure = feature_space.draw(people, points, paths, disclaimers=["synthetic"])
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()
    svg = (tmp_path / "first/pca.svg").read_text(encoding="utf-8")
    assert "<!-- synthetic cohort -->" in svg
    assert Image.open(tmp_path / "first/pca.png").size > (800, 800)
    assert [axes.get_title(loc="left") for axes in figure.axes[:3]] == ["Stage", "Site", "Scanner"]
    scanner = figure.axes[-1]
    labels = [text.get_text() for text in scanner.get_legend().get_texts()]
    assert labels == ["rare", "x", "y", "z", "unknown"]
    assert sum(len(part.get_offsets()) for part in scanner.collections) == PEOPLE
    shapes = {part.get_paths()[0].vertices.tobytes() for part in scanner.collections}
    assert len(shapes) == 5  # told apart without colour


def test_many_values_share_the_last_style(people, tmp_path):
    people["site"] = [f"S{n % 12:02}" for n in range(PEOPLE)]
    points = {"none": feature_space.pca(vectors(people))}
    figure = feature_space.draw(people, points, [tmp_path / "a.png"], disclaimers=[])
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert len(labels) == 8
    assert labels[-1] == "other"


UMAP = """
import numpy as np
from hepatoclr.interpretation import feature_space
for patients in (6, 40):
    rng = np.random.default_rng(0)
    array = rng.uniform(0, 0.1, (patients, 16))
    array[: patients // 2, :4] += 1
    array[patients // 2 :, 4:8] += 1
    first, axes = feature_space.umap(array)
    again, _ = feature_space.umap(array)
    assert first.shape == (patients, 2) and np.isfinite(first).all()
    assert np.array_equal(first, again)
    near = np.linalg.norm(first[:, None] - first[None], axis=2) + np.diag([np.inf] * patients)
    half = np.arange(patients) < patients // 2
    share = (half[near.argmin(axis=1)] == half).mean()
    assert patients == 6 or share == 1, share
"""


def test_umap_keeps_groups_together_and_is_the_same_every_time():
    # in a process of its own: its library takes long to load and compiles
    subprocess.run([sys.executable, "-W", "ignore", "-c", UMAP], check=True)
