"""What the agent's processes log, and how: one line each on standard error, for the journal."""

from __future__ import annotations

import logging
import sys


def set_up_logging(process: str) -> None:
    """Log from INFO on, with the name of the process."""
    form = f"%(asctime)s %(levelname)-7s {process}: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form)
