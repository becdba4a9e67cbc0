# What the rules share: the configuration in force, the cohorts, and the names of what is made.
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))  # Snakemake hands its search path on to scripts
sys.executable = shlex.quote(sys.executable)  # which it gives to the shell as it is

from hepatoclr.base import files, fingerprint, logs, names, settings, slurm
from hepatoclr.cohorts import id_checks, manifest_checks, manifests
from hepatoclr.imaging.segmentation import backends
from hepatoclr.learning import experiment
from hepatoclr.prediction import bundle_checks
from hepatoclr.simulation import simulate

SCHEMAS = {name: settings.read(ROOT / f"rules/{name}.schema.yaml") for name in ("config", "cohort")}


def results(path):
    """A path below the folder of this run."""
    return f"results/{config['run']}/{path}"


def checks(cohort):
    """What is checked of the cases of a cohort."""
    return settings.merge(config["checks"], config["cohorts"][cohort].get("checks", {}))


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


def rows(cohort):
    """The cases of a cohort, known before any job runs."""
    if cohort in SIMULATED:
        return manifests.rows(enumerate(SIMULATED[cohort].values(), 2), manifest(cohort))
    role = config["cohorts"][cohort]["role"]
    return manifest_checks.read(manifest(cohort), SCHEMAS["cohort"], config["covariates"], role)


try:
    # not by `configfile:`, which runs expressions in the file
    chosen = settings.layers(sys.argv, workflow.config_settings)
    config = settings.resolve(chosen, SCHEMAS["config"], ROOT / "presets")
    config = bundle_checks.in_force(config)
    manifest_checks.check_simulated(config)
    SIMULATED = simulate.by_cohort(config["cohorts"], **section("simulate", *simulate.DRAWN))
    experiment.check(config["experiment"]["methods"], ROOT / "hepatoclr/learning/methods")
    experiment.check_values(*(config[key] for key in ("experiment", "tensors", "network")))
    backends.check(config["segment"]["backend"])
    COHORTS = {cohort: rows(cohort) for cohort in config["cohorts"]}
    COHORTS, ALIASES = id_checks.joined(COHORTS, config["alike_ids"])
    manifest_checks.check(COHORTS, config, SCHEMAS["cohort"]["covariates"])
except Exception as error:
    raise as_workflow_error(error)


def with_role(role):
    """The cohorts of a role."""
    return [cohort for cohort, given in config["cohorts"].items() if given["role"] == role]


PRETRAINING = with_role("pretraining")
EVALUATION = next(iter(with_role("evaluation")), "")  # none where a bundle is applied
EXTERNAL = with_role("external")
STUDIED = [cohort for cohort in COHORTS if cohort not in EXTERNAL]

METHODS = experiment.by_method(**section("experiment", "methods", "beta"))
BETAS = experiment.by_beta(config["experiment"]["betas"])
ENCODERS = experiment.pretrained(**section("experiment", "methods", "betas", "beta"))
EVALUATED = [experiment.NONE, *ENCODERS]
SEEDS = [f"seed{seed}" for seed in config["experiment"]["seeds"]]
FIRST_SEED = SEEDS[0]
SPLITS = experiment.splits(**section("evaluation", "scheme", "repeats", "folds", "job_per"))
REPEATS = sorted({repeat for repeat, _ in SPLITS.values()})
BESIDE = experiment.BESIDE[config["linear"]["scale"]]

CONTROL = ["permuted"] if config["evaluation"]["permute"] else []
DISCLAIMERS = [*(["synthetic"] if SIMULATED else []), *CONTROL]  # stand beside every result
BACKEND = f"hepatoclr/imaging/segmentation/{config['segment']['backend']}.py"  # loaded by name
GPU = int(config["device"] != "cpu")  # what a job with a network takes, where GPUs are counted
TRAINING_GPU = {"auto": GPU, "cpu": 0, "gpu": 1}[config["trainer"]["accelerator"]]

