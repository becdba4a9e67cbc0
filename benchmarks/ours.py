"""All that the measurements call of HepatoCLR's training, in one place."""

import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
import yaml

from hepatoclr.base import files, names, settings
from hepatoclr.cohorts import splits
from hepatoclr.imaging import ingest, segment, slices, tensors
from hepatoclr.learning import backbone, data, features, linear, module
from hepatoclr.learning.augment import Augmentation
from hepatoclr.learning.methods import base as methods
from hepatoclr.learning.pretrain import METHOD_SETTINGS
from hepatoclr.simulation import simulate
from hepatoclr.stats import metrics

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")
WINDOW = (-100, 400)
DEMO, PAPER = "demo", "paper"
SIMCLR = {"method": "simclr"}


@cache
def config(preset: str) -> dict:
    """Every setting of a preset."""
    schema = yaml.safe_load((ROOT / "rules" / "config.schema.yaml").read_text(encoding="utf-8"))
    own = {} if preset == DEMO else {"cohorts": config(DEMO)["cohorts"]}
    return settings.resolve({"preset": preset, **own}, schema, ROOT / "presets")


def network(preset: str, seed: int = 1) -> backbone.Network:
    """A network of a preset with random weights."""
    return backbone.initialise(seed, **config(preset)["network"])


def augmentation(preset: str = DEMO) -> Augmentation:
    """The views of a preset."""
    return Augmentation(**config(preset)["augmentation"])


def optimiser(preset: str, **changes) -> module.OptimiserConfig:
    """How a preset pretrains, with some changes."""
    return module.OptimiserConfig.of({**config(preset)["pretraining"], **changes})


class Ends(pl.Callback):
    """When each epoch of a training ended."""

    def __init__(self) -> None:
        self.times = []

    def on_train_epoch_end(self, *_) -> None:
        """Look at the clock, once the device has done its work."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())


def sampler(collection: data.Slices, samples: int, kind: str = "uniform") -> data.Sampler:
    """A sampler that needs no labels: each case is a patient, of alternating class."""
    case = np.asarray(collection.case)
    return data.Sampler(case, case % 2, kind, samples, seed=1)


def caches(pixels: Sequence[np.ndarray], folder: Path) -> list[str]:
    """Write volumes (slices, size, size) of int16 HU as the rule `tensors` does."""
    paths = [str(Path(folder, f"{number}.b2nd")) for number in range(len(pixels))]
    for volume, path in zip(pixels, paths, strict=True):
        tensors.write(volume, path)
    return paths


def phantoms(cases: int, count: int, size: int) -> list[np.ndarray]:
    """Noisy bodies that compress about as CT does: content does not change what a step costs."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    body = x**2 + 2 * y**2 < 0.7
    noise = random.normal(60, 15, (cases, count, size, size))
    return list(np.where(body, noise, WINDOW[0]).astype(np.int16))


def fit_rate(preset: str, batch: int, size: int, steps: int = 1) -> Callable[[], float]:
    """Measure SimCLR by `module.fit`, slices in memory, as `cache: auto` has it here.

    Returns:
        A competitor: views per second over the second of two epochs of `steps` steps, so that
        what is set up once does not count.
    """
    folder = tempfile.TemporaryDirectory()
    collection = data.collect(caches(phantoms(2, batch, size), folder.name), WINDOW, "ram")
    draws = sampler(collection, steps * batch, "weighted")
    net, views = network(preset), augmentation(preset)
    plan = optimiser(preset, epochs=2, batch_size=batch)
    method = methods.load("simclr")

    def competitor() -> float:
        ends = Ends()
        module.fit(net, method, collection, draws, views, plan, CPU, 1, more=[ends])
        return 2 * batch * steps / (ends.times[1] - ends.times[0])

    competitor.folder = folder  # it lives as long as the competitor
    return competitor


def epoch_seconds(collection: data.Slices, samples: int, epochs: int) -> list[float]:
    """Seconds of each epoch after the first, of a network so small that the loop is what costs."""
    net = backbone.initialise(1, channels=(2, 2, 2, 2, 2), padding=2, hidden=2, projection=2)
    plan, ends = optimiser(DEMO, epochs=epochs + 1, batch_size=16), Ends()
    draws = sampler(collection, samples, "weighted")
    method = methods.load("simclr")
    module.fit(net, method, collection, draws, augmentation(), plan, CPU, 1, more=[ends])
    return list(np.diff(ends.times))


# --- the simulated cohorts, and what is learned from them -------------------------------------


