"""The workflow as users meet it: Snakemake is run, and what it prints and leaves is read."""

import csv
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_project import Project, result

from hepatoclr.base import files, names

FIRST = {"manifest", "simulate", "ingest", "segment", "slices", "tensors", "cohort"}


def test_tables_are_complete(finished):
    table1 = pd.read_csv(result(finished, "tables/table1.csv"), keep_default_na=False)
    assert table1.columns.tolist() == [
        *("method", "protocol", "n_folds", "auc_mean", "auc_sd", "auc_low", "auc_high"),
        *("balanced_accuracy_mean", "balanced_accuracy_sd"),
        *("balanced_accuracy_low", "balanced_accuracy_high"),
        *("balanced_accuracy_youden_mean", "balanced_accuracy_youden_sd"),
        *("balanced_accuracy_youden_low", "balanced_accuracy_youden_high"),
        *("paper_auc_mean", "paper_auc_sd"),
        *("paper_balanced_accuracy_mean", "paper_balanced_accuracy_sd"),
        *("minimum_detectable_difference", "leaky", "learned", "data"),
    ]
    known = table1.groupby("method")["learned"].unique().map(list)
    assert known.pop("none") == [""]
    for method, recorded in known.items():
        encoder = "weak_simclr-0.5" if method == "weak_simclr" else method
        made = files.read_json(result(finished, f"encoders/{encoder}/seed1/metadata.json"))
        assert recorded == [str(int(made["learned"]))]
    assert table1["method"].unique().tolist() == [
        *("none", "supervised", "simclr", "supcon", "weak_simclr")
    ]
    assert (table1["n_folds"].astype(int) == 2).all()
    assert (table1["data"] == "synthetic").all()
    measures = pd.read_csv(result(finished, "tables/measures.csv"))
    assert set(measures["protocol"]) == {"linear", "linear_scaled", "finetune", "linear_nested"}
    assert set(measures["threshold"]) == {"fold"}
    table2 = pd.read_csv(result(finished, "tables/table2.csv"))
    assert table2["beta"].unique().tolist() == [0, 0.5, 1]
    curve = pd.read_csv(result(finished, "tables/learning_curve.csv"))
    assert curve["fraction"].tolist() == [0.5, 1.0]
    for table in (table2, curve):
        assert table["auc_mean"].between(0, 1).all()
    for name in ("table1", "table2", "learning_curve"):
        for suffix in ("md", "tex"):
            assert "ynthetic" in result(finished, f"tables/{name}.{suffix}").read_text()


