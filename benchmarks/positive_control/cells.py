"""The cells of the study: what each simulates and trains, and what it will cost."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from hepatoclr.base import fingerprint, settings
from hepatoclr.learning import experiment
from hepatoclr.simulation import simulate

ROOT = fingerprint.PROJECT
PRESET = "positive-control"
SIZES = (100, 300, 1000)
PATIENTS = 300  # wherever something else varies
SEEDS = (1, 2, 3, 4, 5)
SEEDS_OF_MORE = (1, 2, 3)  # cohorts of more than `PATIENTS` are dear
BETAS = (0, 0.2, 0.4, 0.5, 0.8, 1)
WEAK = experiment.name(experiment.WEIGHTED, 0.5)
RANDOM, SIMCLR, SUPERVISED = experiment.NONE, "simclr", "supervised"
ORACLE = "oracle"  # no network: regression on the true signs
DEFAULT = "default"
# What the radiologist reads, from the stage itself to nothing; the numbers are SDs of the reader's
# own error, in units of the SD of what can be seen.
NOISE: Mapping[str, Mapping] = {
    "truth": {"confusion": {"none": [1, 1, 1, 0, 0], "severe": [0, 0, 0, 1, 1]}},
    "0": {"reader_noise": 0},
    DEFAULT: {},
    "2": {"reader_noise": 2},
    "4": {"reader_noise": 4},
    "useless": {"reader_noise": 1000},
}
SHARES = (0.1, 0.3, 1.0)
PROTOCOLS = ("linear", "linear_nested", experiment.BESIDE[False])
GROUPS = ("methods", "sizes", "noise", "labelled")
QUICK = {  # shows that all of it runs
    "cohorts": {"histo": {"simulate": {"patients": 20, "stages": [0.2, 0.1, 0.2, 0.2, 0.3]}}},
    "simulate": {"matrix": 48, "slice_mm": 12},
    "tensors": {"size": 48},
    "network": {"channels": [4, 8, 8, 8, 16], "hidden": 16, "projection": 8},
    "pretraining": {"epochs": 2, "samples_per_epoch": 32, "batch_size": 16},
    "evaluation": {"repeats": 2, "folds": 2},
}
QUICK_PATIENTS = 20
# The sections of the configuration that decide about an AUC, for each protocol.
DECISIVE = (
    *("seed", "cohorts", "simulate", "segment", "checks", "slices", "tensors", "augmentation"),
    *("network", "pretraining", "trainer", "evaluation", "linear"),
)
CODE = (
    *("scripts/manifest.py", "scripts/simulate.py", "scripts/pretrain.py", "scripts/features.py"),
    *("scripts/random_encoder.py", "scripts/linear.py", "scripts/finetune.py"),
)
# Core seconds on the machine of docs/does-it-work.md.
PATIENT_S, JOB_S, PLAN_S = 2.5, 6.0, 20.0
STEP_S = 0.075  # a view of a batch of 64 slices of 96 pixels


@dataclass(frozen=True, order=True)
class Cell:
    """One set of labels of one simulated cohort.

    Attributes:
        data_seed: Seed of the simulation.
        patients: For pretraining; fewer are the first of more.
        noise: What the radiologist reads, a key of `NOISE`.
        labelled: Share of the patients whom the radiologist has read.
    """

    data_seed: int
    patients: int
    noise: str = DEFAULT
    labelled: float = 1.0


@dataclass(frozen=True)
class Plan:
    """What is run: the encoders of each cell, and how.

    Attributes:
        work: Encoders by cell, in the order in which they run.
        training_seeds: Seeds of each training.
        finetune: Encoders that are fine-tuned too, in the cells of the methods.
        quick: Whether in tiny sizes.
    """

    work: Mapping[Cell, Sequence[str]]
    training_seeds: Sequence[int] = (1,)
    finetune: Sequence[str] = ()
    quick: bool = False

    def protocols(self, cell: Cell, encoder: str) -> list[str]:
        """In which an encoder is evaluated; the oracle's regression has scaled inputs only."""
        if encoder == ORACLE:
            return ["linear"]
        usual = cell == Cell(cell.data_seed, self.patients)
        return [*PROTOCOLS, *(["finetune"] if usual and encoder in self.finetune else [])]

    @property
    def patients(self) -> int:
        """For pretraining, wherever something else varies."""
        return QUICK_PATIENTS if self.quick else PATIENTS


