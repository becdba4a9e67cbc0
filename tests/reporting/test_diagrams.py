"""Figures 1 and 3 of the paper, against the network and the settings that they are drawn from."""

import re
from pathlib import Path

import pytest
import torch

from hepatoclr.base import settings
from hepatoclr.learning import backbone, experiment
from hepatoclr.reporting.plots import diagrams

ROOT = Path(__file__).parents[2]
SCHEMA = settings.read(ROOT / "rules/config.schema.yaml")
EVALUATION = {"histo": {"role": "evaluation"}}


def resolved(preset, **chosen):
    """A preset with settings over it."""
    given = {"preset": preset, **({"cohorts": EVALUATION} if preset == "paper" else {}), **chosen}
    return settings.resolve(given, SCHEMA, ROOT / "presets")


def texts(draw, *given, folder):
    """The texts of a figure, which Matplotlib notes in the SVG's comments, line by line."""
    paths = [folder / f"{name}.svg" for name in ("first", "again")]
    for path in paths:
        draw(*given, [path, path.with_suffix(".png")])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    return re.findall("<!-- (.*?) -->", paths[0].read_text(encoding="utf-8"))


def strategy(config, folder):
    chosen = {key: config["experiment"][key] for key in ("methods", "beta")}
    encoders = experiment.pretrained(**chosen, betas=[])
    given = encoders, config["augmentation"], config["pretraining"]["temperature"]
    return texts(diagrams.strategy, *given, folder=folder)


@pytest.mark.parametrize(
    ("config", "last"),
    [
        (resolved("paper"), "20 × 20"),
        (resolved("paper", network={"padding": 0}), "12 × 12"),
        (resolved("paper", network={"padding": 2}), "16 × 16"),
        (resolved("demo"), "2 × 2"),
        (resolved("tiny", tensors={"size": 49}, network={"channels": [3, 5], "projection": 64}),
         "13 × 13"),
    ],
)  # fmt: skip
def test_the_drawn_network_is_the_one_that_is_trained(config, last, tmp_path):
    size, given = config["tensors"]["size"], config["network"]
    with torch.device("meta"):
        net = backbone.Network(**given)
        maps, expected = torch.empty(1, 1, size, size), ["slice", f"{size} × {size}"]
        for block in net.backbone.blocks:
            maps = block(maps)
            expected += [f"{maps.shape[1]} maps", f"{maps.shape[2]} × {maps.shape[3]}"]
    found = texts(diagrams.network, size, given, folder=tmp_path)
    assert expected[-1] == last
    assert found[: len(expected)] == expected
    head = [("features", maps.shape[1]), ("shared", net.shared[0].out_features)]
    head += [("projection", net.projector.out_features)]
    for name, length in head:
        assert found[found.index(name) + 1] == str(length)
    weights = {name: sum(each.numel() for each in part.parameters())
               for name, part in (("all", net), ("backbone", net.backbone))}  # fmt: skip
    assert f"Backbone: {weights['backbone']:,} parameters" in found
    assert f"Head: {weights['all'] - weights['backbone']:,} parameters" in found
    assert f"padding {given['padding']};" in " ".join(found)


def test_the_drawn_strategy_is_the_one_in_force(tmp_path):
    found = strategy(resolved("paper"), tmp_path)
    assert {"Supervised", "weak-SimCLR", "β = 0.5", "SimCLR", "SupCon"} <= set(found)
    assert found.count("× 0.5") == 2
    assert {"NT-Xent, τ = 0.1", "equal y, τ = 0.1"} <= set(found)
    words = " ".join(found).replace("\N{NO-BREAK SPACE}", " ")
    assert "horizontal flip (0.5), vertical flip (0.5)" in words
    assert "crop to 70 % of the area (0.5), translation up to 20 % (0.5)" in words
    assert "rotation up to 30° (0.5)" in words
    assert "CutOut" not in words


def test_other_settings_draw_another_strategy(tmp_path):
    changes = {"horizontal_flip": 0, "crop": 0, "rotation_degrees": 0, "cutout": 0.3}
    config = resolved(
        "paper",
        augmentation={**changes, "kornia": {"RandomInvert": {}}},
        experiment={"methods": ["weak_simclr", "supcon"], "beta": 0.2},
        pretraining={"temperature": 0.07},
    )
    found = strategy(config, tmp_path)
    assert {"β = 0.2", "× 0.2", "× 0.8", "NT-Xent, τ = 0.07", "SupCon"} <= set(found)
    assert not {"Supervised", "SimCLR"} & set(found)
    words = " ".join(found).replace("\N{NO-BREAK SPACE}", " ")
    assert "CutOut (0.3), RandomInvert" in words
    assert not {"horizontal", "crop", "rotation"} & set(words.split())


@pytest.mark.parametrize(
    ("methods", "beta", "shown"),
    [
        (["supervised"], 0.5, {"Supervised", "classifier"}),
        (["weak_simclr"], 0, {"SimCLR", "projections"}),
        (["weak_simclr"], 1, {"Supervised", "classifier"}),
        (["mine"], 0.5, set()),
    ],
)
def test_what_no_method_uses_is_not_drawn(methods, beta, shown, tmp_path):
    config = resolved("paper", experiment={"methods": methods, "beta": beta})
    words = {"Supervised", "SimCLR", "SupCon", "weak-SimCLR", "classifier", "projections"}
    assert words & set(strategy(config, tmp_path)) == shown
