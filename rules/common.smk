# What the rules share: the configuration in force, the cohorts, the experiment, and a few names.
import csv
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))  # Snakemake hands its search path on to scripts

from hepatoclr import failures, status
from hepatoclr.base import cases, files, fingerprint, logs, names, settings, slurm
from hepatoclr.cohorts import manifests
from hepatoclr.imaging.segmentation import backends
from hepatoclr.learning import experiment
from hepatoclr.base.errors import UserError


def schema(name):
    return yaml.safe_load((ROOT / "rules" / f"{name}.schema.yaml").read_text())


def results(path):
    """A path below the folder of this run."""
    return f"results/{config['run']}/{path}"


def code(rule, *more):
    """Fingerprints of all code a rule's script reaches, as params; an edit there reruns the rule."""
    return fingerprint.reached(ROOT, f"scripts/{rule}.py", *more)


def method_code(encoder):
    """Fingerprints of what only an encoder's method reaches; the script loads it by name."""
    reached = fingerprint.reached(ROOT, f"hepatoclr/learning/methods/{ENCODERS[encoder]['method']}.py")
    return sorted(set(reached) - set(code("pretrain")))


def manifest(cohort):
    """The manifest of a cohort, the user's or the simulated one."""
    given = config["cohorts"][cohort]
    return given.get("manifest", results(f"simulated/{cohort}/manifest.csv"))


def simulated(cohort):
    """The patients of a cohort that is to be simulated, by case."""
    from hepatoclr.simulation import simulate

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


def told(error):
    """What Snakemake ends with: a message alone, where the user can mend what went wrong."""
    message = logs.user_message(error, "results")
    return WorkflowError(message) if message else error


try:
    # not by `configfile:`, which runs expressions in the file
    chosen = settings.merge(settings.read("config.yaml"), config)
    config = settings.resolve(chosen, schema("config"), ROOT / "presets")
    SIMULATED = {
        cohort: simulated(cohort)
        for cohort, given in config["cohorts"].items()
        if "simulate" in given
    }
    experiment.check(config["experiment"]["methods"], ROOT / "hepatoclr/methods")
    backends.check(config["segment"]["backend"])
    COHORTS = {cohort: rows(cohort) for cohort in config["cohorts"]}
    manifests.check(COHORTS, config)
    if manifests.buckets(COHORTS) and not find_spec("snakemake_storage_plugin_s3"):
        raise UserError(
            "a manifest names files in a bucket, and the plugin that fetches them is not here; say "
            "make engines, and start the snakemake of .venv-engines (docs/engines.md)"
        )
except Exception as error:
    raise told(error)

BETAS = experiment.by_beta(config["experiment"]["betas"])
ENCODERS = experiment.pretrained(**section("experiment", "methods", "betas", "beta"))


def with_role(role):
    """The cohorts of a role."""
    return [cohort for cohort, given in config["cohorts"].items() if given["role"] == role]


EVALUATION = with_role("evaluation")[0]


def control(cohort):
    """In a control run, the seed by which the targets of the evaluation cohort are permuted."""
    wanted = config["evaluation"]["permute"] and cohort == EVALUATION
    return {"permute": config["seed"]} if wanted else {}


SHOWN = f"{EVALUATION}/{COHORTS[EVALUATION][0].case}"  # the case whose preprocessing is drawn
TABLES = ["table1", "table2", "learning_curve", "measures", "comparisons", "nested", "aggregation"]
LISTS = ["agreement", "guards", "shortcuts", "flow", "cost"]  # tables that are CSV alone
FIGURES = [
    *("flow", "preprocessing"),
    *("roc", "comparisons", "calibration", "decision_curve", "beta", "learning_curve"),
]
DISCLAIMERS = [  # what must be said of every result
    *(["synthetic"] if SIMULATED else []),
    *(["permuted"] if config["evaluation"]["permute"] else []),
]

BACKEND = f"hepatoclr/imaging/segmentation/{config['segment']['backend']}.py"  # scripts load it by name
PROVIDED = config["segment"]["backend"] == "provided"

ROWS = {cohort: {row.case: row for row in rows} for cohort, rows in COHORTS.items()}


def of_cases(path, *cohorts):
    """A file of each case of some cohorts."""
    return [
        results(path).format(cohort=cohort, case=case) for cohort in cohorts for case in ROWS[cohort]
    ]


def fetched(path):
    """A file of the manifest, or where Snakemake will fetch it to from its bucket."""
    return storage.s3(path) if manifests.in_bucket(path) else path


def source(column):
    """The file that the manifest names for a case, or the folder of its simulation."""
    return lambda wildcards: (
        results(f"simulated/{wildcards.cohort}/{wildcards.case}")
        if wildcards.cohort in SIMULATED
        else fetched(getattr(ROWS[wildcards.cohort][wildcards.case], column))
    )


def of_row(column):
    """What the manifest says of a case."""
    return lambda wildcards: str(getattr(ROWS[wildcards.cohort][wildcards.case], column))


def stamp(wildcards):
    """Digest of names, sizes and times of a case's image: a folder's own time tells little."""
    image = ROWS[wildcards.cohort][wildcards.case].image
    return "" if wildcards.cohort in SIMULATED else files.stamp(image)


def attempts(wildcards, attempt):
    """How often a job has been tried: after two deaths its case is excluded."""
    return attempt


def steps(cohort):
    """Where each case of a cohort was lost, as its table has it; nothing before there is one."""
    path = results(f"cohorts/{cohort}.csv")
    with suppress(OSError), open(path, encoding="utf-8", errors="replace", newline="") as table:
        return {row.get("case"): row.get("step") or "" for row in csv.DictReader(table)}
    return {}


