"""How far a run is: of folders made for it, and of real runs that fail or are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_project import Project

from hepatoclr import status
from hepatoclr.status import Job

LOG = "2026-01-01 10:00:00,000 INFO {lines}\n"
ERROR = (
    "Error in rule {rule}:\n    jobid: 3\n    log: {log} (check log file(s) for error details)\n"
)


class Folder:
    """A run's folder, in which jobs leave what they would."""

    def __init__(self, path, jobs, cohorts=()):
        self.run, self.log = path / "results" / "study", path / "snakemake.log"
        self.log.write_text("")
        status.write_plan(self.run, jobs, dict(cohorts), [str(self.log)])
        os.utime(self.run / status.PLAN, (1000, 1000))

    def leave(self, path, text="", at=2000.0):
        file = self.run / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (at, at))

    def finish(self, job, seconds, at=2000.0):
        for output in job.outputs:
            self.leave(output, at=at)
        self.leave(f"logs/{job.name}.log", "core time 1 s", at)
        self.leave(f"benchmarks/{job.name}.tsv", f"s\th:m:s\n{seconds}\t0:00:01\n", at)

    def stage(self, name):
        return next(stage for stage in status.look(self.run).stages if stage.name == name)


def batches(count, cases=10):
    return [
        Job("ingest", f"ingest/a/{n}", [f"batches/ingest/a/{n}.csv"], cases) for n in range(count)
    ]


def test_cases_are_counted_by_what_is_newer_than_the_plan(tmp_path):
    jobs = batches(4)
    folder = Folder(tmp_path, jobs)
    folder.finish(jobs[0], 20)
    folder.finish(jobs[1], 20, at=500)  # of an earlier run, to be made again
    folder.leave("logs/ingest/a/2.log", LOG.format(lines="case 4 of 10: p4"))
    found = folder.stage("ingest")
    assert found.unit == "cases"
    assert found.counts == {"done": 13, "failed": 0, "running": 7, "left": 20}


def test_what_was_not_planned_is_done(tmp_path):
    folder = Folder(
        tmp_path, [Job("splits", "splits/repeat1", ["splits/repeat1.csv"], 0, 0, False)]
    )
    assert folder.stage("splits").counts["done"] == 1
    assert status.state(status.look(folder.run)) == "All that was asked for is done."


def test_a_failure_has_its_log_until_it_is_tried_again(tmp_path):
    folder = Folder(tmp_path, batches(2))
    log = "results/study/logs/ingest/a/1.log"
    folder.leave("logs/ingest/a/1.log", "error: no space\x1b[2J left\n- a\ncore time 1 s\n")
    folder.log.write_text(ERROR.format(rule="ingest", log=log))
    found = status.look(folder.run)
    assert found.failures == {
        str(folder.run / "logs/ingest/a/1.log"): "error: no space\\x1b[2J left"
    }
    assert found.stages[0].counts == {"done": 0, "failed": 10, "running": 0, "left": 10}
    folder.log.write_text(ERROR.format(rule="ingest", log=log) + "Trying to restart job 3.\n")
    assert status.look(folder.run).stages[0].counts["running"] == 10
    folder.log.write_text("Complete log(s): x\n")
    found = status.look(folder.run)
    assert found.stages[0].counts == {"done": 0, "failed": 0, "running": 0, "left": 20}
    assert "has ended before all was done" in status.state(found)


