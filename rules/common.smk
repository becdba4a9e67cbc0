# What the rules share: the configuration in force, the cohorts, and the names of what is made.
import re
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))  # Snakemake hands its search path on to scripts

from hepatoclr.base import cases, files, fingerprint, logs, names, settings, slurm
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts import manifest_checks, manifests
from hepatoclr.imaging.segmentation import backends
from hepatoclr.learning import experiment


def schema(name):
    return yaml.safe_load((ROOT / "rules" / f"{name}.schema.yaml").read_text())


def results(path):
    """A path below the folder of this run."""
    return f"results/{config['run']}/{path}"


def section(name, *keys):
    """Some keys of a section of the configuration."""
    return {key: config[name][key] for key in keys}


def code(rule, *more):
    """Fingerprints of all code that a rule's script reaches; as a param, an edit reruns the rule."""
    return fingerprint.reached(ROOT, f"scripts/{rule}.py", *more)


def as_workflow_error(error):
    """What Snakemake ends with: a message alone, where the user can mend what went wrong."""
    message = logs.user_message(error, "results")
    return WorkflowError(message) if message else error


def manifest(cohort):
    """The manifest of a cohort, the user's or the simulated one."""
    given = config["cohorts"][cohort]
    return given.get("manifest", results(f"simulated/{cohort}/manifest.csv"))


def simulated_patients(cohort):
    """The patients of a cohort that is to be simulated, by case."""
    from hepatoclr.simulation import simulate

    given = config["cohorts"][cohort]["simulate"]
    patients = simulate.cohort(cohort, **given, **section("simulate", "confusion", "seed"))
    return {names.case(patient["patient_id"]): patient for patient in patients}


def rows(cohort):
    """The cases of a cohort, known before any job runs."""
    if cohort not in SIMULATED:
        return manifest_checks.read(manifest(cohort), schema("cohort"))
    folder = Path(manifest(cohort)).parent
    return [
        manifests.row(record, folder, number)
        for number, record in enumerate(SIMULATED[cohort].values(), start=2)
    ]


try:
    # not by `configfile:`, which runs expressions in the file
    chosen = settings.merge(settings.read("config.yaml"), config)
    config = settings.resolve(chosen, schema("config"), ROOT / "presets")
    SIMULATED = {
        cohort: simulated_patients(cohort)
        for cohort, given in config["cohorts"].items()
        if "simulate" in given
    }
    experiment.check(config["experiment"]["methods"], ROOT / "hepatoclr/learning/methods")
    backends.check(config["segment"]["backend"])
    COHORTS = {cohort: rows(cohort) for cohort in config["cohorts"]}
    manifest_checks.check(COHORTS, config)
    if manifest_checks.buckets(COHORTS) and not find_spec("snakemake_storage_plugin_s3"):
        raise UserError(
            "a manifest names files in a bucket, and the plugin that fetches them is not here; say "
            "make engines, and start the snakemake of .venv-engines (docs/engines.md)"
        )
except Exception as error:
    raise as_workflow_error(error)


def one_of(names):
    """A regular expression for some names."""
    return "|".join(map(re.escape, names))


def with_role(role):
    """The cohorts of a role."""
    return [cohort for cohort, given in config["cohorts"].items() if given["role"] == role]


CASES = {cohort: {row.case: row for row in rows} for cohort, rows in COHORTS.items()}
PRETRAINING, EXTERNAL = with_role("pretraining"), with_role("external")
EVALUATION = with_role("evaluation")[0]
EXAMPLE_CASE = f"{EVALUATION}/{COHORTS[EVALUATION][0].case}"  # whose preprocessing is drawn

METHODS = experiment.by_method(**section("experiment", "methods", "beta"))
BETAS = experiment.by_beta(config["experiment"]["betas"])
ENCODERS = experiment.pretrained(**section("experiment", "methods", "betas", "beta"))
EVALUATED = [experiment.NONE, *ENCODERS]
SEEDS = [f"seed{seed}" for seed in config["experiment"]["seeds"]]
FIRST_SEED = SEEDS[0]
SPLITS = experiment.splits(**section("evaluation", "scheme", "repeats", "folds", "job_per"))
REPEATS = sorted({repeat for repeat, _ in SPLITS.values()})

DISCLAIMERS = [  # stand beside every result
    *(["synthetic"] if SIMULATED else []),
    *(["permuted"] if config["evaluation"]["permute"] else []),
]
BACKEND = f"hepatoclr/imaging/segmentation/{config['segment']['backend']}.py"  # loaded by name
PROVIDED = config["segment"]["backend"] == "provided"
GPU = int(config["device"] != "cpu")  # what a job with a network takes, where GPUs are counted

