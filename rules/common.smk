# What the rules share: the configuration in force, the cohorts, the experiment, and a few names.
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))  # Snakemake hands its search path on to scripts

from hepatoclr import encoders, fingerprint, manifests, names, settings
from hepatoclr.errors import UserError


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
FIGURES = ["preprocessing", "roc", "beta", "learning_curve"]


def source(wildcards, column):
    """What a job of a case waits for: a file of the manifest, or the folder it is simulated in."""
    path = getattr(CASES[wildcards.cohort, wildcards.case], column)
    return str(Path(path).parent) if wildcards.cohort in SIMULATED else path


PROVIDED = config["segment"]["backend"] == "provided"


def mask_source(wildcards):
    """What a job waits for to have the manifest's mask, where masks are provided."""
    return source(wildcards, "liver_mask") if PROVIDED else []


def given_mask(wildcards):
    """The manifest's mask and its label, where masks are provided."""
    row = CASES[wildcards.cohort, wildcards.case]
    label = int(row.liver_label) if row.liver_label else None
    return {"mask": row.liver_mask, "label": label} if PROVIDED else {}


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
    common = ("network", "augmentation", "seed", "device")
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
    if config["segment"]["backend"] == "totalsegmentator":
        from hepatoclr import segment

        try:
            segment.preflight(config["segment"]["model"], config["segment"]["weights"] or None)
        except UserError as error:
            raise WorkflowError(str(error))


def summary():
    """Where a reader looks first."""
    return "\n".join(
        [
            f"tables:  {results('tables/')}",
            f"figures: {results('figures/')}",
            f"report:  {results('report.html')}",
        ]
    )