def test_the_estimate_is_work_left_by_jobs_side_by_side(tmp_path):
    jobs = batches(10)
    folder = Folder(tmp_path, [*jobs, Job("tables", "tables", ["tables/table1.csv"])])
    assert status.estimate(status.look(folder.run)).startswith("No estimate yet")
    for number, job in enumerate(jobs[:6]):  # two at a time, 60 s each
        folder.finish(job, 60, at=2000 + 60 * (number // 2))
    found = status.look(folder.run)
    assert found.side_by_side == pytest.approx(2)
    assert found.seconds_left == pytest.approx(4 * 60 / 2)
    assert status.estimate(found) == (
        "At least 2 min left, if 2.0 jobs go on side by side as lately; not counted, since not run "
        "yet: tables."
    )


def test_a_training_tells_its_progress_by_its_epochs(tmp_path):
    training = Job("pretrain", "pretrain/simclr/seed1", ["encoder"], 0, 100)
    folder = Folder(tmp_path, [training])
    begun = time.mktime((2026, 1, 1, 10, 0, 0, 0, 0, -1))
    lines = LOG.format(lines="continuing after epoch 40")
    lines += "".join(
        LOG.format(lines=f"{{'epoch': {epoch}, 'loss': 1}}") for epoch in range(41, 51)
    )
    folder.leave("logs/pretrain/simclr/seed1.log", lines, at=begun + 600)
    assert folder.stage("pretrain").job_s == pytest.approx(6000)  # 10 of 100 epochs took 600 s
    assert status.look(folder.run).seconds_left == pytest.approx(3000)


def test_cases_set_aside_are_counted_before_and_by_the_table(tmp_path):
    folder = Folder(tmp_path, batches(1), {"a": 10})
    folder.leave("volumes/a/p1.nii.gz")
    folder.leave("livers/a/p1.nii.gz")
    folder.leave("livers/a/p2.nii.gz")
    folder.leave("livers/a/p3.nii.gz", "x")
    assert status.look(folder.run).cohorts == {"a": "2 of 10 set aside so far"}
    folder.leave("cohorts/a.csv", "case,step\np1,ingest\np2,\n")
    assert status.look(folder.run).cohorts == {"a": "1 of 2 cases used; 1 set aside: 1 ingest"}


def test_what_logs_say_is_no_markup(tmp_path):
    folder = Folder(tmp_path, batches(1))
    folder.leave("logs/ingest/a/0.log", "error: <script>alert(1)</script>\n")
    log = "results/study/logs/ingest/a/0.log"
    folder.log.write_text(ERROR.format(rule="ingest", log=log))
    page = status.html(status.look(folder.run))
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_a_folder_without_a_plan_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit, match="there is no such file. Give the folder of a run"):
        status.main([str(tmp_path)])


def test_quick_at_25_000_cases(tmp_path):
    jobs = [
        Job(stage, f"{stage}/a/{n}", [f"batches/{stage}/a/{n}.csv"], 16)
        for stage in ("ingest", "segment", "slices", "tensors", "picture")
        for n in range(1563)
    ]
    folder = Folder(tmp_path, jobs)
    for job in jobs[:4000]:
        folder.finish(job, 10)
    start = time.process_time()
    found = status.look(folder.run)
    assert time.process_time() - start < 5
    assert sum(stage.counts["done"] for stage in found.stages) == 16 * 4000


def test_a_real_run_that_fails(tmp_path):
    project = Project(tmp_path)
    table = "results/tiny/cohorts/histo.csv"
    config = {"on_bad_case": "stop", "checks": "{liver_ml: [5999, 6000]}"}
    project.snakemake(table, "--cores", "2", check=False, **config)
    found = status.look(tmp_path / "results/tiny")
    counts = {stage.name: stage.counts for stage in found.stages}
    assert counts["slices"] == {"done": 6, "failed": 0, "running": 0, "left": 0}
    assert counts["cohort"] == {"done": 0, "failed": 1, "running": 0, "left": 0}
    ((log, words),) = found.failures.items()
    assert log.endswith("results/tiny/logs/cohort/histo.log")
    assert words.startswith("error: on_bad_case is stop, and cohort histo has 6 problems")
    assert found.ended
    project.snakemake(table, "--cores", "2")
    assert status.state(status.look(tmp_path / "results/tiny")) == "All that was asked for is done."


def test_a_real_run_killed_in_the_middle(tmp_path):
    project = Project(tmp_path)
    table, run = "results/tiny/cohorts/histo.csv", tmp_path / "results/tiny"
    command = [sys.executable, "-m", "snakemake", table, "--cores", "1", "--config", "preset=tiny"]
    started = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        limit = time.monotonic() + 120
        while not (run / "benchmarks/ingest/histo/1.tsv").exists():
            assert time.monotonic() < limit
            assert started.poll() is None
            time.sleep(0.1)
        printed = subprocess.run(  # while Snakemake holds its lock
            [sys.executable, "-m", "hepatoclr.status", "results/tiny"],
            **{"cwd": tmp_path, "capture_output": True, "text": True, "check": True},
        ).stdout
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
    assert "Under way" in printed
    assert "page: results/tiny/status.html" in printed
    assert "<h1>tiny</h1>" in (run / "status.html").read_text()
    found = status.look(run)
    counts = {stage.name: stage.counts for stage in found.stages}
    assert counts["ingest"]["done"] >= 3
    assert counts["cohort"]["done"] == 0
    assert not found.ended
    project.snakemake("--unlock")
    project.snakemake(table, "--cores", "2")
    assert status.state(status.look(run)) == "All that was asked for is done."
