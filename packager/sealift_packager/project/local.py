"""Workers on this machine: a process for each job, so that one that eats the memory or crashes takes nobody along."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sealift_packager.project import job_log
from sealift_packager.project.executor import ATTEMPTS, died
from sealift_packager.project.job import JobOutcome, PackJob

#: A job measures latency with up to this many threads; more jobs side by side would measure each other.
CORES_PER_JOB: Final = 4
WORKER: Final = (sys.executable, "-P", "-m", "sealift_packager.project.worker")  # -P: no module from the current folder


def default_workers(cores: int) -> int:
    """How many jobs run side by side on so many cores."""
    return max(1, cores // CORES_PER_JOB)


class LocalExecutor:
    """An `Executor` of local processes. ``started`` hears of each worker's process number (a test kills one).

    ``passphrases`` are those of encrypted keys, by the key's path as jobs name it. A worker reads its own from a pipe: an environment is inherited.
    ``stage`` is told of each stage that a job has behind it, as soon as that is so, in words.
    """

    def __init__(
        self,
        workers: int,
        *,
        started: Callable[[str, int], None] | None = None,
        passphrases: Mapping[Path, bytes] = MappingProxyType({}),
        stage: Callable[[str], None] | None = None,
    ) -> None:
        self._workers = workers
        self._passphrases = passphrases
        self._started = started
        self._stage = stage

    def run(self, jobs: Sequence[PackJob]) -> Iterator[JobOutcome]:
        """As `Executor.run`; when the caller stops listening, running jobs are ended."""
        running: set[subprocess.Popen[str]] = set()
        pool = concurrent.futures.ThreadPoolExecutor(self._workers)
        try:
            for future in concurrent.futures.as_completed([pool.submit(self._do, job, running) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.terminate()

    def _passphrase(self, job: PackJob) -> bytes:
        return self._passphrases.get(job.key_path, b"") if job.key_path else b""

    def _do(self, job: PackJob, running: set[subprocess.Popen[str]]) -> JobOutcome:
        start, how = time.monotonic(), ""
        for attempt in range(1, ATTEMPTS + 1):
            environment = {**os.environ, **job_log.environment(stages=self._stage is not None)}
            with subprocess.Popen(
                WORKER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            ) as process:
                running.add(process)
                if self._started is not None:
                    self._started(job.name, process.pid)
                answer, others = self._talk(process, job)
                running.discard(process)
            if process.returncode == 0:
                return dataclasses.replace(JobOutcome.from_json(answer), attempts=attempt)
            if process.returncode > 0:  # it ended by itself: a fault of ours, which another worker would meet too
                lines = others or [f"exit status {process.returncode}"]
                return JobOutcome(name=job.name, seconds=time.monotonic() - start, error=f"{job.name}: {lines[-1]}", attempts=attempt)
            how = f"by signal {-process.returncode}"
        return died(job, time.monotonic() - start, how)

    def _talk(self, process: subprocess.Popen[str], job: PackJob) -> tuple[str, list[str]]:
        """Give a worker its job; its answer, and what it said that is no record. Records are told again as they come."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        others: list[str] = []
        lines = process.stderr

        def listen() -> None:
            for line in lines:
                others.extend(job_log.retell(job.name, line, self._stage))

        listener = threading.Thread(target=listen)
        listener.start()
        with contextlib.suppress(BrokenPipeError):  # it died; its exit status says so
            process.stdin.write(f"{job.to_json()}\n{self._passphrase(job).hex()}")
            process.stdin.close()
        answer = process.stdout.read()
        listener.join()
        return answer, others