def test_everything_else_is_there(finished):
    for name in ("patient_flow", "learning_curve", "beta", "roc", "preprocessing"):
        assert result(finished, f"figures/{name}.svg").read_text().count("synthetic") >= 1
        assert result(finished, f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    encoders = ("none", "supervised", "simclr", "supcon", "weak_simclr-0.5")
    for name in (*(f"explanations_{name}" for name in encoders), "feature_space_pca"):
        assert "synthetic cohort" in result(finished, f"figures/{name}.svg").read_text()
    for name in encoders:
        shown = pd.read_csv(result(finished, f"explanations/{name}.csv"))
        assert 1 <= len(shown) <= 4
        found = pd.read_csv(result(finished, f"predictions/linear/{name}/seed1/repeat1.csv"))
        both = shown.merge(found, on="patient_id", suffixes=("", "_predicted"))
        assert both["probability"].tolist() == pytest.approx(
            both["probability_predicted"].tolist(), abs=1e-6
        )
    near = pd.read_csv(result(finished, "tables/neighbours.csv"))
    assert (near.groupby(["encoder", "patient_id"]).size() == 5).all()
    assert "ynthetic" in result(finished, "report.html").read_text()
    assert "\nresults/tiny/tables/\n" in finished.printed
    history = pd.read_csv(result(finished, "encoders/simclr/seed1/history.csv"))
    assert history["epoch"].tolist() == [1]
    assert list(result(finished, "logs/training/simclr/seed1").glob("events.*"))
    assert not list(result(finished, "").rglob("*.checkpoints"))
    assert all(log.is_file() for log in result(finished, "logs/ingest").rglob("*.log"))


def test_the_text_for_a_paper_is_of_this_run(finished):
    folder = result(finished, "manuscript")
    for name in ("methods.md", "methods.tex", "results.md", "results.tex"):
        text = (folder / name).read_text()
        assert "Synthetic cohort" in text.splitlines()[0]
        assert "6 CTs of 6 patients" in text
    assert "48 × 48 pixels" in (folder / "methods.md").read_text()
    assert "DICOM and NIfTI" in (folder / "methods.md").read_text()
    for name in ("tripod_ai", "claim", "metrics"):
        page = (folder / f"checklist_{name}.md").read_text()
        assert re.search(r"\d+ of \d+ items answered by the run tiny", page)


def test_the_cost_of_every_stage_is_counted(finished):
    cost = pd.read_csv(result(finished, "tables/cost.csv"))
    jobs = re.findall(r"^(\w+) +(\d+)$", finished.printed.split("Job stats:")[1], re.M)
    ran = {name: int(count) for name, count in jobs}
    for later in ("all", "benchmark_summary", "manuscript", "provenance", "report", "total"):
        ran.pop(later)
    assert dict(zip(cost["stage"], cost["jobs"], strict=True)) == ran
    assert (cost["wall_seconds"] > 0).all()
    page = result(finished, "report.html").read_text()
    assert '<th scope="row">learning_curve</th>' in page
    assert '<th scope="row">Total</th>' in page


def test_predictions_are_one_per_patient(finished):
    cohort = pd.read_csv(result(finished, "cohorts/histo.csv"), dtype=str)
    for file in result(finished, "predictions").rglob("repeat1.csv"):
        found = pd.read_csv(file, dtype=str)
        assert sorted(found["patient_id"]) == sorted(cohort["patient_id"]), file


def test_a_finished_run_has_nothing_to_do(finished):
    jobs, _ = finished.plan()
    assert not jobs


def test_a_second_run_from_scratch_gives_the_same_bytes(finished, tmp_path):
    again = Project(tmp_path)
    again.snakemake("--cores", "6", "results/tiny/tables/table1.csv")
    for file in ("tables/table1.csv", "predictions/finetune/supcon/seed1/repeat1.csv"):
        assert result(again, file).read_bytes() == result(finished, file).read_bytes()
    encoder = "encoders/weak_simclr-0.5/seed1/encoder.safetensors"
    assert result(again, encoder).read_bytes() == result(finished, encoder).read_bytes()


def test_jobs_per_fold_predict_the_same(project, finished):
    project.snakemake(
        "--cores",
        "2",
        *(f"results/tiny/predictions/{kind}/simclr/seed1/repeat1-fold{fold}.csv"
          for kind in ("linear", "finetune") for fold in (1, 2)),
        evaluation="{job_per: fold}",
    )  # fmt: skip
    for kind in ("linear", "finetune"):
        whole = pd.read_csv(
            result(finished, f"predictions/{kind}/simclr/seed1/repeat1.csv"), dtype=str
        )
        folds = [
            pd.read_csv(
                result(project, f"predictions/{kind}/simclr/seed1/repeat1-fold{fold}.csv"),
                dtype=str,
            )
            for fold in (1, 2)
        ]
        assert whole.equals(pd.concat(folds, ignore_index=True))


def test_leave_one_out_tests_each_patient_alone(project):
    files = [
        f"results/tiny/predictions/{kind}/simclr/seed1/repeat1.csv"
        for kind in ("linear", "finetune")
    ]
    scheme = "{scheme: balanced-leave-one-out}"
    project.snakemake("--cores", "2", *files, evaluation=scheme)
    for file in files:
        found = pd.read_csv(project.folder / file)
        assert found["fold"].tolist() == sorted(found["fold"])
        assert found["fold"].nunique() == len(found) == 6


def test_what_is_chosen_inside_the_training_folds_is_named(finished):
    found = pd.read_csv(result(finished, "predictions/select_beta/linear_nested/seed1/repeat1.csv"))
    assert set(found["beta"]) <= {0, 0.5, 1}
    assert set(found["C"]) <= {0.0001, 0.001, 0.01, 0.1, 1, 10}
    tuned = pd.read_csv(result(finished, "predictions/select_beta/finetune/seed1/repeat1.csv"))
    assert tuned.groupby("fold")["beta"].first().equals(found.groupby("fold")["beta"].first())
    for fold, rows in tuned.groupby("fold"):
        encoder = {0: "simclr", 0.5: "weak_simclr-0.5", 1: "supervised"}[rows["beta"].iloc[0]]
        of = pd.read_csv(result(finished, f"predictions/finetune/{encoder}/seed1/repeat1.csv"))
        assert rows["probability"].tolist() == of.loc[of["fold"] == fold, "probability"].tolist()


def test_an_epoch_chosen_on_the_tested_patients_is_called_leaky_everywhere(project):
    project.snakemake("--cores", "2", finetune="{epoch: best-on-validation}")
    tables = ("table1", "table2", "learning_curve", "comparisons", "measures", "nested")
    texts = [f"tables/{name}.{suffix}" for name in tables for suffix in ("md", "tex")]
    texts += [
        f"manuscript/{name}.{suffix}" for name in ("methods", "results") for suffix in ("md", "tex")
    ]
    figures = ("roc", "beta", "learning_curve", "comparisons", "calibration", "decision_curve")
    texts += [f"figures/{name}.svg" for name in figures]
    for file in [*texts, "report.html"]:
        assert "leaky" in result(project, file).read_text().lower(), file
    table1 = pd.read_csv(result(project, "tables/table1.csv"))
    assert table1.groupby("protocol")["leaky"].unique().to_dict() == {
        "finetune": [1],
        "linear": [0],
    }


def test_an_interrupted_run_goes_on(project):
    before = result(project, "tables/table1.csv").read_bytes()
    for lost in (
        *("tables/table1.csv", "encoders/supcon/seed1/encoder.safetensors"),
        *("features/histo/supcon/seed1.parquet", "predictions/finetune/supcon/seed1/repeat1.csv"),
    ):
        result(project, lost).unlink()
    jobs, _ = project.plan()
    assert jobs["pretrain"] == jobs["features"] == jobs["finetune"] == jobs["tables"] == 1
    assert not set(jobs) & (FIRST | {"splits"})
    project.snakemake("--cores", "2")
    assert result(project, "tables/table1.csv").read_bytes() == before
    assert not project.plan()[0]


def manifests(folder, patients):
    """Manifests of many cases that all show one CT and mask."""
    (folder / "ct.nii.gz").touch()
    for name, positive, negative in patients:
        labels = [("pos", n) for n in range(positive)] + [("neg", n) for n in range(negative)]
        with open(folder / f"{name}.csv", "w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["patient_id", "image", "label"])
            table.writerows([f"{name}{label}{n}", "ct.nii.gz", label] for label, n in labels)


def test_the_paper_plans_as_published(tmp_path):
    project = Project(tmp_path)
    manifests(tmp_path, [("radio", 919, 1880), ("histo", 78, 28)])
    labels = {"positive": ["pos"], "negative": ["neg"]}
    config = {
        "cohorts": {
            name: {"role": role, "manifest": f"{name}.csv", "labels": labels}
            for name, role in (("radio", "pretraining"), ("histo", "evaluation"))
        }
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"preset": "paper", **config}))
    jobs, _ = project.plan(preset="paper")
    for rule in ("ingest", "segment", "slices", "tensors", "qc_image"):
        assert jobs[rule] == 2799 + 106, rule
    assert jobs["pretrain"] == 7
    assert jobs["random_encoder"] == 1
    assert jobs["features"] == 8
    assert jobs["linear"] == jobs["finetune"] == 40
    assert jobs["select_beta"] == jobs["explain"] == 5
    assert jobs["learning_curve"] == 15
    assert "simulate" not in jobs


