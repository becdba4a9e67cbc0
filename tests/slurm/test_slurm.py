"""The workflow on a real Slurm cluster of one node, and what may go wrong there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cluster
import numpy as np
import pandas as pd
import pytest
import torch
from tiny_project import ROOT, Project, result

from hepatoclr.imaging import tensors

LINEAR = "results/tiny/predictions/linear/simclr/seed1/repeat1.csv"
ENCODER = "results/tiny/encoders/simclr/seed1/encoder.safetensors"
# to look at the queue often spares minutes; a real cluster is not to be asked so often
OFTEN = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"]
STARTED = []  # Snakemakes that a test did not wait for
SLURM = ["--workflow-profile", "profiles/slurm", *OFTEN]


@pytest.fixture(scope="module", autouse=True)
def nodes():
    """The cluster."""
    if reason := cluster.missing():
        pytest.skip(f"no Slurm here: {reason}")
    with cluster.running() as folder:
        yield folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project whose features are there, made on this machine."""
    made = Project(tmp_path_factory.mktemp("prepared"))
    target = "results/tiny/features/histo/simclr/seed1.parquet"
    made.snakemake("--cores", "2", target, "results/tiny/splits/repeat1.csv")
    return made


@pytest.fixture
def project(prepared, tmp_path):
    copy = object.__new__(Project)
    copy.folder = tmp_path / "copy"
    shutil.copytree(prepared.folder, copy.folder, symlinks=True)
    return copy


@pytest.fixture(autouse=True)
def quiet(nodes):
    """Leave nothing to the next test, however this one ends."""
    yield
    while STARTED:
        STARTED.pop().kill()
    cluster.ask("scancel", "--me")
    cluster.ask("scontrol", "update", f"nodename={node()}", "state=resume")
    until(empty)


