"""Workers on an existing Ray cluster.

Each job is a Ray task; Ray starts it anew elsewhere when its worker or its node dies. The workers need the same packager, and the project's
folder under the same path (a shared file system). A key's passphrase is taken from the workers' own environment, never sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sealift_packager.errors import ProjectError
from sealift_packager.project.executor import ATTEMPTS, died
from sealift_packager.project.job import JobOutcome, PackJob


class RayExecutor:
    """An `Executor` on the cluster at ``address`` (``HOST:PORT``, ``ray://HOST:PORT``, or ``auto``). ``cores`` are kept for each job."""

    def __init__(self, address: str, *, cores: int = 1) -> None:
        self._address = address
        self._cores = cores

    def run(self, jobs: Sequence[PackJob]) -> Iterator[JobOutcome]:
        """As `Executor.run`; `ProjectError` if Ray is not installed or the cluster can't be reached."""
        ray = _import_ray()
        try:
            ray.init(address=self._address, logging_level="ERROR", log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            lines = str(error).strip().splitlines() or ["no message"]
            raise ProjectError(f"the Ray cluster can't be reached (caused by: {lines[0]})", where=f"--ray {self._address}") from error
        try:
            yield from self._run(ray, jobs)
        finally:
            ray.shutdown()

    def _run(self, ray: Any, jobs: Sequence[PackJob]) -> Iterator[JobOutcome]:
        start = time.monotonic()
        task = ray.remote(num_cpus=self._cores, max_retries=ATTEMPTS - 1)(_do)
        waiting = {task.remote(job.to_json()): job for job in jobs}
        while waiting:
            ready, _ = ray.wait(list(waiting))
            for reference in ready:
                yield _outcome(ray, reference, waiting.pop(reference), start)


def _outcome(ray: Any, reference: Any, job: PackJob, start: float) -> JobOutcome:
    try:
        return JobOutcome.from_json(ray.get(reference))
    except ray.exceptions.RayTaskError as error:  # a fault of ours
        return JobOutcome(name=job.name, seconds=time.monotonic() - start, error=f"{job.name}: {str(error).strip().splitlines()[-1]}")
    except ray.exceptions.RayError as error:
        return died(job, time.monotonic() - start, type(error).__name__)


def _do(text: str) -> str:
    """On the cluster: a job in, its outcome out."""
    from sealift_packager.project.work import do

    return do(PackJob.from_json(text)).to_json()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ProjectError("Ray is not installed", where="--ray", advice="pip install ray") from error
    return ray
