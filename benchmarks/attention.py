"""What the networks of a simulated run look at: occlusion within the organs that show fibrosis.

    make demo && python -m benchmarks.attention --fill docs/does-it-work.md

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
SIGNS, OUTSIDE = "liver and spleen", "outside the body"
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
        SIGNS: signs,
        "bone and contrast": (hu > DENSE) & ~signs,
        OUTSIDE: hu < AIR,
    }


def shares(run: Path, config: Mapping, encoder: str, patients: int) -> pd.DataFrame:
    """Area of a part and its share of the occlusion map, a row per patient and part."""
    found = {name: sorted((run / name / COHORT).glob(f"*{end}")) for name, end in READ.items()}
    said = predictions.read([run / f"predictions/linear/{encoder}/seed1/repeat1.csv"])
    said = predictions.at_threshold(said, config["evaluation"]["threshold"]).iloc[:patients]
    weights = run / f"encoders/{encoder}/seed1/encoder.safetensors"
    maps = explain.explain(
        backbone.read(weights, config["network"]).backbone,
        said.assign(kind=explain.kinds(said)),
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
    """The table as Markdown, a row per encoder; each looks at slices of its own choice."""
    lines = []
    for encoder in encoders:
        mean = shares(run, config, encoder, patients).groupby("part", sort=False).mean()
        area, share = mean["area"], mean["share"]
        times = share[SIGNS] / area[SIGNS]
        within = times * (1 - area[OUTSIDE]) / (1 - share[OUTSIDE])
        cells = [f"{share[name]:.0%} ({area[name]:.0%})" for name in share.index]
        lines.append([encoder, *cells, f"{times:.1f}", f"{within:.1f}"])
    head = ["encoder", *(f"{name} (area)" for name in share.index)]
    head += [f"{SIGNS}, times their area", "within the body"]
    return f"{patients} patients.\n\n{common.markdown(head, lines)}\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", type=Path, default=Path("results/demo"))
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--fill", type=Path, help="page to put the table into")
    chosen = parser.parse_args()
    table = page(chosen.run, ours.config(ours.DEMO), ENCODERS, chosen.patients)
    print(table)
    if chosen.fill:
        common.fill(chosen.fill, table, "attention")