@pytest.mark.parametrize(
    ("config", "messages"),
    [
        ({"slises": "{}"}, ["slises: unknown key; did you mean 'slices'?"]),
        (
            {"slices": "{fraction: 70}", "seed": "x"},
            ["2 problems", "slices.fraction: 70 is greater than", "seed: must be an integer"],
        ),
        ({"cohorts": "{histo: {manifest: none.csv}}"}, ["give either a manifest or simulate"]),
        ({"evaluation": "{folds: 5}"}, ["cohorts.histo: the", "5 folds need at least 5"]),
    ],
)
def test_mistakes_are_told_before_any_job(finished, config, messages):
    text = finished.snakemake("-n", check=False, **config)
    for message in messages:
        assert message in text
    assert "Traceback" not in text


def test_missing_weights_are_told_before_any_job(finished, tmp_path):
    text = finished.snakemake(
        "--cores",
        "1",
        check=False,
        run="weightless",
        segment=f"{{backend: totalsegmentator, weights: {tmp_path}}}",
    )
    assert "totalseg_download_weights" in text
    assert "Traceback" not in text
    assert "Finished jobid" not in text


def test_jobs_of_networks_wait_for_a_gpu_only_where_gpus_are_counted(project):
    files = [
        f"results/tiny/features/histo/{encoder}/seed1.parquet" for encoder in ("simclr", "supcon")
    ]

    def order(*limit):
        text = project.snakemake("--cores", "2", *limit, "--forcerun", *files, "--until", *files)
        return re.findall(r"^(?:local)?(rule features|Finished)", text, re.MULTILINE)

    assert order("--resources", "gpu=1") == ["rule features", "Finished"] * 2
    assert order() == ["rule features"] * 2 + ["Finished"] * 2


PROBE = """
include: "Snakefile"
for rule in workflow.rules:
    print("resources of", rule.name, (gpu := rule.resources.get("gpu")) and gpu.value or 0, "end")
"""


