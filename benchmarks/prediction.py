"""How long a bundle takes for one CT of usual size, beside segmentation.

    python -m benchmarks.prediction --rounds 3

A simulated CT of 512x512 pixels and about 200 slices with its true liver, and a bundle of the
paper's network with random weights, in which nothing but the numbers differs from a trained one.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from hepatoclr.base import fingerprint, settings
from hepatoclr.imaging import volumes
from hepatoclr.learning import backbone, linear
from hepatoclr.prediction import applicability, bundles, by_hand, members, pack
from hepatoclr.simulation import patients, scanner

SLICES, PIXELS = 200, 512
FOLDS = 15


def config() -> dict:
    """The paper's settings."""
    return settings.read(fingerprint.PROJECT / "presets/paper.yaml")


def bundle(chosen: dict, path: Path) -> None:
    """Write a bundle of random weights."""
    network = backbone.initialise(1, **chosen["network"])
    weights = path.with_suffix(".safetensors")
    backbone.write(network, weights)
    channels = chosen["network"]["channels"][-1]
    rng = np.random.default_rng(1)
    models = [
        linear.Model(rng.normal(size=channels).tolist(), 0.0, "slices", 1.0, 0.5)
        for _ in range(1 + FOLDS)
    ]
    space = applicability.space(rng.normal(size=(100, channels)))
    contents = {
        "models/w.safetensors": weights.read_bytes(),
        "models/r.json": pack.models_json(models[:1]),
        "models/f.json": pack.models_json(models[1:]),
        "models/s.json": pack.space_json(space),
    }
    member = {"seed": 1, "weights": "models/w.safetensors", "regression": "models/r.json"}
    side = {"patients": 50, "least": 0.3}
    facts = {
        **{"name": "random", "encoder": "none", "protocol": "linear", "licence": "none"},
        **{"intended_use": pack.INTENDED_USE, "disclaimers": [], "made_by": {}, "trained_on": {}},
        "members": [member | {"folds": "models/f.json", "space": "models/s.json"}],
        "preprocessing": {
            "ingest": {"series": None, "fill_slices": 0},
            "segment": {"backend": "provided", "model": "fast"},
            "slices": chosen["slices"],
            "tensors": chosen["tensors"],
        },
        "checks": chosen["checks"],
        "network": chosen["network"],
        "classes": {key: {"name": key, "labels": [key]} for key in ("negative", "positive")},
        "threshold": {"value": 0.5, "rule": "fixed"},
        "conformal": {"coverage": 0.9, "negative": side, "positive": side},
        "limits": {"ranges": {}},
        "performance": {"inside": {}, "external": []},
    }
    bundles.write(facts, contents, "# Random weights\n", path)


def main() -> None:
    """Measure, and print a line a round and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle(config(), folder / "bundle.zip")
        who = patients.patient((1, 1), 2)
        whole = scanner.protocol(who, PIXELS, 1.0)
        ct, liver = scanner.scan(who, PIXELS, len(whole.z) / SLICES)
        for volume, path in ((ct, "ct.nii.gz"), (liver, "liver.nii.gz")):
            volumes.save(volume, folder / path)
        found = []
        for _ in range(given.rounds):
            start = time.monotonic()
            (said,) = by_hand.run(
                folder / "bundle.zip",
                [folder / "ct.nii.gz"],
                folder / "out",
                ["one"],
                livers=[folder / "liver.nii.gz"],
                device="cpu",
            )
            found.append((time.monotonic() - start, network_seconds(folder, said["slices"])))
            print(
                f"{ct.array.shape}, {said['slices']} slices kept: {found[-1][0]:.1f} s", flush=True
            )
        total, network = (median(column) for column in zip(*found, strict=True))
        print(f"median {total:.1f} s, of which the network alone {network:.1f} s")


def network_seconds(folder: Path, slices: int) -> float:
    """How long the network takes for so many slices."""
    import torch

    with bundles.unpacked(folder / "bundle.zip") as opened:
        (member,) = members.load(opened)
        size = opened.facts["preprocessing"]["tensors"]["size"]
    shown = torch.rand(slices, 1, size, size)
    start = time.monotonic()
    with torch.inference_mode():
        for chunk in shown.split(64):
            member.network.eval().backbone(chunk)
    return time.monotonic() - start


if __name__ == "__main__":
    main()
