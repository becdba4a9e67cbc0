import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from tiny_project import Project

ROOT = Path(__file__).parents[2]
ENGINES = ROOT / ".venv-engines/bin"


@pytest.mark.parametrize("engine", ["lsf", "cluster-generic", "kubernetes", "aws-batch"])
def test_a_profile_plans(tmp_path, engine):
    if not (ENGINES / "snakemake").exists():
        pytest.skip("the plugins are not installed; make engines")
    Project(tmp_path)
    command = [ENGINES / "snakemake", "-n", "--workflow-profile", f"profiles/{engine}"]
    run = subprocess.run(
        [*command, "--config", "preset=tiny"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{ENGINES}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "This was a dry-run" in run.stdout + run.stderr


class Service:
    """A command in the place of `kubectl` or `aws`: it keeps what it is told, and answers."""

    def __init__(self, folder, engine, command):
        self.folder, self.engine = folder, engine
        lines = [
            '#!/bin/sh\nhere=$(dirname "$0")\nprintf "%s\\n" "$@" > "$here/told"',
            '[ ! -p /dev/stdin ] || cat > "$here/given"',
            'cat "$here/answer"; exit $(cat "$here/code")\n',
        ]
        (folder / command).write_text("\n".join(lines))
        (folder / command).chmod(0o755)
        self.answers("")

    def answers(self, text, code=0):
        (self.folder / "answer").write_text(text)
        (self.folder / "code").write_text(str(code))

    def run(self, script, *arguments, given="", **environment):
        path = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.run(
            [ROOT / "profiles" / self.engine / script, *arguments],
            cwd=self.folder,
            env={**os.environ, **path, **environment},
            input=given,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    @property
    def told(self):
        return (self.folder / "told").read_text().splitlines()


def test_kubernetes_gets_a_job_that_mounts_the_volume(tmp_path):
    service = Service(tmp_path, "kubernetes", "kubectl")
    service.answers("job.batch/hepatoclr-learning-curve-x1\n")
    settings = {"IMAGE": "registry/hepatoclr:1", "CLAIM": "volume", "NAMESPACE": "ct"}
    job = ("learning_curve", "2", "4000", "30", "1", "/data/.snakemake/tmp/1.sh")
    assert service.run("submit", *job, **settings) == "ct/hepatoclr-learning-curve-x1"
    made = yaml.safe_load((tmp_path / "given").read_text())
    assert made["metadata"] == {"generateName": "hepatoclr-learning-curve-", "namespace": "ct"}
    assert made["spec"]["activeDeadlineSeconds"] == 1800
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "registry/hepatoclr:1"
    assert container["command"] == ["sh", "/data/.snakemake/tmp/1.sh"]
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "4000Mi"}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["volumes"][0] == {"name": "data", "persistentVolumeClaim": {"claimName": "volume"}}
    assert {mount["name"] for mount in container["volumeMounts"]} == {"data", "shm"}


def test_aws_batch_gets_the_job_and_its_needs(tmp_path):
    service = Service(tmp_path, "aws-batch", "aws")
    service.answers("0f1e\n")
    for gpus, needs in (("0", ["VCPU", "MEMORY"]), ("1", ["VCPU", "MEMORY", "GPU"])):
        job = ("segment", "2", "4000", "30", gpus, "/data/.snakemake/tmp/1.sh")
        assert service.run("submit", *job, QUEUE="q", DEFINITION="d") == "0f1e"
        (told,) = (tmp_path / "told").read_text().split("--container-overrides\n")[1:]
        overrides = json.loads(told)
        assert overrides["command"] == ["sh", "/data/.snakemake/tmp/1.sh"]
        assert [need["type"] for need in overrides["resourceRequirements"]] == needs
        assert "attemptDurationSeconds=1800" in service.told


@pytest.mark.parametrize(
    ("engine", "command", "answer", "code", "status"),
    [
        ("kubernetes", "kubectl", "job:", 0, "running"),
        ("kubernetes", "kubectl", "job:SuccessCriteriaMet Complete", 0, "success"),
        ("kubernetes", "kubectl", "job:FailureTarget Failed", 0, "failed"),
        ("kubernetes", "kubectl", "", 0, "failed"),
        ("kubernetes", "kubectl", "", 1, "running"),
        ("aws-batch", "aws", "RUNNABLE", 0, "running"),
        ("aws-batch", "aws", "SUCCEEDED", 0, "success"),
        ("aws-batch", "aws", "FAILED", 0, "failed"),
        ("aws-batch", "aws", "None", 0, "failed"),
        ("aws-batch", "aws", "", 255, "running"),
    ],
)
def test_a_lost_job_has_failed_and_a_silent_service_says_nothing(
    tmp_path, engine, command, answer, code, status
):
    service = Service(tmp_path, engine, command)
    service.answers(answer, code)
    assert service.run("status", "ct/job") == status


@pytest.mark.parametrize(("engine", "command"), [("kubernetes", "kubectl"), ("aws-batch", "aws")])
def test_jobs_are_cancelled_by_what_submit_printed(tmp_path, engine, command):
    service = Service(tmp_path, engine, command)
    service.run("cancel", "ct/one")
    for _ in range(50):  # it does not wait
        if (tmp_path / "told").exists() and service.told:
            break
        time.sleep(0.1)
    assert any("one" in word for word in service.told)
