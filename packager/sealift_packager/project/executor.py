"""The seam between a project and what runs its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from sealift_packager.project.job import JobOutcome, PackJob

#: How many workers a job may use up before it is given up: one that dies may have been killed for memory by another's greed.
ATTEMPTS: Final = 3


class Executor(Protocol):
    """Does jobs side by side."""

    def run(self, jobs: Sequence[PackJob]) -> Iterator[JobOutcome]:
        """Do jobs. A job whose worker dies is given to another, `ATTEMPTS` times in all.

        Args:
            jobs: The jobs, with different names.

        Returns:
            Each job's outcome as soon as it is known.
        """


def died(job: PackJob, seconds: float, how: str) -> JobOutcome:
    """Make the outcome of a job that used up its workers.

    Args:
        job: The job.
        seconds: How long it took, all attempts together.
        how: How the last worker ended, in words.

    Returns:
        The outcome, with an error.
    """
    error = f"{job.name}: the worker died {ATTEMPTS} times ({how}). Is there enough memory? Build it alone with --only {job.name}."
    return JobOutcome(name=job.name, seconds=seconds, error=error, attempts=ATTEMPTS)