def demo_cohorts(folder: Path, wanted: Collection[str] = ()) -> None:
    """Make the cohorts of the demo as its rules do: simulated, ingested, sliced, cut to tensors.

    They are left where a run would leave them, and are not made twice.

    Args:
        folder: That of the run.
        wanted: Names of cohorts; all of them where none is named.
    """
    chosen = config(DEMO)
    for cohort in wanted or chosen["cohorts"]:
        given = chosen["cohorts"][cohort]
        table = folder / "cohorts" / f"{cohort}.csv"
        if table.exists():
            continue
        rows = []
        drawn = {key: chosen["simulate"][key] for key in simulate.DRAWN}
        for row in simulate.cohort(cohort, **given["simulate"], **drawn):
            case = names.case(row["patient_id"])
            count = _demo_case(row, cohort, folder / "tensors" / cohort / f"{case}.b2nd")
            target = int(row["label"] in given["labels"]["positive"])
            rows.append((case, row["patient_id"], target, count, True))
        columns = ["case", "patient_id", "target", "slices", "included"]
        with files.atomic(table) as temporary:
            pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False)


def _demo_case(row: Mapping, cohort: str, path: Path) -> int:
    """Bring one simulated patient from raw files to tensors; returns the slices kept."""
    chosen = config(DEMO)
    scan = {key: chosen["simulate"][key] for key in ("seed", "effect", "matrix", "slice_mm")}
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch, names.case(row["patient_id"]))
        raw.mkdir()
        simulate.write_case(row, raw, cohort, **scan)
        image, mask = (raw.parent / row[key] for key in ("image", "liver_mask"))
        ct = ingest.read_ct(image)
        liver = segment.liver(ct, "provided", mask=mask)
        kept = slices.central(liver, **chosen["slices"])
        tensors.write(tensors.preprocess(ct, kept, **chosen["tensors"]), path)
    return len(kept)


class Cohort:
    """The cases of a cohort with their slices, from the folder of a run.

    Attributes:
        cases: case, patient_id and target of the cases that are used.
        slices: Their slices.
    """

    def __init__(self, run: Path, name: str) -> None:
        table = pd.read_csv(run / "cohorts" / f"{name}.csv", dtype={"patient_id": str, "case": str})
        used = table[table["included"].astype(bool) & table["target"].notna()]
        self.cases = used.reset_index(drop=True).astype({"target": int})
        paths = [str(run / "tensors" / name / f"{case}.b2nd") for case in self.cases["case"]]
        self.slices = data.collect(paths, WINDOW, "ram")

    def sampler(self, seed: int) -> data.Sampler:
        """The draws of the demo's pretraining."""
        chosen = config(DEMO)["pretraining"]
        every = np.arange(len(self.slices))
        return data.sampler(self.cases, self.slices, every, chosen, seed)


def method(spec: Mapping) -> methods.Method:
    """A method as the demo has it.

    Args:
        spec: See `experiment.pretrained`.
    """
    chosen = config(DEMO)["pretraining"]
    return methods.load(**spec, **{key: chosen[key] for key in METHOD_SETTINGS})


def pretrain(
    net: backbone.Network, cohort: Cohort, seed: int, spec: Mapping = SIMCLR
) -> list[dict]:
    """Pretrain as the demo does, in place; gives the history, see `module.fit`."""
    draws, plan = cohort.sampler(seed), optimiser(DEMO)
    return module.fit(net, method(spec), cohort.slices, draws, augmentation(), plan, CPU, seed)


def linear_auc(net: backbone.Network, cohort: Cohort, seed: int) -> float:
    """Mean AUC over the folds of the linear protocol on a network's features."""
    chosen = config(DEMO)
    vectors = features.extract(net, cohort.slices, CPU).astype(np.float64)
    patient = cohort.cases["patient_id"].iloc[cohort.slices.case].reset_index(drop=True)
    people = cohort.cases.drop_duplicates("patient_id")[["patient_id", "target"]]
    split = splits.stratified(people, chosen["evaluation"]["folds"], 1, seed)
    targets = split.set_index("patient_id")["target"]
    found = []
    for _, fold in split.groupby("fold"):
        tested = fold["patient_id"]
        guess = linear.fit(patient, vectors, targets.drop(tested), chosen["linear"]).predict(
            patient, vectors, tested
        )
        found.append(metrics.auc(targets.loc[guess["patient_id"]], guess["probability"]))
    return float(np.mean(found))