def parts():
    """The evaluation jobs of an encoder: name to repeat and folds, all folds where none is named."""
    given = config["evaluation"]
    repeats = range(1, given["repeats"] + 1)
    if given["job_per"] == "repeat" or given["scheme"] != "stratified":
        return {f"repeat{repeat}": (repeat, []) for repeat in repeats}
    folds = range(1, given["folds"] + 1)
    return {f"repeat{repeat}-fold{fold}": (repeat, [fold]) for repeat in repeats for fold in folds}


PARTS = parts()
REPEATS = sorted({repeat for repeat, _ in PARTS.values()})
GUARDS = results("tables/guards.csv")
SEEDS = [f"seed{seed}" for seed in config["experiment"]["seeds"]]
FIRST_SEED = SEEDS[0]
EXPLAINED = list(experiment.by_method(**section("experiment", "methods", "beta")).values())


def split_of(wildcards):
    """The split that an evaluation job takes its folds from."""
    return results(f"splits/repeat{PARTS[wildcards.part][0]}.csv")


def predictions():
    """The predictions that the tables are computed from."""
    evaluated = expand(
        results("predictions/{protocol}/{encoder}/{seed}/{part}.csv"),
        protocol=["linear", "linear_nested", "finetune"],
        encoder=[experiment.NONE, *ENCODERS],
        seed=SEEDS,
        part=PARTS,
    )
    nested = expand(
        results("predictions/{protocol}/weak_simclr-nested/{seed}/{part}.csv"),
        protocol=["linear_nested", "finetune"],
        seed=SEEDS,
        part=PARTS,
    )
    curve = expand(
        results("predictions/learning_curve/{fraction}/{seed}/{part}.csv"),
        fraction=[share for share in config["experiment"]["fractions"] if share < 1],
        seed=SEEDS,
        part=PARTS,
    )
    return evaluated + (nested if len(BETAS) > 1 else []) + curve


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
        results("predictions/linear/{encoder}/{seed}/external/{cohort}.csv"),
        encoder=[experiment.NONE, *ENCODERS],
        seed=SEEDS,
        cohort=with_role("external"),
    )


def described():
    """What a text may say of the cohorts beside their tables."""
    return {
        cohort: {"role": given["role"], "labels": given["labels"], "synthetic": cohort in SIMULATED}
        for cohort, given in config["cohorts"].items()
    }


def image_formats():
    """What the images of the cohorts are, by their names."""
    images = [row.image.lower() for rows in COHORTS.values() for row in rows]
    return sorted({"NIfTI" if name.endswith((".nii", ".nii.gz")) else "DICOM" for name in images})


def understanding():
    """What is made to understand the encoders of Table 1, those of the first seed."""
    return [
        *expand(results("explanations/{encoder}.csv"), encoder=EXPLAINED),
        *expand(results("figures/feature_space_{kind}.svg"), kind=["pca", "umap"]),
        results("tables/separability.csv"),
        results("tables/neighbours.csv"),
    ]


GPU = int(config["device"] != "cpu")  # what a job with a network takes, where GPUs are counted


def growing(amount):
    """A resource that a second attempt gets twice of, a third three times."""
    return lambda wildcards, attempt: amount * attempt


def training(name):
    """What training depends on, beside its data."""
    common = ("network", "augmentation", "device", "residence")
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
    seed=r"\d+",
    part=r"repeat\d+(-fold\d+)?",


def preflight():
    """Look for what jobs will need, before the first of them starts."""
    segment = config["segment"]
    try:
        slurm.check(Path.cwd())
        backends.preflight(segment["backend"], segment["model"], segment["weights"] or None)
    except Exception as error:
        raise told(error)


def planned(job):
    """A job as `hepatoclr.status` is told of it."""
    given, folder = job.wildcards_dict, results("")
    folds = PARTS[given["part"]][1] if "part" in given else []
    epochs = {
        "pretrain": config["pretraining"]["epochs"],
        "finetune": config["finetune"]["epochs"] * len(folds),
        "learning_curve": config["finetune"]["epochs"] * len(folds),
    }
    return status.Job(
        stage=job.rule.name,
        name=job.log[0].removeprefix(f"{folder}logs/").removesuffix(".log"),
        outputs=[path.removeprefix(folder) for path in job.output],
        cases=int("case" in given),
        epochs=epochs.get(job.rule.name, 0),
        planned=workflow.dag.needrun(job),
    )


def plan(printed):
    """Leave the plan of the run, for `make status`."""
    order = [rule.name for rule in workflow.rules]
    jobs = sorted(workflow.dag.jobs, key=lambda job: order.index(job.rule.name))
    sizes = {cohort: len(rows) for cohort, rows in COHORTS.items()}
    try:
        status.write_plan(results(""), [planned(job) for job in jobs if job.log], sizes, printed)
    except Exception as error:
        raise told(error)


def tally(cohort):
    """How many cases of a cohort are used, and where to look at the others."""
    lost = steps(cohort).values()
    line = f"{cohort}: {cases.tally(lost) if lost else 'not listed yet'}"
    return f"{line} (see {results(f'qc/{cohort}.html')})" if "excluded" in line else line


def summary():
    """Where a reader looks first."""
    return "\n".join(
        [
            *map(tally, COHORTS),
            f"tables:  {results('tables/')}",
            f"figures: {results('figures/')}",
            f"qc:      {results('qc/')}",
            f"report:  {results('report.html')}",
            f"paper:   {results('manuscript/')}",
        ]
    )
