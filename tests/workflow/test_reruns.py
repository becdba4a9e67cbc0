"""What runs again after a change, alone and together with another; `reruns.py` tries all pairs."""

import re
from collections import Counter

import pytest
import yaml
from example_clinic import clinic
from reruns import (
    BEGIN,
    CODE,
    END,
    F2_TO_F4,
    OTHER,
    WORDS,
    Change,
    copy_archive,
    missed,
    outputs_per_job,
    pending,
    plans,
    table,
)
from tiny_project import ROOT, result


def of(section, **keys):
    """A change of keys of a section."""
    return Change(", ".join(f"`{section}.{key}: {keys[key]}`" for key in keys), {section: keys})


def histo(**keys):
    """A change of the evaluation cohort."""
    return Change(f"`cohorts.histo`: {keys}", {"cohorts": {"histo": keys}})


def code(file):
    """The edit of a module that the page has."""
    return next(change for change in CODE if change.name.startswith(f"`{file}`"))


REPEATS, EPOCHS, DEVICE = of("evaluation", repeats=2), of("finetune", epochs=2), {"device": "cpu"}
PRETRAINING, LINEAR = of("pretraining", epochs=2), of("linear", C=0.9)
DEVICE, CHECKS = Change("`device: cpu`", DEVICE), of("checks", liver_ml=[300, 5400.0])
SLICES, QUALITY = code("imaging/slices.py"), code("cohorts/quality_flags.py")
THRESHOLD, SCALE = of("evaluation", threshold=0.5), of("linear", scale=True)
WEIGHTS, LABELS = of("segment", weights="elsewhere"), histo(labels=F2_TO_F4)
CASE, METHOD = histo(simulate={"patients": 7}), code("learning/methods/supcon.py")
BETA, SEED = of("experiment", betas=[0, 0.2, 0.5, 1]), of("experiment", seeds=[1, 7])
SHARE = of("experiment", fractions=[0.5, 0.7, 1])
MORE = Change("a case for pretraining", {"cohorts": {"radio": {"simulate": {"patients": 7}}}})
PAIRS = [
    (REPEATS, EPOCHS),
    (MORE, EPOCHS),
    (MORE, WEIGHTS),
    (LABELS, PRETRAINING),
    (SLICES, EPOCHS),
    (QUALITY, DEVICE),
    (CHECKS, code("learning/linear.py")),
    (CASE, PRETRAINING),
    (histo(exclude=["histo-0003"]), METHOD),
    (BETA, LINEAR),
    (SHARE, DEVICE),
    (SEED, of("network", centre=0.1)),
    (of("evaluation", permute=True), of("tensors", window=[-150, 250])),
]
CODES = [code("reporting/plots/common.py"), code("quality/qc_image.py")]
LAST = {"benchmark_summary", "report", "manuscript", "provenance"}
COMPARED = {"tables", "figures", "patient_flow", *LAST}
TUNED = {"finetune", "learning_curve", "select_beta", *COMPARED}
READ = {"linear", "baselines", "explain"}
FEATURES = {"features", "feature_space", "feature_space_umap", *READ, *TUNED}
COHORT = {"cohort", "leakage", "pretrain", "qc_page", *FEATURES}
EVALUATION = {"splits", "baselines", "agreement"}
SLICED = {"slices", "tensors", "preprocessing", "qc_image", *COHORT, *EVALUATION}
ONLY = {  # all rules that a change plans
    EPOCHS: TUNED,
    LINEAR: {"linear", "select_beta", "baselines", "explain", *COMPARED},
    SCALE: {"linear", "select_beta", "baselines", "explain", *COMPARED},
    THRESHOLD: {"tables", "figures", "explain", *LAST},
    PRETRAINING: {"pretrain", *FEATURES} - {"learning_curve", "patient_flow"},
    CHECKS: COHORT | EVALUATION,
    QUALITY: COHORT | EVALUATION,
    LABELS: COHORT | EVALUATION,
    SLICES: SLICED,
    WEIGHTS: {"segment", *SLICED},
    DEVICE: {"segment", *SLICED},
    CODES[0]: {"figures", "preprocessing", "explain", "feature_space", "feature_space_umap"}
    | {"diagrams", "patient_flow", *LAST},
    CODES[1]: {"qc_image", "qc_page", *LAST} - {"manuscript"},
}
ALONE = [  # stages that a change plans for some files alone, which have a word in their path
    (CASE, {"simulate", "ingest", "segment", "slices", "tensors", "qc_image"}, "histo-0007"),
    (MORE, {"simulate", "ingest", "segment", "slices", "tensors", "qc_image"}, "radio-0007"),
    (BETA, {"pretrain", "features", "finetune", "linear"}, "weak_simclr-0.2"),
    (METHOD, {"pretrain", "features", "finetune", "linear"}, "supcon"),
    (SEED, {"random_encoder", "pretrain", "features", "finetune", "learning_curve"}, "seed7"),
    (SHARE, {"learning_curve"}, "0.7"),
    (REPEATS, {"splits"}, "repeat2"),
]


@pytest.fixture(scope="module")
def planned(finished):
    """Every plan that the tests here ask for, by the changes before it."""
    changes = list({change: None for pair in PAIRS for change in pair} | dict.fromkeys(ONLY))
    wanted = [(), *((change,) for change in [*changes, *WORDS]), *PAIRS]
    return dict(zip(wanted, plans(finished.folder, wanted, preset="tiny"), strict=True))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " + ".join(one.name for one in pair))