def methods() -> list[str]:
    """The encoders of Table 1 and of the beta curve."""
    table1 = ["supervised", "simclr", "supcon", experiment.WEIGHTED]
    return list(experiment.pretrained(table1, BETAS, 0.5))


def plan(
    groups: Iterable[str] = GROUPS,
    seeds: Iterable[int] = SEEDS,
    quick: bool = False,
    **more: Sequence,
) -> Plan:
    """List the cells of some parts of the study, each once, with all that the parts need of it.

    Args:
        groups: Of `GROUPS`.
        seeds: Seeds of the simulation.
        quick: Whether in tiny sizes.
        **more: training_seeds and finetune of `Plan`.
    """
    found: dict[Cell, dict[str, None]] = {}
    for seed in seeds:
        for group in groups:
            for cell, encoders in _part(group, seed, quick):
                found.setdefault(cell, {}).update(dict.fromkeys(encoders))
    order = sorted(found, key=_rank)
    return Plan({cell: list(found[cell]) for cell in order}, quick=quick, **more)


def _rank(cell: Cell) -> tuple:
    """The most telling first, of all data seeds; the dearest last."""
    varied = (cell.patients < PATIENTS, cell.labelled < 1, cell.noise != DEFAULT)
    return cell.patients > PATIENTS, sum(n * v for n, v in enumerate(varied[::-1], 1)), cell


