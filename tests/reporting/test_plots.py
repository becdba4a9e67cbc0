"""Figures: what they show, in files that come out the same every time."""

import subprocess
import sys

import example_predictions
import matplotlib
import numpy as np
import pandas as pd
import pytest
from example_predictions import BETAS, METHODS
from matplotlib.figure import Figure
from PIL import Image

from hepatoclr.imaging.volumes import Volume
from hepatoclr.reporting import formatting
from hepatoclr.reporting.plots import common, curves, effects, plots, preprocessing
from hepatoclr.reporting.tables import common as table_common
from hepatoclr.reporting.tables import performance, tables
from hepatoclr.stats import metrics

NAMES = [*plots.NAMES, "preprocessing"]
SYNTHETIC = ["synthetic"]


@pytest.fixture(scope="module")
def predictions():
    return example_predictions.predictions()


@pytest.fixture(scope="module")
def computed(predictions):
    return tables.all(predictions, METHODS, BETAS, SYNTHETIC)


@pytest.fixture
def draw(predictions, computed):
    """Draw a figure into a folder, and give it with its files."""

    def one(name, folder, disclaimers=SYNTHETIC, **settings):
        paths = [folder / f"{name}.svg", folder / f"{name}.png"]
        if name == "preprocessing":
            return preprocessing.draw(*case(), paths, synthetic=bool(disclaimers)), paths
        marked = {
            key: table.assign(data=formatting.data(disclaimers), **settings)
            for key, table in computed.items()
        }
        return plots.all(predictions, marked, {name: paths}, METHODS)[name], paths

    return one


def case():
    """A sphere of liver in a box of fat in air, 12 slices of 20 by 24 voxels."""
    z, y, x = np.mgrid[:12, :20, :24]
    array = np.full(z.shape, -1000, np.int16)
    array[:, 2:18, 2:22] = -90
    inside = (z - 6) ** 2 * 4 + (y - 10) ** 2 + (x - 8) ** 2 < 40
    array[inside] = 110
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])
    kept = np.array([7, 6, 5])
    area = inside.sum(axis=(1, 2))[kept] * 4.0
    slices = pd.DataFrame(
        {"index": kept, "z_mm": 5.0 * kept, "position": [0.3, 0.5, 0.7], "liver_area_mm2": area}
    )
    tensor = np.clip(array[kept], -100, 400)
    return Volume(array, affine), Volume(inside.astype(np.uint8), affine), slices, tensor


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_the_same_every_time_and_says_when_it_is_synthetic(name, draw, tmp_path):
    _, first = draw(name, tmp_path / "first")
    _, again = draw(name, tmp_path / "again")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    svg = first[0].read_text(encoding="utf-8")
    # Letters are drawn as shapes; Matplotlib notes each text in a comment.
    assert "<!-- synthetic cohort -->" in svg
    assert "<dc:date>" not in svg
    assert Image.open(first[1]).size > (800, 500)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_patients_does_not_say_synthetic(name, draw, tmp_path):
    _, paths = draw(name, tmp_path, disclaimers=[])
    assert "synthetic" not in paths[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plots.NAMES)