LEAKAGE = results("tables/leakage.csv")
TABLES = ["table1", "table2", "learning_curve", "measures", "comparisons", "nested", "aggregation"]
CSV_TABLES = ["agreement", "leakage", "shortcuts", "patient_flow", "cost"]
FIGURES = [
    *("patient_flow", "preprocessing"),
    *("roc", "comparisons", "calibration", "decision_curve", "beta", "learning_curve"),
]
EXPLAINED = list(METHODS.values())  # the encoders of Table 1, those of the first seed
INTERPRETATION = [
    *expand(results("explanations/{encoder}.csv"), encoder=EXPLAINED),
    *expand(results("figures/feature_space_{kind}.svg"), kind=["pca", "umap"]),
    *expand(results("tables/{table}.csv"), table=["separability", "neighbours"]),
]
REPORTED_TABLES = [*TABLES, "separability", *CSV_TABLES]
REPORTED_FIGURES = [
    *FIGURES,
    *("feature_space_pca", "feature_space_umap"),
    *expand("explanations_{encoder}", encoder=EXPLAINED),
]
EXTERNAL_PREDICTIONS = expand(
    results("predictions/external/{cohort}/{encoder}/{seed}.csv"),
    cohort=EXTERNAL,
    encoder=EVALUATED,
    seed=SEEDS,
)
PREDICTIONS = [
    *expand(
        results("predictions/{protocol}/{encoder}/{seed}/{split}.csv"),
        protocol=["linear", "linear_nested", "finetune"],
        encoder=EVALUATED,
        seed=SEEDS,
        split=SPLITS,
    ),
    *expand(
        results("predictions/select_beta/{protocol}/{seed}/{split}.csv"),
        protocol=["linear_nested", "finetune"] if len(BETAS) > 1 else [],
        seed=SEEDS,
        split=SPLITS,
    ),
    *expand(
        results("predictions/learning_curve/{fraction}/{seed}/{split}.csv"),
        fraction=[share for share in config["experiment"]["fractions"] if share < 1],
        seed=SEEDS,
        split=SPLITS,
    ),
]


wildcard_constraints:
    cohort="[a-z][a-z0-9_]*",
    case=names.SAFE,
    encoder=one_of(EVALUATED),
    fraction=r"[0-9.]+",
    repeat=r"\d+",
    seed=r"\d+",
    split=r"repeat\d+(-fold\d+)?",


def growing(amount):
    """A resource that a second attempt gets twice of, a third three times."""
    return lambda wildcards, attempt: amount * attempt


def attempts(wildcards, attempt):
    """How often a job has been tried: a case that killed its process twice is excluded."""
    return attempt


def of_cases(path, *cohorts):
    """A file of each case of some cohorts."""
    path = results(path)
    return [path.format(cohort=cohort, case=case) for cohort in cohorts for case in CASES[cohort]]


def fetched(path):
    """A file of the manifest, or where Snakemake will fetch it to from its bucket."""
    return storage.s3(path) if manifests.in_bucket(path) else path


def source(column):
    """The file that the manifest names for a case, or the folder of its simulation."""
    return lambda wildcards: (
        results(f"simulated/{wildcards.cohort}/{wildcards.case}")
        if wildcards.cohort in SIMULATED
        else fetched(getattr(CASES[wildcards.cohort][wildcards.case], column))
    )


def of_row(column):
    """What the manifest says of a case."""
    return lambda wildcards: str(getattr(CASES[wildcards.cohort][wildcards.case], column))


@cache  # Snakemake asks several times
def folder_stamp(image):
    """Digest of names, sizes and times in a folder: its own time says nothing of edited files."""
    return files.stamp(image) if Path(image).is_dir() else ""


def stamp(wildcards):
    """The stamp of a case's image, where it is a DICOM folder whose files are watched."""
    watched = config["ingest"]["watch"] == "files" and wildcards.cohort not in SIMULATED
    return folder_stamp(CASES[wildcards.cohort][wildcards.case].image) if watched else ""


def split_of(wildcards):
    """The split that an evaluation job takes its folds from."""
    return results(f"splits/repeat{SPLITS[wildcards.split][0]}.csv")


def captioned(path, name, category):
    """A file with its caption, for Snakemake's report."""
    return report(results(path), caption=f"captions/{name}.rst", category=category)


def table(name):
    """The files of a table."""
    return {
        name: captioned(f"tables/{name}.csv", name, "Tables"),
        f"{name}_md": results(f"tables/{name}.md"),
        f"{name}_tex": results(f"tables/{name}.tex"),
    }


def figure(name):
    """The files of a figure."""
    return {
        name: captioned(f"figures/{name}.svg", name, "Figures"),
        f"{name}_png": results(f"figures/{name}.png"),
    }


def training(name):
    """What training depends on, beside its data."""
    common = ("network", "augmentation", "device", "residence")
    return {
        "window": config["tensors"]["window"],
        "settings": config[name],
        **{key: config[key] for key in common},
    }


def preflight():
    """Look for what jobs will need, before the first of them starts."""
    segment = config["segment"]
    try:
        slurm.check(Path.cwd())
        backends.preflight(segment["backend"], segment["model"], segment["weights"] or None)
    except Exception as error:
        raise as_workflow_error(error)


def summary():
    """How many cases were used, and where a reader looks first."""
    from hepatoclr.cohorts import cohort_table

    lines = [
        f"{cohort}: {cases.tally(cohort_table.read(path)['step'])} (see {results(f'qc/{cohort}.html')})"
        for cohort in COHORTS
        if Path(path := results(f"cohorts/{cohort}.csv")).exists()
    ]
    page = Path(results("report.html"))
    return "\n".join([*lines, *([f"report: {page}"] if page.exists() else [])])