def _part(group: str, seed: int, quick: bool) -> list[tuple[Cell, list[str]]]:
    """What one part of the study needs of one simulation; all need what they are compared with."""
    usual = QUICK_PATIENTS if quick else PATIENTS
    sizes = (usual // 2, usual) if quick else SIZES
    sizes = [size for size in sizes if size <= usual or seed in SEEDS_OF_MORE]
    middle = Cell(seed, usual)
    beside = [RANDOM, ORACLE]  # neither sees a pretraining cohort
    parts = {
        "methods": [(middle, methods())],
        "sizes": [(Cell(seed, size), [SUPERVISED, SIMCLR, WEAK]) for size in sizes],
        "noise": [(Cell(seed, usual, noise), [SUPERVISED, WEAK]) for noise in NOISE],
        "labelled": [(Cell(seed, usual, DEFAULT, share), [SUPERVISED, WEAK]) for share in SHARES],
    }
    return [(middle, [*beside, SIMCLR]), *parts[group]]


# --- settings and digests -----------------------------------------------------------------------


def chosen(cell: Cell, plan: Plan) -> dict:
    """The settings of a cell, as a user would write them over the preset."""
    encoders = [name for name in plan.work[cell] if name not in (RANDOM, ORACLE)]
    weighted = {experiment.name(experiment.WEIGHTED, beta): beta for beta in BETAS}
    radio: dict = {"simulate": {"patients": cell.patients}}
    if cell.labelled < 1:
        radio["simulate"]["labelled"] = cell.labelled
        radio["labels"] = {"unlabelled": [simulate.UNREAD]}
    own = {
        "preset": PRESET,
        "run": f"seed{cell.data_seed}",
        **({"trainings_per_job": 1} if plan.finetune else {}),  # or all would be fine-tuned
        "cohorts": {"radio": radio},
        "simulate": {"seed": cell.data_seed, **NOISE[cell.noise]},
        "experiment": {
            "methods": [name for name in encoders if name not in weighted or name == SUPERVISED],
            "betas": [weighted[name] for name in encoders if name in weighted],
            "seeds": list(plan.training_seeds),
            "fractions": [1],
        },
    }
    return settings.merge(QUICK if plan.quick else {}, own)


@cache
def schema() -> dict:
    """What settings there are."""
    return settings.read(ROOT / "rules/config.schema.yaml")


@cache
def preset() -> dict:
    """What all cells have in common."""
    return settings.preset(PRESET, ROOT / "presets")


def in_force(cell: Cell, plan: Plan) -> dict:
    """All settings of a cell: defaults, the preset, its own."""
    given = settings.merge(preset(), chosen(cell, plan))
    return settings.with_defaults(settings.typed(given, schema()), schema())


def settings_digest(config: Mapping, protocol: str) -> str:
    """Digest of the settings on which an AUC depends."""
    names = [*DECISIVE, *(["finetune"] if protocol == "finetune" else [])]
    text = json.dumps({name: config[name] for name in names}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def code_digest(root: Path = ROOT) -> str:
    """Digest of the code of simulation, training and evaluation, as it was at the start."""
    files = [
        *CODE,
        *(str(p.relative_to(root)) for p in root.glob("hepatoclr/learning/methods/*.py")),
    ]
    return hashlib.sha256("".join(fingerprint.reached(root, *files)).encode()).hexdigest()[:12]


# --- what is done, and what the rest will cost ----------------------------------------------------

KEY = [
    "data_seed",
    "patients",
    "noise",
    "labelled",
    "encoder",
    "protocol",
    "training_seed",
    "repeat",
]


def expected(cell: Cell, plan: Plan) -> pd.DataFrame:
    """The rows that a cell leaves: `KEY`, settings, code."""
    config, code = in_force(cell, plan), code_digest()
    digests = {name: settings_digest(config, name) for name in (*PROTOCOLS, "finetune")}
    rows = [
        (*_of(cell), encoder, protocol, seed, repeat, digests[protocol], code)
        for encoder in plan.work[cell]
        for protocol in plan.protocols(cell, encoder)
        for seed in ((0,) if encoder == ORACLE else plan.training_seeds)
        for repeat in range(1, config["evaluation"]["repeats"] + 1)
    ]
    return pd.DataFrame(rows, columns=[*KEY, "settings", "code"])


def _of(cell: Cell) -> tuple:
    return cell.data_seed, cell.patients, cell.noise, cell.labelled


def is_done(cell: Cell, plan: Plan, table: pd.DataFrame, any_code: bool = False) -> bool:
    """Say whether the table has all rows of a cell, of these settings and this code.

    Args:
        cell: A cell of the plan.
        plan: The plan.
        table: The table so far, see `table.read`.
        any_code: Rows of other code count too.
    """
    columns = [*KEY, "settings", *([] if any_code else ["code"])]
    there = set(table[columns].itertuples(index=False, name=None))
    return there >= set(expected(cell, plan)[columns].itertuples(index=False, name=None))


def core_seconds(cell: Cell, plan: Plan, simulated: int = 0) -> float:
    """Estimate what a cell costs, as a sum over its jobs.

    Args:
        cell: A cell of the plan.
        plan: The plan.
        simulated: Patients whose images are there.
    """
    encoders = [name for name in plan.work[cell] if name != ORACLE]
    found, seeds = in_force(cell, plan), len(plan.training_seeds)
    steps = found["pretraining"]["epochs"] * max(
        1, found["pretraining"]["samples_per_epoch"] // found["pretraining"]["batch_size"]
    )
    share = found["pretraining"]["batch_size"] / 64 * (found["tensors"]["size"] / 96) ** 2
    views = sum(map(views_of, encoders))
    trained = STEP_S * steps * share * views * seeds
    images = PATIENT_S * max(0, all_patients(cell, plan) - simulated)
    jobs = PLAN_S + JOB_S * seeds * (2 + 3 * len(encoders))
    return _tuned(cell, plan, found) + trained + jobs + images


def _tuned(cell: Cell, plan: Plan, config: Mapping) -> float:
    """Core seconds of fine-tuning."""
    how, folds = config["finetune"], config["evaluation"]["folds"]
    trainings = sum("finetune" in plan.protocols(cell, encoder) for encoder in plan.work[cell])
    trainings *= folds * config["evaluation"]["repeats"] * len(plan.training_seeds)
    slices = how["epochs"] * how["samples_per_epoch"] * (config["tensors"]["size"] / 96) ** 2
    return trainings * slices / 64 * STEP_S


def all_patients(cell: Cell, plan: Plan) -> int:
    """The patients of both cohorts of a cell."""
    cohorts = in_force(cell, plan)["cohorts"].values()
    return sum(cohort["simulate"]["patients"] for cohort in cohorts)


def views_of(encoder: str) -> int:
    """How many views of each slice a pretraining looks at."""
    if encoder in (RANDOM, ORACLE):
        return 0
    return {SUPERVISED: 1, SIMCLR: 2, "supcon": 2}.get(encoder, 3)
