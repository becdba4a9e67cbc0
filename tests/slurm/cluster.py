"""A Slurm cluster of one node on the loopback interface, for tests and for trying things out.

`python tests/slurm/cluster.py` starts one, and stops it on Ctrl-C. It needs root and Debian's or
Ubuntu's packages `slurm-wlm` and `munge`. Memory is pretended, and so are GPUs. Partitions: cpu,
gpu, and scavenge, whose jobs are put back into the queue when others want the node.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

NEEDED = ["munged", "slurmctld", "slurmd", "sbatch", "scontrol"]
CONFIGURATION = Path("/etc/slurm")  # the only place where the srun inside a job looks
CPUS, MEMORY_MB = 4, 64000

SLURM = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended.txt
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MinJobAge=300
KillWait=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=1-0 PriorityTier=10 PreemptMode=OFF
PartitionName=gpu Nodes={host} MaxTime=3-0 PriorityTier=10 PreemptMode=OFF
PartitionName=scavenge Nodes={host} MaxTime=3-0 PriorityTier=1 PreemptMode=REQUEUE
"""
GPUS = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"  # slurmd wants a device for each


def missing() -> str:
    """Say why no cluster can be started here; empty where one can."""
    if os.geteuid() != 0:
        return "only root may start munge and Slurm"
    absent = [name for name in NEEDED if not shutil.which(name, path=_path())]
    if absent:
        return f"{', '.join(absent)} not found (apt-get install slurm-wlm munge)"
    if any((CONFIGURATION / name).exists() for name in ("slurm.conf", "gres.conf", "cgroup.conf")):
        return f"{CONFIGURATION} holds the configuration of another cluster"
    return ""


@contextmanager
def running():
    """Start a cluster, give its folder, and stop all that was started, whatever happens."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends pytest, too
    with ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGTERM, before)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        folder.chmod(0o755)
        _configure(folder, stack)
        munge = folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        _launch(folder, stack, "munged", "--foreground", "--force", *options)
        _wait_for((munge / "socket").exists, folder)
        _launch(folder, stack, "slurmctld", "-D", "-i")
        _wait_for(lambda: "is UP" in ask("scontrol", "ping"), folder)
        _launch(folder, stack, "slurmd", "-D", "-N", _host())
        _wait_for(lambda: ask("sinfo", "-h", "-p", "cpu", "-o", "%t") == "idle", folder)
        stack.callback(ask, "scancel", "--me")
        yield folder


def ask(*command: str) -> str:
    """What a Slurm command prints."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip()


def _configure(folder: Path, stack: ExitStack) -> None:
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(mode=0o700 if name == "munge" else 0o755)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    text = SLURM.format(
        folder=folder, host=_host(), ports=_free_ports(2), cpus=CPUS, memory=MEMORY_MB
    )
    there = CONFIGURATION.exists()
    CONFIGURATION.mkdir(exist_ok=True)
    if not there:
        stack.callback(CONFIGURATION.rmdir)
    for name, content in (("slurm", text), ("gres", GPUS), ("cgroup", "CgroupAutomount=no\n")):
        (folder / f"{name}.conf").write_text(content)
        link = CONFIGURATION / f"{name}.conf"
        link.symlink_to(folder / link.name)
        stack.callback(link.unlink)


def _launch(folder: Path, stack: ExitStack, name: str, *options: str) -> None:
    log = stack.enter_context((folder / f"{name}.out").open("w"))
    command = [shutil.which(name, path=_path()), *options]
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    stack.callback(_stop, process)


def _stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(ready, folder: Path) -> None:
    for _ in range(300):
        if ready():
            return
        time.sleep(0.1)
    said = "\n".join(
        path.read_text()[-1000:] for path in [*folder.glob("*.out"), *folder.glob("*.log")]
    )
    raise RuntimeError(f"the cluster did not come up\n{said}")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


if __name__ == "__main__":
    if reason := missing():
        raise SystemExit(reason)
    with running() as started:
        print(ask("sinfo"), f"The cluster's folder is {started}. Ctrl-C stops it.", sep="\n")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
