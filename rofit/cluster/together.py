"""A job whose processes train one run together, a GPU each, as under torchrun."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from rofit.cluster.node import exit_code
from rofit.distributed.ranks import joined
from rofit.errors import RankLost
from rofit.interrupts import UNFINISHED
from rofit.running.jobs import Died
from rofit.running.training_job import TrainingJob
from rofit.training.stop import Stop

_POLL = 0.2  # seconds between two looks at the processes
# Schedulers signal every process of a job: the first one answers for all.
_DEAF = ["sh", "-c", 'trap "" USR1 USR2; exec "$@"', "sh"]


@dataclass(frozen=True)
class TrainingTogether:
    """One run to be trained by several processes.

    Attributes:
        job: the training, of one process.
        count: how many processes.
    """

    job: TrainingJob
    count: int

    @property
    def name(self) -> str:
        """The run's id."""
        return self.job.name

    @property
    def is_done(self) -> bool:
        """Whether the run is trained."""
        return self.job.is_done

    def work(self, stop: Stop, console: Console, *, alone: bool) -> bool:
        """Train the run; say whether it is done.

        Raises:
            SystemExit: a process has said why it cannot, with its exit code.
            Died: a process has ended without a word.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "job"
            file.write_bytes(pickle.dumps(self.job))
            codes = _followed(self._begun(file), stop)
        failed = [code for code in codes if code not in (0, UNFINISHED)]
        if killed := [-code for code in failed if code < 0]:
            raise Died(
                f"a process of {self.name} was ended by signal {killed[0]} (memory?); "
                "what it had saved is kept"
            )
        if failed:
            raise SystemExit(failed[0])
        return self.is_done

    def _begun(self, file: Path) -> "list[subprocess.Popen[bytes]]":
        """Begin the processes, with what torchrun tells its own."""
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        meeting = {"MASTER_ADDR": "localhost", "MASTER_PORT": port}
        common = meeting | {"WORLD_SIZE": self.count, "TORCHELASTIC_RUN_ID": "rofit"}
        python = [sys.executable, "-m", __name__, str(file)]
        processes = []
        for rank in range(self.count):
            own = common | {"RANK": rank, "LOCAL_RANK": rank}
            variables = {name: str(value) for name, value in own.items()}
            environment = {"OMP_NUM_THREADS": "1"} | dict(os.environ) | variables
            processes.append(subprocess.Popen([*_DEAF, *python], env=environment))
        return processes


def _followed(processes: "list[subprocess.Popen[bytes]]", stop: Stop) -> list[int]:
    """Wait until all have ended, which a stop requests of them; return their codes."""
    stopped = False
    while any(process.poll() is None for process in processes):
        if stop.now and not stopped:
            stopped = True
            for process in processes:
                process.send_signal(signal.SIGTERM)
        time.sleep(_POLL)
    return [process.returncode for process in processes]


def _train(file: Path) -> int:
    """Train as one of the processes; return the exit code."""
    try:
        job: TrainingJob = pickle.loads(file.read_bytes())
        on_gpu = job.device != "cpu" and torch.cuda.is_available()
        with Stop() as stop, joined(gpu=on_gpu) as ranks:
            console = Console(stderr=True, width=1000)
            done = replace(job, ranks=ranks).work(stop, console, alone=False)
    except RankLost:  # that one says why
        return UNFINISHED
    except Exception as error:
        return exit_code(error)
    return 0 if done else UNFINISHED


if __name__ == "__main__":
    code = _train(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(code)  # threads of a broken connection would abort it
