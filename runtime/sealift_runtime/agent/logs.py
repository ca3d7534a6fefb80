"""What the agent's processes log, and how: one line each on standard error, for the journal."""

from __future__ import annotations

from sealift_core.terminal.printing import log_to_stderr


def set_up_logging(process: str) -> None:
    """Log from INFO on, with the name of the process."""
    log_to_stderr(f"%(asctime)s %(levelname)-7s {process}: %(message)s")
