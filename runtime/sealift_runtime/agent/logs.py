"""What the agent's processes log, and how: one line each on standard error, for the journal."""

from __future__ import annotations

from sealift_core.terminal.logs import Logs


def set_up_logging(process: str) -> None:
    """Log from INFO on, or as `sealift-agent run` was asked to, with the name of the process."""
    Logs.of_environment().for_service(f"%(asctime)s %(levelname)-7s {process}: %(message)s", process)
