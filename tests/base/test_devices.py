"""Which GPU a job takes: among made-up GPUs, but with real processes and locks."""

import logging
import multiprocessing
import os
import signal
import tempfile
from types import SimpleNamespace

import pytest
import torch

from hepatoclr.base import devices
from hepatoclr.base.errors import UserError

FREE = {"a": 1, "b": 3, "c": 2}
fork = multiprocessing.get_context("fork")


class Job:
    """A process that takes a GPU and keeps it until it is killed."""

    def __init__(self, uuids, folder):
        self.end, other = fork.Pipe()
        self.process = fork.Process(target=self.work, args=(uuids, folder, other), daemon=True)
        self.process.start()

    @staticmethod
    def work(uuids, folder, end):
        end.send(devices.acquire(uuids, FREE, folder))
        signal.pause()

    @property
    def gpu(self):
        assert self.end.poll(20)
        return self.end.recv()

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()


@pytest.fixture
def start(tmp_path):
    """Start jobs that see each other; they end with the test."""
    jobs = []

    def starter(uuids):
        jobs.append(Job(list(uuids), tmp_path / "locks"))
        return jobs[-1]

    yield starter
    for job in jobs:
        if job.process.is_alive():
            job.kill()


def test_of_free_gpus_that_with_the_most_memory_is_taken(start):
    assert [start("abc").gpu for _ in range(4)] == list("bcab")


def test_jobs_that_start_together_fill_one_gpu_each_then_share(start):
    assert sorted(job.gpu for job in [start("abc") for _ in range(6)]) == list("aabbcc")


def test_a_killed_job_frees_its_gpu(start):
    jobs = [start("ac"), start("ac")]
    held = {job.gpu: job for job in jobs}
    assert set(held) == {"a", "c"}
    held["a"].kill()  # the one with less memory, so that only its freedom speaks for it
    assert start("ac").gpu == "a"
    assert start("ac").gpu == "c"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Make PyTorch show some GPUs, and nvidia-smi print some lines."""
    current = []

    def make(gpus, lines=(), status=0):
        shown = [SimpleNamespace(uuid=uuid, name=name) for uuid, name in gpus]
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(shown))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(shown))
        monkeypatch.setattr(torch.cuda, "get_device_properties", shown.__getitem__)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text("\n".join(["#!/bin/sh", "cat <<END", *lines, "END", f"exit {status}"]))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
        return current

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(devices, "_held", [])
    devices._taken.cache_clear()
    yield make
    devices._taken.cache_clear()
    for lock in devices._held:
        lock.release()


TWO = [("a1", "NVIDIA A2"), ("b2", "NVIDIA L4")]
PRINTED = ["GPU-b2, 200", "GPU-a1, 100", "GPU-hidden, 300", "GPU-odd, [N/A]"]


def test_a_process_keeps_the_gpu_that_it_took(machine, tmp_path, caplog):
    current = machine(TWO, PRINTED)
    caplog.set_level(logging.INFO)
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda", 1)
    assert current == [1, 1]
    assert caplog.messages.count("device NVIDIA L4") == 2
    folder = tmp_path / f"hepatoclr-{os.getuid()}"
    assert [path.name for path in folder.glob("b2.*")] == ["b2.0"]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_another_job_takes_the_other_gpu(machine, tmp_path):
    machine(TWO, PRINTED)
    other = Job(["b2"], tmp_path / f"hepatoclr-{os.getuid()}")
    assert other.gpu == "b2"
    assert devices.choose("auto") == torch.device("cuda", 0)
    other.kill()


def test_on_the_cpu_no_gpu_is_taken(machine, tmp_path, caplog):
    current = machine(TWO)
    caplog.set_level(logging.INFO)
    assert devices.choose("cpu") == torch.device("cpu")
    assert not current
    assert not list(tmp_path.glob("hepatoclr-*"))
    assert caplog.messages == ["device cpu"]


@pytest.mark.parametrize("status", [0, 9])
def test_where_free_memory_is_not_known_the_first_gpu_is_taken(machine, status):
    machine(TWO, ["NVIDIA-SMI has failed"], status)
    assert devices.choose("auto") == torch.device("cuda", 0)


def test_without_the_tool_the_first_gpu_is_taken(machine, monkeypatch):
    machine(TWO, PRINTED)
    monkeypatch.setenv("PATH", "")
    assert devices.choose("auto") == torch.device("cuda", 0)


def test_where_no_lock_can_be_had_memory_decides(machine, tmp_path, caplog):
    machine(TWO, PRINTED)
    (tmp_path / f"hepatoclr-{os.getuid()}").touch()
    assert devices.choose("auto") == torch.device("cuda", 1)
    assert "may be taken again" in caplog.text


@pytest.mark.filterwarnings("error")
def test_float32_on_a_gpu_is_never_tf32():
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    devices.prepare("cpu", torch.get_num_threads())
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    for part in (torch.backends.cudnn.conv, torch.backends.cuda.matmul):
        assert part.fp32_precision in ("none", "ieee")
    assert torch.get_float32_matmul_precision() == "highest"


def test_without_a_gpu_auto_is_the_cpu_and_cuda_an_error(machine):
    machine([])
    assert devices.choose("auto") == torch.device("cpu")
    with pytest.raises(UserError, match="PyTorch finds no GPU"):
        devices.choose("cuda")
