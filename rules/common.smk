# What the rules share: the configuration in force, the cohorts, the experiment, and a few names.
import csv
import hashlib
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))  # Snakemake hands its search path on to scripts

from hepatoclr import backends, cases, encoders, fingerprint, manifests, names, settings
from hepatoclr.errors import UserError


def schema(name):
    return yaml.safe_load((ROOT / "rules" / f"{name}.schema.yaml").read_text())


def results(path):
    """A path below the folder of this run."""
    return f"results/{config['run']}/{path}"


def code(rule, *more):
    """Fingerprints of all code a rule's script reaches, as params; an edit there reruns the rule."""
    return fingerprint.reached(ROOT, f"scripts/{rule}.py", *more)


def digest(*values):
    """A short name for settings and code."""
    return hashlib.sha256(repr(values).encode()).hexdigest()[:8]


def method_code(encoder):
    """Fingerprints of what only an encoder's method reaches; the script loads it by name."""
    reached = fingerprint.reached(ROOT, f"hepatoclr/methods/{ENCODERS[encoder]['method']}.py")
    return sorted(set(reached) - set(code("pretrain")))


def manifest(cohort):
    """The manifest of a cohort, the user's or the simulated one."""
    given = config["cohorts"][cohort]
    return given.get("manifest", results(f"simulated/{cohort}/manifest.csv"))


def simulated(cohort):
    """The patients of a cohort that is to be simulated, by case."""
    from hepatoclr import simulate

    given = config["cohorts"][cohort]["simulate"]
    patients = simulate.cohort(cohort, **given, **section("simulate", "confusion", "seed"))
    return {names.case(patient["patient_id"]): patient for patient in patients}


def rows(cohort):
    """The cases of a cohort, known before any job runs."""
    if cohort not in SIMULATED:
        return manifests.read(manifest(cohort), schema("cohort"))
    folder = Path(manifest(cohort)).parent
    return [
        manifests.row(record, folder, number)
        for number, record in enumerate(SIMULATED[cohort].values(), start=2)
    ]


def section(name, *keys):
    """Some keys of a section of the configuration."""
    return {key: config[name][key] for key in keys}


try:
    config = settings.resolve(config, schema("config"), ROOT / "presets")
    SIMULATED = {
        cohort: simulated(cohort)
        for cohort, given in config["cohorts"].items()
        if "simulate" in given
    }
    encoders.check(config["experiment"]["methods"], ROOT / "hepatoclr/methods")
    backends.check(config["segment"]["backend"])
    COHORTS = {cohort: rows(cohort) for cohort in config["cohorts"]}
    manifests.check(COHORTS, config)
except UserError as error:
    raise WorkflowError(str(error))

CASES = {(cohort, row.case): row for cohort, rows in COHORTS.items() for row in rows}
ENCODERS = encoders.pretrained(**section("experiment", "methods", "betas", "beta"))


def with_role(role):
    """The cohorts of a role."""
    return [cohort for cohort, given in config["cohorts"].items() if given["role"] == role]


EVALUATION = with_role("evaluation")[0]
SHOWN = EVALUATION, COHORTS[EVALUATION][0].case  # the case whose preprocessing is drawn
TABLES = ["table1", "table2", "learning_curve"]
FIGURES = ["flow", "preprocessing", "roc", "beta", "learning_curve"]


def source(wildcards, column):
    """What a job of a case waits for: a file of the manifest, or the folder it is simulated in."""
    path = getattr(CASES[wildcards.cohort, wildcards.case], column)
    return str(Path(path).parent) if wildcards.cohort in SIMULATED else path


def wanted_series(wildcards):
    """Which series of a DICOM folder is wanted."""
    uid = CASES[wildcards.cohort, wildcards.case].series_uid
    return {"series": config["cohorts"][wildcards.cohort]["series"], "series_uid": uid}


BACKEND = f"hepatoclr/backends/{config['segment']['backend']}.py"  # scripts load it by name
PROVIDED = config["segment"]["backend"] == "provided"


def mask_source(wildcards):
    """What a job waits for to have the manifest's mask, where masks are provided."""
    return source(wildcards, "liver_mask") if PROVIDED else []


def given_mask(wildcards):
    """The manifest's mask and its label, where masks are provided."""
    row = CASES[wildcards.cohort, wildcards.case]
    label = int(row.liver_label) if row.liver_label else None
    return {"mask": row.liver_mask, "label": label} if PROVIDED else {}


def batches():
    """The cases that one job segments, by cohort and batch; none where each has its own job.

    A batch is named after what it is made by too, so that other settings or code make another.
    """
    size = config["segment"]["cases_per_job"]
    key = digest(code("segment_batch", BACKEND), section("segment", "backend", "model"))
    return {
        (cohort, f"{start // size + 1}-{key}"): rows[start : start + size]
        for cohort, rows in COHORTS.items()
        for start in range(0, len(rows), size)
        if size > 1
    }


BATCHES = batches()
BATCH_OF = {
    (cohort, row.case): results(f"livers/{cohort}/batch{batch}")
    for (cohort, batch), rows in BATCHES.items()
    for row in rows
}


def batch_of(wildcards):
    """The batch that a case takes its mask from; made again for other cases, it does not count."""
    batch = BATCH_OF.get((wildcards.cohort, wildcards.case), [])
    return ancient(batch) if batch and settled(wildcards) else batch


