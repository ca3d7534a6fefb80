"""One job in a process of its own: a job on stdin, its outcome on stdout.

The job is the first line; the passphrase of its key, in hex, is the second, which may be empty.
Nothing else is printed there: what libraries print goes to stderr.
"""

from __future__ import annotations

import contextlib
import sys

from sealift_core.terminal.logs import Logs
from sealift_core.terminal.printing import say_json
from sealift_packager.project.job import PackJob
from sealift_packager.project.work import do


def main() -> None:
    """Do the job."""
    Logs.of_environment().for_command()
    text, _, passphrase = sys.stdin.read().partition("\n")
    with contextlib.redirect_stdout(sys.stderr):
        outcome = do(PackJob.from_json(text), bytes.fromhex(passphrase) or None)
    say_json(outcome.fields())


if __name__ == "__main__":
    main()
