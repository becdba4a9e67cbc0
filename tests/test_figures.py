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

from hepatoclr import figures, metrics, tables
from hepatoclr.errors import UserError
from hepatoclr.volumes import Volume

NAMES = ["learning_curve", "beta", "roc", "preprocessing"]


@pytest.fixture(scope="module")
def predictions():
    return example_predictions.predictions()


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


def draw(name, predictions, folder, synthetic=True):
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    if name == "learning_curve":
        figure = figures.learning_curve(tables.learning_curve(predictions, synthetic), paths)
    elif name == "beta":
        table1 = tables.table1(predictions, METHODS, synthetic)
        baseline = table1.set_index(["method", "protocol"]).loc[("none", "finetune")]
        figure = figures.beta(tables.table2(predictions, BETAS, synthetic), baseline, paths)
    elif name == "roc":
        figure = figures.roc(predictions, METHODS, paths, synthetic=synthetic)
    else:
        figure = figures.preprocessing(*case(), paths, synthetic=synthetic)
    return figure, paths


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_the_same_every_time_and_says_when_it_is_synthetic(name, predictions, tmp_path):
    _, first = draw(name, predictions, tmp_path / "first")
    _, again = draw(name, predictions, tmp_path / "again")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    svg = first[0].read_text(encoding="utf-8")
    # Letters are drawn as shapes; Matplotlib notes each text in a comment.
    assert "<!-- synthetic cohort -->" in svg
    assert "<dc:date>" not in svg
    assert Image.open(first[1]).size > (800, 500)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_patients_does_not_say_synthetic(name, predictions, tmp_path):
    _, paths = draw(name, predictions, tmp_path, synthetic=False)
    assert "synthetic" not in paths[0].read_text(encoding="utf-8")


def test_drawing_leaves_the_settings_of_others_alone(predictions, tmp_path):
    before = dict(matplotlib.rcParams)
    draw("roc", predictions, tmp_path)
    assert dict(matplotlib.rcParams) == before


def test_learning_curve_shows_its_table(predictions, tmp_path):
    table = tables.learning_curve(predictions, synthetic=True)
    figure, _ = draw("learning_curve", predictions, tmp_path)
    (axes,) = figure.axes
    line = axes.lines[0]
    assert line.get_xdata().tolist() == pytest.approx([40, 60, 80, 100])
    assert line.get_ydata().tolist() == table["auc_mean"].tolist()
    written = [text.get_text() for text in axes.texts]
    assert f"{table['auc_mean'].iloc[-1]:.2f}" in written


def test_beta_shows_both_protocols_beside_the_baseline(predictions, tmp_path):
    figure, _ = draw("beta", predictions, tmp_path)
    assert [axes.get_ylabel() for axes in figure.axes] == ["AUC", "Balanced accuracy"]
    table = tables.table2(predictions, BETAS, synthetic=True)
    for axes, measure in zip(figure.axes, metrics.MEASURES, strict=True):
        assert len(axes.containers) == 2
        for container, protocol in zip(axes.containers, tables.PROTOCOLS, strict=True):
            expected = table[table["protocol"] == protocol][f"{measure}_mean"]
            assert container.lines[0].get_ydata().tolist() == expected.tolist()
    (legend,) = figure.legends
    labels = {text.get_text() for text in legend.get_texts()}
    assert labels == {"random weights, fine-tuned", "linear", "fine-tuned"}


def test_roc_has_a_panel_per_protocol_and_the_auc_of_each_method(predictions, tmp_path):
    figure, _ = draw("roc", predictions, tmp_path)
    assert len(figure.axes) == 2
    table1 = tables.table1(predictions, METHODS, synthetic=True)
    aucs = table1.set_index(["protocol", "method"])[["auc_mean", "auc_sd"]]
    for axes, protocol in zip(figure.axes, tables.PROTOCOLS, strict=True):
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(labels) == len(METHODS)
        mean, sd = aucs.loc[(protocol, "weak_simclr")]
        assert labels[-1] == f"weak-SimCLR  {mean:.2f} ± {sd:.2f}"
        # Told apart without colour: the first line is chance, every other marker differs.
        assert len({line.get_marker() for line in axes.lines[1:]}) == len(METHODS)


def test_roc_of_one_protocol(predictions, tmp_path):
    linear = predictions[predictions["protocol"] == "linear"]
    assert len(figures.roc(linear, METHODS, [tmp_path / "r.png"], synthetic=True).axes) == 1


def test_roc_of_nothing_is_refused(predictions, tmp_path):
    with pytest.raises(UserError, match="no predictions of mine"):
        figures.roc(predictions, {"mine": "mine"}, [tmp_path / "roc.svg"], synthetic=True)


def test_preprocessing_shows_the_stages(tmp_path):
    volume, _, _, tensor = case()
    figure, _ = draw("preprocessing", None, tmp_path)
    axial, coronal, histogram, seen = figure.axes
    assert np.array_equal(axial.images[0].get_array(), volume.array[6])
    assert np.array_equal(coronal.images[0].get_array(), volume.array[:, 10])
    assert coronal.get_ylim() == (0, 12 * 5)
    band = coronal.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == (5 * 5, 8 * 5)
    assert "100.0 % of the liver's voxels" in histogram.texts[0].get_text()
    assert np.array_equal(seen.images[0].get_array(), tensor[1])


def test_the_outline_lies_on_the_liver(tmp_path):
    _, liver, _, _ = case()
    figure, _ = draw("preprocessing", None, tmp_path)
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
    figure = figures.preprocessing(
        volume, liver, apart, tensor, [tmp_path / "p.png"], synthetic=True
    )
    bands = [(patch.get_y(), patch.get_height()) for patch in figure.axes[1].patches]
    assert bands == [(25, 10), (40, 5)]


def test_save_takes_several_formats(tmp_path):
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "pdf")]
    figures.save(Figure(), *paths)
    assert all(path.stat().st_size for path in paths)


def test_import_does_not_load_scikit_learn():
    code = "import sys, hepatoclr.figures; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