def settled(wildcards):
    """Say whether a case's liver is there and usable, and newer than what it was made from."""
    case = f"{wildcards.cohort}/{wildcards.case}"
    made = [Path(results(f"livers/{case}{suffix}")) for suffix in (".nii.gz", ".json")]
    used = [results(f"volumes/{case}.nii.gz"), results(f"volumes/{case}.json")]
    used = [Path(path) for path in (*used, mask_source(wildcards)) if path]
    if not all(path.exists() for path in made) or not cases.usable(made[1]):
        return False
    changed = max((path.stat().st_mtime for path in used if path.exists()), default=0)
    return changed <= min(path.stat().st_mtime for path in made)


def in_batch(function):
    """What a function of the wildcards gives for each case of a batch."""
    return lambda wildcards: [
        function(SimpleNamespace(cohort=wildcards.cohort, case=row.case))
        for row in BATCHES[wildcards.cohort, wildcards.batch]
    ]


def steps(cohort):
    """Where each case of a cohort was lost, as its table has it; nothing before there is one."""
    table = Path(results(f"cohorts/{cohort}.csv"))
    if not table.exists():
        return {}
    with open(table, encoding="utf-8", newline="") as file:
        return {row["case"]: row.get("step", "") for row in csv.DictReader(file)}


steps_before = cache(steps)


@cache  # Snakemake asks again when it has removed the facts
def mended(cohort, case):
    """What joins the facts of a case that was set aside when its image has changed since."""
    facts = results(f"volumes/{cohort}/{case}.json")
    aside = steps_before(cohort).get(case, "") not in ("", *cases.LEFT_OUT)
    return cases.mended(CASES[cohort, case].image, facts, aside)


def case_files(pattern, cohorts):
    """A file of each case of some cohorts, in the order of their tables."""
    return [
        results(pattern.format(cohort=cohort, case=row.case))
        for cohort in cohorts
        for row in COHORTS[cohort]
    ]


def parts():
    """The evaluation jobs of an encoder: name to repeat and folds."""
    repeats = range(1, config["evaluation"]["repeats"] + 1)
    folds = list(range(1, config["evaluation"]["folds"] + 1))
    if config["evaluation"]["job_per"] == "repeat":
        return {f"repeat{repeat}": (repeat, folds) for repeat in repeats}
    return {f"repeat{repeat}-fold{fold}": (repeat, [fold]) for repeat in repeats for fold in folds}


PARTS = parts()


def split_of(wildcards):
    """The split that an evaluation job takes its folds from."""
    return results(f"splits/repeat{PARTS[wildcards.part][0]}.csv")


def predictions():
    """The predictions that the tables are computed from."""
    evaluated = expand(
        results("predictions/{protocol}/{encoder}/{part}.csv"),
        protocol=["linear", "finetune"],
        encoder=[encoders.NONE, *ENCODERS],
        part=PARTS,
    )
    curve = expand(
        results("predictions/learning_curve/{fraction}/{part}.csv"),
        fraction=[share for share in config["experiment"]["fractions"] if share < 1],
        part=PARTS,
    )
    return evaluated + curve


def table(name):
    """The files of a table, with its caption for Snakemake's report."""
    caption = {"caption": f"captions/{name}.rst", "category": "Tables"}
    return {
        name: report(results(f"tables/{name}.csv"), **caption),
        f"{name}_md": results(f"tables/{name}.md"),
        f"{name}_tex": results(f"tables/{name}.tex"),
    }


def figure(name):
    """The files of a figure, with its caption for Snakemake's report."""
    caption = {"caption": f"captions/{name}.rst", "category": "Figures"}
    return {
        name: report(results(f"figures/{name}.svg"), **caption),
        f"{name}_png": results(f"figures/{name}.png"),
    }


def external_predictions():
    """What the linear models say of external cohorts."""
    return expand(
        results("predictions/linear/{encoder}/external/{cohort}.csv"),
        encoder=[encoders.NONE, *ENCODERS],
        cohort=with_role("external"),
    )


def training(name):
    """What training depends on, beside its data."""
    common = ("network", "augmentation", "seed", "device", "residence")
    return {
        "window": config["tensors"]["window"],
        "settings": config[name],
        **{key: config[key] for key in common},
    }


wildcard_constraints:
    cohort="[a-z][a-z0-9_]*",
    case=names.SAFE,
    encoder="[a-z][a-z0-9_.-]*",
    fraction=r"[0-9.]+",
    repeat=r"\d+",
    part=r"repeat\d+(-fold\d+)?",


def preflight():
    """Look for what jobs will need, before the first of them starts."""
    segment = config["segment"]
    try:
        backends.preflight(segment["backend"], segment["model"], segment["weights"] or None)
    except UserError as error:
        raise WorkflowError(str(error))


def tally(cohort):
    """How many cases of a cohort are used, and where to look at the others."""
    lost = steps(cohort).values()
    line = f"{cohort}: {cases.tally(lost) if lost else 'not listed yet'}"
    return f"{line} (see {results(f'qc/{cohort}.html')})" if "set aside" in line else line


def summary():
    """Where a reader looks first."""
    return "\n".join(
        [
            *map(tally, COHORTS),
            f"tables:  {results('tables/')}",
            f"figures: {results('figures/')}",
            f"qc:      {results('qc/')}",
            f"report:  {results('report.html')}",
        ]
    )