def test_a_figure_prints_its_disclaimers(name, draw, tmp_path):
    _, paths = draw(name, tmp_path, disclaimers=["synthetic", "permuted"], leaky=1)
    words = "synthetic cohort, labels permuted (control), leaky: epoch chosen on tested patients"
    assert f"<!-- {words} -->" in paths[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", plots.NAMES)
def test_nothing_to_draw_is_said(name, predictions, tmp_path):
    empty = {key: pd.DataFrame(columns=["method", "protocol", "data"]) for key in plots.TABLES}
    path = tmp_path / "figure.svg"
    plots.all(predictions, empty, {name: [path]})
    assert "Nothing to draw" in path.read_text(encoding="utf-8")


def test_drawing_leaves_the_settings_of_others_alone(draw, tmp_path):
    before = dict(matplotlib.rcParams)
    draw("roc", tmp_path)
    assert dict(matplotlib.rcParams) == before


def whisker_ends(container):
    """Lower and upper ends of the bars of an errorbar plot."""
    (bars,) = container.lines[2]
    return np.array([segment[:, 1] for segment in bars.get_segments()]).T


def test_learning_curve_shows_its_table(draw, computed, tmp_path):
    table = computed["learning_curve"]
    figure, _ = draw("learning_curve", tmp_path)
    axes, beside = figure.axes
    (container,) = axes.containers
    assert container.lines[0].get_xdata().tolist() == pytest.approx([32, 48, 64, 80])
    assert container.lines[0].get_ydata().tolist() == table["auc_mean"].tolist()
    low, high = whisker_ends(container)
    assert low.tolist() == pytest.approx(table["auc_low"].tolist())
    assert high.tolist() == pytest.approx(table["auc_high"].tolist())
    (spread,) = (part for part in axes.collections if part.get_label() == "± sd over folds")
    ends = np.array([segment[:, 1] for segment in spread.get_segments()]).T
    sd = table["auc_sd"].to_numpy()
    assert ends == pytest.approx(np.array([table["auc_mean"] - sd, table["auc_mean"] + sd]))
    law = next(line for line in axes.lines if line.get_label().startswith("power law"))
    fitted = np.interp(table["patients"], law.get_xdata(), law.get_ydata())
    assert fitted.tolist() == pytest.approx(table["fitted"].tolist(), abs=1e-3)
    written = [text.get_text() for text in axes.texts]
    assert f"{table['auc_mean'].iloc[-1]:.2f}" in written
    # the paper's, whatever the cohort
    assert beside.get_title(loc="left") == "Reference points of\nthe paper's Figure 2"
    ticks = [tick.get_text() for tick in beside.get_xticklabels()]
    assert dict(zip(ticks, beside.lines[0].get_ydata(), strict=True)) == {"186": 0.76, "202": 0.89}


def test_a_learning_curve_of_two_points_of_one_fold_has_no_law_and_no_sd(computed, tmp_path):
    unknown = dict.fromkeys(("fitted", "fitted_low", "auc_sd"), np.nan)
    table = computed["learning_curve"].iloc[[0, 3]].assign(**unknown)
    (legend,) = effects.learning_curve(table, [tmp_path / "l.png"]).legends
    assert [text.get_text() for text in legend.get_texts()] == ["mean over folds, 95 % interval"]


def test_beta_shows_both_protocols_beside_the_baseline(draw, computed, tmp_path):
    figure, _ = draw("beta", tmp_path)
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes]
    assert labels == list(formatting.RESULT_LABELS.values())
    table = computed["table2"]
    for axes, measure in zip(figure.axes, metrics.MEASURES, strict=True):
        assert len(axes.containers) == 2
        for container, protocol in zip(axes.containers, table_common.PROTOCOLS, strict=True):
            part = table[table["protocol"] == protocol]
            assert container.lines[0].get_ydata().tolist() == part[f"{measure}_mean"].tolist()
            low, high = whisker_ends(container)
            assert low.tolist() == pytest.approx(part[f"{measure}_low"].tolist())
            assert high.tolist() == pytest.approx(part[f"{measure}_high"].tolist())
    (legend,) = figure.legends
    labels = {text.get_text() for text in legend.get_texts()}
    assert labels == {"random weights, fine-tuned", "linear", "fine-tuned"}


def test_roc_has_a_panel_per_protocol_and_the_auc_of_each_method(draw, computed, tmp_path):
    figure, _ = draw("roc", tmp_path)
    assert len(figure.axes) == 2
    rows = computed["table1"].set_index(["protocol", "method"])
    for axes, protocol in zip(figure.axes, table_common.PROTOCOLS, strict=True):
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(labels) == len(METHODS)
        row = rows.loc[(protocol, "weak_simclr")]
        interval = f"[{row['auc_low']:.2f}, {row['auc_high']:.2f}]"
        assert labels[-1] == f"weak-SimCLR  {row['auc_mean']:.2f} {interval}"
        # Told apart without colour: the first line is chance, every other marker differs.
        assert len({line.get_marker() for line in axes.lines[1:]}) == len(METHODS)


def test_a_panel_shows_eight_methods_at_most(predictions, tmp_path):
    part = predictions.query("encoder == 'simclr' and protocol == 'linear'")
    many = pd.concat([part.assign(encoder=f"model {k}") for k in range(10)])
    table = performance.table1(many)
    methods = {name: name for name in table["method"]}
    for name in ("roc", "decision_curve"):
        figure = getattr(curves, name)(many, methods, table, [tmp_path / f"{name}.png"])
        labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert sum(label.startswith("model") for label in labels) == 8


def test_comparisons_show_the_difference_its_interval_and_what_is_too_small(
    draw, computed, tmp_path
):
    figure, _ = draw("comparisons", tmp_path)
    table = computed["comparisons"]
    assert len(figure.axes) == 2
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    # Each reference with its methods, of table 1.
    assert labels == [
        *("Against random weights", "Supervised", "SimCLR", "SupCon", "weak-SimCLR 0.5"),
        *("Against SimCLR", "Supervised", "SupCon", "weak-SimCLR 0.5"),
    ]
    axes = figure.axes[0]
    row = table.query("protocol == 'linear' and reference == 'simclr' and encoder == 'supcon'")
    height = labels.index("SupCon", 6)
    drawn = [line for line in axes.lines if set(line.get_ydata()) == {height}]
    models, methods, point = sorted(drawn, key=lambda line: -len(line.get_xdata()))
    assert list(models.get_xdata()) == row[["low", "high"]].iloc[0].tolist()
    assert list(methods.get_xdata()) == row[["t_low", "t_high"]].iloc[0].tolist()
    assert models.get_linewidth() > methods.get_linewidth()
    assert list(point.get_xdata()) == row["difference"].tolist()
    band = next(bar for bar in axes.patches if bar.get_y() + bar.get_height() / 2 == height)
    assert band.get_width() == pytest.approx(2 * row["minimum_detectable_difference"].item())
    assert band.get_x() == pytest.approx(-row["minimum_detectable_difference"].item())