TUNING = dict.fromkeys(("finetune", "learning_curve", "final_finetune", "external_finetune"), 1)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"pretrain": 1, "features": 1, **TUNING}),
        ({"device": "cpu"}, {}),
        (
            {"trainer": "{devices: 2}", "segment": "{backend: totalsegmentator}"},
            {"pretrain": 2, "features": 1, "segment": 1, **TUNING},
        ),
    ],
)
@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_rules_say_how_many_gpus_a_job_takes(project, profile, config, expected):
    (project.folder / "Probe.smk").write_text(PROBE)
    text = project.snakemake(
        *("-n", "--cores", "1", "--until", "splits", "--snakefile", "Probe.smk"),
        *("--workflow-profile", f"profiles/{profile}"),
        **config,
    )
    found = re.findall(r"resources of (\w+) (\d) end", text)
    assert {rule: int(gpus) for rule, gpus in found if gpus != "0"} == expected


def test_the_slurm_profile_plans(finished):
    text = finished.snakemake("-n", "--workflow-profile", "profiles/slurm", "--forceall")
    assert "pretrain" in text


MASKS = {  # image, mask, label, ml of the mask itself
    "chaos": ("chaos_dicom", "chaos_liver.nii.gz", "", 1417),
    "slab": ("totalseg_dicom", "totalseg_dicom_seg.nii.gz", "5", 699),
    "3 mm": ("totalseg_example_ct.nii.gz", "totalseg_example_ct_seg.nii.gz", "5", 1126),
    "3 mm slab": ("totalseg_example_ct_sm.nii.gz", "totalseg_example_ct_sm_seg.nii.gz", "5", None),
}


def turned(source, path, axes):
    """Store a NIfTI file in another orientation, with one voxel of air in a corner.

    To the letter the same image, it must not stand under two patients.
    """
    image = nib.load(source)
    voxels = np.asanyarray(image.dataobj).copy()
    voxels[0, 0, 0] = -900
    image = nib.Nifti1Image(voxels, image.affine, image.header)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(axes)
    )
    nib.save(image.as_reoriented(turn), path)
    return path


def test_real_ct_gets_a_probability_from_every_encoder(project, shared_ct):
    lines = [["patient_id", "image", "liver_mask", "liver_label"]]
    lines += [
        [name, shared_ct / image, shared_ct / mask, label]
        for name, (image, mask, label, _) in MASKS.items()
    ]
    image, mask, label, _ = MASKS["3 mm"]
    turned(shared_ct / image, project.folder / "turned.nii.gz", "PIR")
    lines.append(["3 mm turned", "turned.nii.gz", shared_ct / mask, label])
    with open(project.folder / "real.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    # all four reach their first or last slice, and would be left out; the other cohorts stay
    project.snakemake(
        "--cores",
        "2",
        "--rerun-triggers",
        "mtime",
        cohorts=f"{{real: {{role: external, manifest: real.csv, folders: ['{shared_ct}']}}}}",
        checks="{exclude: []}",
    )
    cohort = pd.read_csv(result(project, "cohorts/real.csv"), dtype=str).set_index("patient_id")
    assert (cohort["included"] == "True").all()
    for name, (*_, volume) in MASKS.items():
        if volume:
            assert float(cohort.loc[name, "liver_ml"]) == pytest.approx(volume, rel=0.01)
    same = [
        result(project, f"tensors/real/{names.encode(n)}.b2nd") for n in ("3 mm", "3 mm turned")
    ]
    assert same[0].read_bytes() == same[1].read_bytes()
    for encoder in ("none", "supervised", "simclr", "supcon", "weak_simclr-0.5"):
        file = result(project, f"predictions/external/real/linear/{encoder}/seed1.csv")
        found = pd.read_csv(file).set_index("patient_id")
        assert set(found.index) == set(cohort.index)
        assert found["probability"].between(0, 1).all()
        # where a slice stands in its batch may change the last digit
        other = found.loc["3 mm turned", "probability"]
        assert found.loc["3 mm", "probability"] == pytest.approx(other, rel=1e-9)


def test_two_processes_pretrain_one_encoder(project):
    history = result(project, "encoders/simclr/seed1/history.csv")
    alone = pd.read_csv(history)
    wanted = str(history.relative_to(project.folder))
    project.snakemake(wanted, "--cores", "2", trainer="{devices: 2}")
    together = pd.read_csv(history)
    assert together["samples"].tolist() == alone["samples"].tolist()
    assert together["loss"].tolist() == pytest.approx(alone["loss"].tolist(), rel=1e-4)


def test_lint(finished):
    assert "good condition" in finished.snakemake("--lint")