def start(project, *arguments, **config):
    """Start Snakemake and do not wait for it."""
    given = [f"{key}={value}" for key, value in {"preset": "tiny", **config}.items()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.Popen(
        ["snakemake", *SLURM, *arguments, "--config", *given],
        cwd=project.folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # what was started in the background ignores Ctrl-C, and so would this
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    STARTED.append(run)
    return run


def end(run):
    """What a started Snakemake has printed, when it is through."""
    text, _ = run.communicate(timeout=300)
    assert run.returncode == 0, text[-5000:]
    return text


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, cluster.ask("squeue")
        time.sleep(0.2)
    return value


def queued(state="all"):
    """The jobs in the queue: number to comment."""
    lines = cluster.ask("squeue", "-h", "-t", state, "-o", "%i %k").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def node():
    return cluster.ask("sinfo", "-h", "-p", "cpu", "-o", "%n")


def empty():
    return not queued("pending,running,completing")


def at_first(project, rule, code):
    """Have the script of a rule do something else when it first runs, and count its runs."""
    script = project.folder / "scripts" / f"{rule}.py"
    opening = "\n".join(
        [
            "from pathlib import Path as _P",
            "with open('runs.txt', 'a') as _f:",
            "    _f.write(snakemake.rule + ' ' + str(snakemake.resources.mem_mb) + '\\n')",
            "if len(_P('runs.txt').read_text().splitlines()) == 1:",
            *(f"    {line}" for line in code.splitlines()),
        ]
    )
    script.write_text(f"{opening}\n{script.read_text()}")


def runs(project):
    path = project.folder / "runs.txt"
    return path.read_text().splitlines() if path.exists() else []


HOLD = "import time\nwhile not _P('go').exists(): time.sleep(0.2)"


def test_a_job_killed_for_memory_gets_more_and_its_log_is_shown(project):
    code = "ballast = bytearray(900_000_000)\nballast[::4096] = b'1' * len(ballast[::4096])"
    code += "\nopen(snakemake.log[0], 'w').write('all of it is taken')"
    code += "\nimport time\ntime.sleep(30)"
    at_first(project, "linear", code)
    text = project.snakemake(*SLURM, LINEAR, "--set-resources", "linear:mem_mb=700 * attempt")
    assert runs(project) == ["linear 700", "linear 1400"]
    assert "OUT_OF_MEMORY" in text or "FAILED" in text or "CANCELLED" in text
    assert "results/tiny/logs/linear/simclr/seed1/repeat1.log" in text
    assert "all of it is taken" in text
    assert ".snakemake/slurm_logs/rule_linear" in text


def test_a_job_waits_for_a_drained_node_and_is_tried_again_when_cancelled(project):
    cluster.ask("scontrol", "update", f"nodename={node()}", "state=drain", "reason=test")
    at_first(project, "linear", HOLD)
    run = start(project, LINEAR)
    until(lambda: queued("pending"))
    time.sleep(3)
    assert run.poll() is None
    assert not queued("running")
    cluster.ask("scontrol", "update", f"nodename={node()}", "state=resume")
    until(lambda: runs(project))
    cluster.ask("scancel", *queued("running"))
    text = end(run)
    assert "CANCELLED" in text
    assert len(runs(project)) == 2


def test_a_pre_empted_training_goes_on_after_its_last_epoch(project):
    settings = "{epochs: 300, samples_per_epoch: 16, batch_size: 8}"
    partition = ["--set-resources", "pretrain:slurm_partition=scavenge"]
    run = start(project, ENCODER, *partition, pretraining=settings)
    number = until(lambda: queued("running"))
    until(lambda: list(result(project, "encoders/simclr").rglob("last.ckpt")))
    time.sleep(2)
    urgent = ["-p", "cpu", "-n", str(cluster.CPUS), "--mem", "100", "--wrap", "sleep 3"]
    subprocess.run(["sbatch", "-o", "/dev/null", *urgent], check=True)
    end(run)
    log = result(project, "logs/pretrain/simclr/seed1.log").read_text()
    assert int(re.search(r"continuing after epoch (\d+)", log)[1]) >= 1
    job = cluster.ask("scontrol", "show", "job", next(iter(number)))
    assert "Restarts=1" in job
    assert re.search(r"TresPerJob=gres:gpu:1$", job, re.M)
    history = pd.read_csv(result(project, "encoders/simclr/seed1/history.csv"))
    assert history["epoch"].tolist() == list(range(1, 301))


def test_a_killed_snakemake_loses_no_job_and_runs_none_twice(project):
    at_first(project, "linear", HOLD)
    run = start(project, LINEAR)
    until(lambda: runs(project))
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert "unlock" in project.snakemake(*SLURM, LINEAR, check=False)
    project.snakemake("--unlock")
    text = project.snakemake(*SLURM, LINEAR, check=False)
    assert "Slurm still has 1 job(s) of an earlier run" in text
    assert f"scancel {next(iter(queued('running')))}" in text
    (project.folder / "go").touch()
    until(empty)
    written = (project.folder / LINEAR).stat().st_mtime_ns
    end(start(project, LINEAR))
    assert len(runs(project)) == 1
    assert (project.folder / LINEAR).stat().st_mtime_ns == written


def test_ctrl_c_cancels_the_jobs_and_the_same_command_goes_on(project):
    at_first(project, "linear", HOLD)
    run = start(project, LINEAR)
    until(lambda: runs(project))
    run.send_signal(signal.SIGINT)
    run.wait(120)
    until(empty)
    end(start(project, LINEAR))
    assert len(runs(project)) == 2


def test_a_group_goes_on_without_a_case_that_is_bad_and_one_that_kills_its_process(project):
    result(project, "simulated/histo/histo-0001/ct.nii.gz").write_bytes(b"nothing")
    project.edit("scripts/ingest.py", "with ", "open('runs.txt', 'a').write(f'{case}\\n')\nwith ")
    kill = "import os\n    if case == 'histo histo-0002':\n        os.kill(os.getpid(), 9)"
    project.edit("scripts/ingest.py", "    image = ", f"    {kill}\n    image = ")
    target = "results/tiny/cohorts/histo.csv"
    text = project.snakemake(*SLURM, target, "--forcerun", "ingest")
    cohort = pd.read_csv(project.folder / target, keep_default_na=False).set_index("case")
    assert cohort["included"].astype(str).value_counts().to_dict() == {"True": 4, "False": 2}
    assert cohort["step"].to_dict()["histo-0001"] == "ingest"
    assert "killed twice" in cohort.loc["histo-0002", "reason"]
    assert runs(project).count("histo histo-0002") == 3
    submitted = re.findall(r"submitted with SLURM jobid", text)
    assert len(submitted) == 3  # read, segment and cache: six cases each


def test_two_tasks_train_as_one_process(tmp_path):
    caches = [str(tmp_path / f"{number}.b2nd") for number in range(4)]
    for number, path in enumerate(caches):
        pixels = np.random.default_rng(number).integers(-100, 400, (6, 32, 32))
        tensors.write(pixels.astype(np.int16), path)
    given = ["epochs=2", "precision=64-true", "strategy=ddp"]
    found = []
    for tasks in (1, 2):
        step = ["srun", "-p", "cpu", f"--ntasks-per-node={tasks}"] if tasks > 1 else []
        folder = tmp_path / str(tasks)
        program = [sys.executable, ROOT / "tests/learning/train_small.py", ",".join(caches), folder]
        run = subprocess.run(
            [*step, *program, f"{folder}.pt", *given, f"devices={tasks}"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-5000:]
        found.append(torch.load(f"{folder}.pt")["weak_simclr"])
    alone, together = found
    assert [line["loss"] for line in together["history"]] == pytest.approx(
        [line["loss"] for line in alone["history"]], rel=1e-10
    )
    for name, weight in alone["weights"].items():
        assert torch.allclose(weight, together["weights"][name], rtol=1e-9, atol=1e-11), name


def test_a_whole_run_gives_the_tables_of_a_local_one(finished, tmp_path):
    there = Project(tmp_path)
    text = there.snakemake(*SLURM)
    made = [
        path.relative_to(finished.folder)
        for path in sorted(result(finished, "").rglob("*"))
        if path.parts[-2] == "tables" or "predictions" in path.parts
        if path.suffix in (".csv", ".md", ".tex") and path.name != "cost.csv"  # it holds times
    ]
    assert len(made) > 20
    for path in made:
        assert (there.folder / path).read_bytes() == (finished.folder / path).read_bytes(), path
    assert "No suitable partition" not in text
