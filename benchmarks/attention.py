"""What the networks of a simulated run look at: occlusion within the organs that show fibrosis.

    make demo && python -m benchmarks.attention --patients 24 --fill docs/does-it-work.md

The maps are those of `hepatoclr.interpretation.explain`, of the first patients of the evaluation
cohort instead of the most confident ones; the organs are the simulation's own. The caudate lobe
is part of the liver.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import common, ours
from benchmarks.positive_control import truth
from hepatoclr.interpretation import explain
from hepatoclr.learning import backbone, experiment
from hepatoclr.simulation import anatomy, body, scanner
from hepatoclr.simulation.patients import Patient
from hepatoclr.stats import predictions

COHORT = "histo"
DENSE, AIR = 130, -300  # HU: denser than soft tissue; less dense than the body
READ = {"volumes": ".nii.gz", "livers": ".nii.gz", "slices": ".csv", "tensors": ".b2nd"}
ENCODERS = experiment.NONE, "supervised", "simclr", "supcon", "weak_simclr-0.5"


def organs(who: Patient, config: Mapping, place: int) -> dict[str, np.ndarray]:
    """Where some parts of a slice lie, each of shape (y, x)."""
    scan = scanner.protocol(who, config["simulate"]["matrix"], config["simulate"]["slice_mm"])
    pixel = float(scan.x[1] - scan.x[0])
    (hu,), (labels,) = anatomy.render(who, scan.z[place : place + 1], scan.y, scan.x, pixel)
    signs = (labels == body.LIVER) | (labels == body.SPLEEN)
    return {
        "liver": labels == body.LIVER,
        "liver and spleen": signs,
        "bone and contrast": (hu > DENSE) & ~signs,
        "the air": hu < AIR,
    }


def shares(run: Path, config: Mapping, encoder: str, patients: int) -> pd.DataFrame:
    """Share of a slice's pixels and of the occlusion map in each part, a row per patient."""
    found = {name: sorted((run / name / COHORT).glob(f"*{end}")) for name, end in READ.items()}
    folder = run / f"predictions/linear/{encoder}/seed1"
    said = predictions.read([folder / "repeat1.csv"])
    said = predictions.at_threshold(said, config["evaluation"]["threshold"]).iloc[:patients]
    positive = (said["probability"] >= said["threshold"]).astype(int)
    kinds = {what: name for name, what in explain.KINDS.items()}
    said["kind"] = [kinds[what] for what in zip(said["label"], positive, strict=True)]
    maps = explain.explain(
        backbone.read(
            run / f"encoders/{encoder}/seed1/encoder.safetensors", config["network"]
        ).backbone,
        said,
        run / f"features/{COHORT}/{encoder}/seed1.parquet",
        run / "splits/repeat1.csv",
        found,
        window=tuple(config["tensors"]["window"]),
        settings=config["linear"],
        seed=config["seed"],
    )
    drawn, rows = truth.drawn(config, COHORT), []
    for shown in maps:
        amount = np.abs(shown.maps["occlusion"].astype(float))
        parts = organs(drawn[shown.facts["patient_id"]], config, shown.facts["slice"])
        assert (parts["liver"] == shown.liver).all(), "the run is of other patients"
        for name, part in parts.items():
            area, share = part.mean(), amount[part].sum() / amount.sum()
            rows.append({"part": name, "area": area, "share": share})
    return pd.DataFrame(rows)


def page(run: Path, config: Mapping, encoders: Sequence[str], patients: int) -> str:
    """The table as Markdown: the parts' areas, then a row per encoder."""
    lines = []
    for encoder in encoders:
        mean = shares(run, config, encoder, patients).groupby("part", sort=False).mean()
        area, share = mean["area"], mean["share"]
        signs, outside = "liver and spleen", "the air"
        times = share[signs] / area[signs]
        within = times * (1 - area[outside]) / (1 - share[outside])
        lines.append([encoder, *map("{:.0%}".format, share), f"{times:.1f}", f"{within:.1f}"])
    lines.insert(0, ["area of the slice", *map("{:.0%}".format, area), "1", "1"])
    head = ["occlusion map", *area.index, "liver and spleen by area", "within the body"]
    return f"{patients} patients.\n\n{common.markdown(head, lines)}\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=Path("results/demo"))
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--fill", type=Path, help="page to put the table into")
    chosen = parser.parse_args()
    table = page(chosen.run, ours.config(ours.DEMO), ENCODERS, chosen.patients)
    print(table)
    if chosen.fill:
        common.fill(chosen.fill, table, "attention")