def test_two_changes_plan_what_each_plans(planned, pair):
    one, other = pair
    assert pending(planned[one,])
    assert pending(planned[other,])
    assert not missed(planned[pair], planned[one,], planned[other,])


def test_a_further_repeat_and_other_epochs_tune_all_repeats_by_the_new_epochs(planned):
    assert rules(planned[REPEATS, EPOCHS])["finetune"] == 5 * 2 * 2  # encoders, repeats, files
    assert rules(planned[MORE, EPOCHS])["pretrain"] == 3 * 4


@pytest.mark.parametrize("change", ONLY, ids=lambda change: change.name)
def test_a_change_plans_what_it_can_change_and_no_more(planned, change):
    assert set(rules(planned[change,])) == ONLY[change]


@pytest.mark.parametrize(("change", "stages", "word"), ALONE)
def test_a_further_case_seed_or_method_leaves_the_others(planned, change, stages, word):
    found = pending(planned[change,])
    assert stages <= {rule for rule, _ in found}
    assert all(word in file for rule, file in found if rule in stages)


def test_an_edit_is_named(project):
    project.edit("hepatoclr/imaging/slices.py", "fraction / 2 + 1e-9", "fraction / 2 + 2e-9")
    jobs, text = project.plan()
    assert jobs["slices"] == jobs["tensors"] == 12
    before, now = re.search(r"Params have changed.*before: (.*) now: (.*)", text).groups()
    assert set(re.findall("hepatoclr[^']+", now)) - set(re.findall("hepatoclr[^']+", before)) == {
        *re.findall(r"hepatoclr/imaging/slices.py@\w+", now)
    }


@pytest.mark.parametrize("change", WORDS, ids=lambda change: change.name)
def test_words_and_checks_before_any_job_run_nothing(planned, change):
    assert not pending(planned[change,])


def test_the_page_is_of_these_plans(planned, finished):
    page = (ROOT / "docs/reruns.md").read_text().partition(BEGIN)[2].partition(END)[0]
    per_job = outputs_per_job(result(finished, ""), planned[()])
    shown = {change: planned[change,] for change in (EPOCHS, CHECKS, THRESHOLD, *CODES, *WORDS)}
    for row in table(shown.items(), per_job).splitlines():
        assert row in page
    schema = yaml.safe_load((ROOT / "rules/config.schema.yaml").read_text())["properties"]
    for section in set(schema) - {"preset", "run", "cohorts", "simulate"}:
        for key in schema[section].get("properties", {"": None}):
            name = f"{section}.{key}".rstrip(".")
            assert f"| `{name}: " in page or OTHER.get(name, True) is None, name


def rules(jobs):
    """How many files a plan makes, by rule."""
    return Counter(rule for rule, _ in pending(jobs))


def test_copied_data_is_read_anew_and_no_network_runs(project):
    """New times of the same images, as `cp -r` gives them, are planned and end at once."""
    config = clinic(project)
    run = project.folder / "results/clinic"
    wanted = "results/clinic/predictions/finetune/simclr/seed1/repeat1.csv"
    project.snakemake("--cores", "2", wanted, **config)
    patterns = ("segment/*/*", "pretrain/simclr/*", "finetune/simclr/*/*")
    logs = [log for pattern in patterns for log in run.glob(f"logs/{pattern}.log")]
    kept = [project.folder / wanted, run / "encoders/simclr/seed1/encoder.safetensors"]
    before = [path.read_bytes() for path in kept]
    times = {log: log.stat().st_mtime_ns for log in logs}
    copy_archive(project.folder)
    project.snakemake("--cores", "2", wanted, **config)
    assert [path.read_bytes() for path in kept] == before
    ran = [log for log in logs if log.stat().st_mtime_ns > times[log]]
    assert {log.relative_to(run / "logs").parts[0] for log in ran} == {
        *("segment", "pretrain", "finetune")
    }
    assert all("nothing to do" in log.read_text() for log in ran)


# --- what would hide a change ----------------------------------------------------------------

SCRIPTS, RULES = sorted((ROOT / "scripts").glob("*.py")), sorted((ROOT / "rules").glob("*.smk"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_takes_all_that_changes_a_result_from_params(path):
    assert not re.search(r"snakemake\.config|os\.environ|open\(.*config", path.read_text())


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_no_rule_hides_a_change(path):
    assert not re.search(
        r"\bancient\(|\bruleorder\b|^ *run:|\bcheckpoint\b", path.read_text(), re.M
    )


def test_a_training_with_other_settings_than_those_in_force_is_refused_by_name(project):
    path = result(project, "encoders/simclr/seed1/metadata.json")
    path.write_text(path.read_text().replace('"epochs": 1', '"epochs": 3', 1))
    text = project.snakemake("--cores", "1", "results/tiny/tables/table1.csv", check=False)
    assert "seed1/metadata.json: pretraining.epochs was 3, 1 is in force" in text
    assert "Traceback" not in text
    path.unlink()  # the remedy that the message gives
    jobs, _ = project.plan()
    assert jobs["pretrain"] == jobs["tables"] == 1