LEAKAGE = results("tables/leakage.csv")
TABLES = ["table1", "table2", "learning_curve", "measures", "comparisons", "nested", "aggregation"]
CSV_TABLES = ["agreement", "leakage", "baselines", "patient_flow", "cost"]
FIGURES = [
    *("network", "strategy", "patient_flow", "preprocessing"),
    *("roc", "comparisons", "calibration", "decision_curve", "beta", "learning_curve"),
]
EXPLAINED = list(METHODS.values())  # the encoders of Table 1, those of the first seed
INTERPRETATION = [
    *expand(results("explanations/{encoder}.csv"), encoder=EXPLAINED),
    *expand(results("figures/feature_space_{kind}.svg"), kind=["pca", "umap"]),
    *expand(results("tables/{table}.csv"), table=["separability", "neighbours"]),
]

PREDICTIONS = experiment.predictions(
    results("predictions"),
    [*experiment.PROTOCOLS, BESIDE],
    EVALUATED,
    BETAS,
    SEEDS,
    SPLITS,
    config["experiment"]["fractions"],
)


wildcard_constraints:
    cohort="[a-z][a-z0-9_]*",
    case=names.SAFE,
    encoder="|".join(map(re.escape, EVALUATED)),
    fraction=r"[0-9.]+",
    repeat=r"\d+",
    seed=r"\d+",
    protocol="|".join(experiment.PROTOCOLS),
    split=r"repeat\d+(-fold\d+)?",


def split_of(wildcards):
    """The split that an evaluation job takes its folds from."""
    return results(f"splits/repeat{SPLITS[wildcards.split][0]}.csv")


def captioned(path, name, category):
    """A file with its caption, for Snakemake's report; the disclaimers of the run beside it."""
    labels = {"result": Path(path).stem, "data": ", ".join(DISCLAIMERS) or "cohort"}
    return report(results(path), caption=f"captions/{name}.rst", category=category, labels=labels)


def table(name):
    """The files of a table."""
    others = {f"{name}_{form}": results(f"tables/{name}.{form}") for form in ("md", "tex")}
    return {name: captioned(f"tables/{name}.csv", name, "Tables"), **others}


def figure(name):
    """The files of a figure."""
    png = {f"{name}_png": results(f"figures/{name}.png")}
    return {name: captioned(f"figures/{name}.svg", name, "Figures"), **png}


def training(name):
    """What training depends on, beside its data."""
    common = ("network", "augmentation", "trainer", "device", "cache")
    return {
        "window": config["tensors"]["window"],
        "settings": config[name],
        **{key: config[key] for key in common},
    }


def preflight():
    """Look for what jobs will need, before the first of them starts."""
    try:
        slurm.check(Path.cwd())
        backends.preflight(**section("segment", "backend", "model", "weights"))
    except Exception as error:
        raise as_workflow_error(error)


def summary():
    """How many cases were used, and where a reader looks first."""
    from hepatoclr.cohorts import assemble

    if bucket := workflow.storage_settings.default_storage_prefix:
        return f"report: {bucket}/{results('report.html')}"
    tables = {cohort: results(f"cohorts/{cohort}.csv") for cohort in COHORTS}
    lines = [
        f"{cohort}: {assemble.tally(table)} (see {results('qc')}/{cohort}.html)"
        for cohort, table in tables.items()
    ]
    places = ("tables/", "figures/", "manuscript/", "report.html")
    if config["bundle"]["apply"]:
        places = ("answers/", "qc/")
    return "\n".join([*lines, *map(results, places)])


if "--mode" not in sys.argv:  # in no job
    sys.stderr.writelines(id_checks.warnings(COHORTS, config["cohorts"]))
if {"-n", "--dry-run", "--dryrun"} & set(sys.argv):  # `workflow.dryrun` is not known yet
    print(
        "segment, pretrain, finetune and learning_curve jobs end at once where nothing changed in "
        "the contents of their inputs, in settings and in code.",
        file=sys.stderr,
    )