def test_equal_methods_lie_at_zero_of_an_axis_that_shows_nothing_smaller(computed, tmp_path):
    unknown = dict.fromkeys(
        ("low", "high", "t_low", "t_high", "minimum_detectable_difference"), np.nan
    )
    same = computed["comparisons"].assign(difference=1e-17, **unknown)
    figure = effects.comparisons(same, [tmp_path / "c.png"])
    assert figure.axes[0].get_xlim() == pytest.approx((-0.11, 0.11))


def test_calibration_pools_repeats_into_groups_of_equal_size(predictions, computed, tmp_path, draw):
    figure, _ = draw("calibration", tmp_path)
    axes, spread = figure.axes[0], figure.axes[2]
    line = axes.lines[1 + list(METHODS).index("supcon")]
    part = predictions.query("protocol == 'linear' and encoder == 'supcon'")
    ranked = part.sort_values("probability", kind="stable")
    for group in range(5):
        members = ranked.iloc[20 * group : 20 * group + 20]
        assert line.get_xdata()[group] == pytest.approx(members["probability"].mean())
        assert line.get_ydata()[group] == pytest.approx(members["label"].mean())
    measures = computed["measures"].set_index(["protocol", "encoder", "measure"])["estimate"]
    slope = formatting.number(measures["linear", "supcon", "calibration_slope"])
    intercept = formatting.number(measures["linear", "supcon", "calibration_intercept"])
    labels = [text.get_text() for text in spread.get_legend().get_texts()]
    assert f"SupCon  {slope}, {intercept}" in labels
    # A strip of forty bars for each method.
    assert len(spread.patches) == 40 * len(METHODS)


def test_the_decision_curve_is_called_exploratory_and_starts_at_the_prevalence(
    draw, predictions, tmp_path
):
    figure, _ = draw("decision_curve", tmp_path)
    for axes in figure.axes:
        assert "exploratory" in axes.get_title(loc="left")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    part = predictions.query("protocol == 'linear' and encoder == 'supcon'")
    place = int(np.argmin(np.abs(curves.THRESHOLDS - 0.6)))
    called = part["probability"] >= curves.THRESHOLDS[place]
    tp, fp = (called & (part["label"] == 1)).mean(), (called & (part["label"] == 0)).mean()
    assert lines["SupCon"].get_ydata()[place] == pytest.approx(tp - fp * 0.6 / 0.4)
    assert lines["call all positive"].get_ydata()[place] == pytest.approx(0.6 - 0.4 * 0.6 / 0.4)
    assert set(lines["call nobody"].get_ydata()) == {0}


def test_preprocessing_shows_the_stages(draw, tmp_path):
    volume, _, _, tensor = case()
    figure, _ = draw("preprocessing", tmp_path)
    axial, coronal, histogram, seen = figure.axes
    assert np.array_equal(axial.images[0].get_array(), volume.array[6])
    assert np.array_equal(coronal.images[0].get_array(), volume.array[:, 10])
    assert coronal.get_ylim() == (0, 12 * 5)
    band = coronal.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == (5 * 5, 8 * 5)
    assert "100.0 % of the liver's voxels" in histogram.texts[0].get_text()
    assert np.array_equal(seen.images[0].get_array(), tensor[1])


def test_the_outline_lies_on_the_liver(draw, tmp_path):
    _, liver, _, _ = case()
    figure, _ = draw("preprocessing", tmp_path)
    rows, columns = np.nonzero(liver.array[6])
    (outline,) = figure.axes[0].collections
    corners = outline.get_paths()[0].get_extents()
    # 2 mm voxels; the level 0.5 lies halfway to the middle of the next voxel.
    assert corners.x0 == pytest.approx(2 * columns.min())
    assert corners.x1 == pytest.approx(2 * (columns.max() + 1))
    assert corners.y0 == pytest.approx(2 * rows.min())
    assert corners.y1 == pytest.approx(2 * (rows.max() + 1))


def test_kept_slices_that_do_not_touch_are_shaded_apart(tmp_path):
    volume, liver, slices, tensor = case()
    apart = slices.assign(index=[8, 6, 5])
    figure = preprocessing.draw(volume, liver, apart, tensor, [tmp_path / "p.png"], synthetic=True)
    bands = [(patch.get_y(), patch.get_height()) for patch in figure.axes[1].patches]
    assert bands == [(25, 10), (40, 5)]


def test_save_takes_several_formats(tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "pdf")]
    common.save(Figure(), *paths)
    assert all(path.stat().st_size for path in paths)


def test_import_does_not_load_scikit_learn():
    code = "import sys, hepatoclr.reporting.plots.plots; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
