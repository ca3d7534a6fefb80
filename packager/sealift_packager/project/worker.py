"""One job in a process of its own: a job on stdin, its outcome on stdout.

Nothing else is printed there: what libraries print goes to stderr.
"""

from __future__ import annotations

import contextlib
import sys

from sealift_packager.project.job import Job
from sealift_packager.project.work import do
from sealift_runtime.printing import say_json


def main() -> None:
    """Do the job."""
    job = Job.from_json(sys.stdin.read())
    with contextlib.redirect_stdout(sys.stderr):
        outcome = do(job)
    say_json(outcome.fields())


if __name__ == "__main__":
    main()
