"""What the process of a job logs stands in the log of `sealift build`, under the job's name; other output stays what it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from sealift_core.terminal.logs import Logs
from sealift_core.terminal.printing import log_nowhere
from sealift_core.terminal.records import FACTS
from sealift_packager.project import job_log


@pytest.fixture(autouse=True)
def _no_log_afterwards() -> Iterator[None]:
    yield
    log_nowhere()


def line(**changes: object) -> str:
    return json.dumps({"time": "2026-01-01T00:00:00.500Z", "level": "INFO", "logger": "sealift.pack", "message": "Read it"} | changes)


def test_a_record_has_its_own_time_level_and_fields_and_the_job_s_name(caplog: pytest.LogCaptureFixture) -> None:
    Logs(verbosity=1).for_command()
    assert job_log.retell("iris", line(fields={"seconds": 1.5})) == []
    (record,) = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("sealift.pack", "INFO", "iris: Read it")
    assert record.created == 1767225600.5
    assert getattr(record, FACTS) == {"seconds": 1.5, "job": "iris"}


@pytest.mark.parametrize("text", ["Epoch 1", "{}", "[1]", '{"logger": 3}', '{"logger": "root"}', "{" * 100_000, '"sealift.pack"'])
def test_what_is_no_record_is_a_line_like_any_other(text: str) -> None:
    assert job_log.retell("iris", text) == [text]


def test_a_traceback_s_lines_say_why_the_process_ended() -> None:
    assert job_log.retell("iris", f"{line()}\n{line(level='CRITICAL', traceback=['Traceback', 'KeyError: 1'])}")[-1] == "KeyError: 1"


@pytest.mark.parametrize("changes", [{"time": "yesterday"}, {"level": 7}, {"fields": 3}, {"message": None}, {"traceback": 7}])
def test_a_record_that_lacks_something_breaks_nothing(changes: dict[str, object]) -> None:
    Logs(verbosity=1).for_command()
    assert job_log.retell("iris", line(**changes)) == []


@pytest.mark.parametrize(("logs", "level"), [(Logs(), 0), (Logs(verbosity=-1), 0), (Logs(verbosity=1), 1), (Logs(verbosity=2, form="json"), 2)])
def test_a_job_s_process_logs_as_much_as_this_one(logs: Logs, level: int) -> None:
    logs.for_command()
    assert Logs.of_environment(job_log.environment()).verbosity == level
    assert logging.getLogger("sealift").getEffectiveLevel() == logs.level(logging.WARNING)
