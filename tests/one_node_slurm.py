"""A real Slurm of one node, this machine: begun in a folder, and ended with its jobs.

Debian's packages slurm-wlm and munge, as any user; nothing of the system's own Slurm is
read or changed.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol")
# Short times, for tests: a node that does not answer is down after ten seconds, and a
# job that is requeued waits as long as its credential lasts.
_CONFIGURATION = """
ClusterName=rofit
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
SlurmdTimeout=10
ReturnToService=2
InactiveLimit=0
KillWait=5
MinJobAge=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class NoSlurm(RuntimeError):
    """Its daemons do not begin on this machine."""


def why_not() -> str:
    """Return why there is no Slurm here; empty where there is one."""
    paths = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    lacking = [name for name in PROGRAMS if not shutil.which(name, path=paths)]
    if not lacking:
        return ""
    return f"no {', '.join(lacking)}: apt-get install slurm-wlm munge"


class Slurm:
    """Its daemons, children of this process."""

    def __init__(self, folder: Path, cores: int = 2) -> None:
        """Write its files; nothing is begun yet."""
        self.folder, self.daemons = folder, {}
        self.configuration = folder / "slurm.conf"
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        folder.chmod(0o755)  # where munged refuses others' folders
        ports = _free_ports(2)
        self.configuration.write_text(
            _CONFIGURATION.format(
                host=socket.gethostname().split(".")[0],
                user=getpass.getuser(),
                folder=folder,
                cores=cores,
                controller_port=ports[0],
                node_port=ports[1],
            )
        )
        self.environment = os.environ | {
            "SLURM_CONF": str(self.configuration),
            "PATH": os.environ["PATH"] + os.pathsep + "/usr/sbin",
        }

    def begin(self) -> None:
        """Begin all daemons, and wait until the node takes jobs."""
        names = ("key", "socket", "pid", "log", "seed")
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in names]
        files[1] = f"--socket={self.folder}/munge.socket"
        self._start("munged", "--foreground", "--force", *files)
        _wait_for(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._start("slurmctld", "-D", "-i")
        self.begin_node()

    def begin_node(self) -> None:
        """Begin the node's daemon, and wait until the node takes jobs."""
        self._start("slurmd", "-D")
        state = ("sinfo", "--noheader", "--format=%T")
        _wait_for(lambda: self.says(*state) in ("idle", "mixed", "allocated"), "slurmd")

    def kill_node(self) -> None:
        """Kill the node as a power cut does: daemon, steps and all that they run."""
        pids = self.job_pids()
        self._kill("slurmd")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def job_pids(self) -> list[int]:
        """Return the processes of jobs and the daemons of their steps."""
        pids = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes()
                environ = (entry / "environ").read_bytes()
                of_job = b"SLURM_JOB_ID=" in environ
                ours = str(self.configuration).encode() in environ
                if ours and (of_job or words.startswith(b"slurmstepd")):
                    pids.append(int(entry.name))
        return [pid for pid in pids if pid != os.getpid()]

    def says(self, *words: object) -> str:
        """Return what a command of Slurm prints; empty where it fails."""
        done = subprocess.run(
            list(map(str, words)),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return done.stdout.strip()

    def end(self) -> None:
        """End all jobs and all daemons, whatever state they are in."""
        pids = self.job_pids()
        if "slurmctld" in self.daemons:
            self.says("scancel", "--signal=KILL", "--full", "--me")
            self.says("scancel", "--me")
        for name in reversed(list(self.daemons)):
            self._kill(name, signal.SIGTERM)
        for pid in {*pids, *self.job_pids()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _start(self, name: str, *words: str) -> None:
        with open(self.folder / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(
                [name, *words], env=self.environment, stdout=log, stderr=log
            )

    def _kill(self, name: str, number: int = signal.SIGKILL) -> None:
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


@contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Begin a Slurm in a folder, and end it with all of its jobs.

    Raises:
        NoSlurm: it does not begin here.
    """
    slurm = Slurm(folder)
    try:
        slurm.begin()
        yield slurm
    finally:
        slurm.end()


def _wait_for(condition, name: str, tries: int = 300) -> None:
    for _ in range(tries):
        if condition():
            return
        time.sleep(0.1)
    raise NoSlurm(f"{name} does not answer")


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports
