"""What a job's process logs: records as JSON on its standard error, told again in the log of the process that started it, with the job's name."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
from collections.abc import Callable
from typing import Any, Final

from sealift_core.terminal.logs import JSON, Logs
from sealift_core.terminal.records import FACTS, OURS

_LEVELS: Final = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


#: Whose records say which stage of a build is done.
_STAGES: Final = f"{OURS}.stage"


def environment(*, stages: bool = False) -> dict[str, str]:
    """What has a job's process log as this one does: nothing, where this one doesn't log its steps, unless its ``stages`` are wanted."""
    level = logging.getLogger(OURS).getEffectiveLevel()
    verbosity = 2 if level <= logging.DEBUG else 1 if stages or level <= logging.INFO else 0
    return Logs(verbosity=verbosity, form=JSON).environment() if verbosity else Logs().environment()


def retell(job: str, output: str, stage: Callable[[str], None] | None = None) -> list[str]:
    """Log what is a record, under the job's name; the other lines, and those of a traceback. A finished stage is told to ``stage`` too."""
    others: list[str] = []
    for line in output.strip().splitlines():
        fields = _parsed(line)
        if fields is None:
            others.append(line)
        elif traceback := fields.get("traceback"):
            others += [str(text) for text in traceback] if isinstance(traceback, list) else []
        else:
            _log(job, fields)
            if stage is not None and fields["logger"] == _STAGES and fields.get("level") == "INFO":
                stage(f"{job}: {fields.get('message')}")
    return others


def _parsed(line: str) -> dict[str, Any] | None:
    """A record; None for a line that is none."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) and str(fields.get("logger")).startswith(f"{OURS}.") else None


def _log(job: str, fields: dict[str, Any]) -> None:
    logger, level = logging.getLogger(fields["logger"]), _LEVELS.get(str(fields.get("level")), logging.INFO)
    if not logger.isEnabledFor(level):
        return
    given = fields.get("fields")
    facts = {**(given if isinstance(given, dict) else {}), "job": job}
    record = logger.makeRecord(logger.name, level, "", 0, "%s: %s", (job, fields.get("message")), None, extra={FACTS: facts})
    with contextlib.suppress(ValueError):  # it has the time of now otherwise
        record.created = datetime.datetime.fromisoformat(str(fields.get("time"))).timestamp()
    logger.handle(record)
