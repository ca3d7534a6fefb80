"""-v, -q and --log-format: on every command, before the verb and after it; one line a record, with no secrets."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import logging
from collections.abc import Iterator

import click
import pytest

from corpus.texts import NASTY
from sealift_core.errors import TransportError
from sealift_core.terminal import commandline
from sealift_core.terminal.logging_options import Program, asked_for, with_logs
from sealift_core.terminal.logs import Logs
from sealift_core.terminal.printable import printable
from sealift_core.terminal.printing import log_nowhere, say
from sealift_core.terminal.records import JsonFormatter, OneLineFormatter, facts, without_users

SECRET = "hunter2-seeded"
LOG = logging.getLogger("sealift.pack")


@pytest.fixture(autouse=True)
def _no_log_afterwards() -> Iterator[None]:
    yield
    log_nowhere()


@click.group(cls=Program)
def program() -> None:
    """A program."""


@program.command()
@click.option("--loudness", default="")
def work(loudness: str) -> None:
    """Log at every level, also as a library."""
    LOG.debug("detail")
    LOG.info("step", extra=facts(seconds=1.5, stage="load"))
    LOG.warning("odd %s", loudness)
    LOG.error("bad")
    logging.getLogger("library").debug("Authorization: %s", SECRET)
    logging.getLogger("library").info("library's step")
    click.echo(f"draws {asked_for().draws}, quiet {asked_for().quiet}")


@program.group()
def nested() -> None:
    """A group in a program."""


nested.add_command(work)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """How a command line ended, and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


def run(*words: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        commandline.run(program, list(words))
    return Result(int(end.value.code or 0), out.getvalue(), err.getvalue())


def messages(result: Result) -> list[str]:
    return [line.split("sealift.pack: ")[1] for line in result.stderr.splitlines()]


@pytest.mark.parametrize("words", [("-v", "work"), ("work", "-v"), ("nested", "-v", "work"), ("--verbose", "nested", "work")])
def test_the_steps_are_logged_wherever_the_option_stands(words: tuple[str, ...]) -> None:
    assert messages(run(*words)) == ["step", "odd ", "bad"]


@pytest.mark.parametrize("words", [("-vv", "work"), ("work", "-vv"), ("-v", "work", "-v"), ("-v", "nested", "-v", "work", "-v")])
def test_details_are_logged_however_often_the_option_stands(words: tuple[str, ...]) -> None:
    assert messages(run(*words)) == ["detail", "step", "odd ", "bad"]


@pytest.mark.parametrize("words", [("-q", "work"), ("work", "--quiet"), ("nested", "-q", "work", "-q")])
def test_only_errors_are_logged_where_it_is_to_be_quiet(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert messages(result) == ["bad"]
    assert result.stdout == "draws False, quiet True\n"


def test_without_an_option_there_is_no_log_and_displays_are_drawn() -> None:
    run("-v", "work")
    result = run("work")
    assert "sealift.pack" not in result.stderr
    assert result.stdout == "draws True, quiet False\n"
    assert logging.getLogger("sealift").level == logging.NOTSET


@pytest.mark.parametrize("words", [("-v", "-q", "work"), ("-v", "work", "-q"), ("-q", "nested", "work", "-v")])
def test_loud_and_quiet_at_once_is_refused(words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Pass -v or -q, not both." in result.stderr


@pytest.mark.parametrize(
    "words", [("--log-format", "json", "-v", "work"), ("work", "-v", "--log-format=json"), ("-v", "nested", "--log-format", "json", "work")]
)
def test_a_record_is_a_json_object_on_a_line(words: tuple[str, ...]) -> None:
    lines = [json.loads(line) for line in run(*words).stderr.splitlines()]
    assert [(line["level"], line["logger"], line["message"]) for line in lines] == [
        ("INFO", "sealift.pack", "step"), ("WARNING", "sealift.pack", "odd "), ("ERROR", "sealift.pack", "bad"),
    ]  # fmt: skip
    assert lines[0]["fields"] == {"seconds": 1.5, "stage": "load"}
    assert lines[0]["time"].endswith("Z")
    assert "fields" not in lines[1]


def test_libraries_never_tell_their_details() -> None:
    assert SECRET not in run("-vv", "work").stderr


def test_a_wrong_format_is_refused() -> None:
    assert run("--log-format", "yaml", "work").exit_code == 2


def test_a_command_is_given_the_options_once() -> None:
    assert len(with_logs(with_logs(click.Command("x"))).params) == 3


@pytest.mark.parametrize("name", NASTY)
def test_a_record_is_one_line_whatever_it_holds(name: str) -> None:
    text = NASTY[name][0]
    record = LOG.makeRecord("sealift.pack", logging.INFO, "", 0, "odd %s", (text,), None, extra=facts(text=text))
    line = JsonFormatter().format(record)
    assert json.loads(line)["message"] == f"odd {text}"
    for written in (line, OneLineFormatter("%(name)s: %(message)s").format(record)):
        assert printable(written) == written


ADDRESSES = [
    f"https://me:{SECRET}@example.org/x", f"http://{SECRET}@[::1]:80", f"fetching https://me:{SECRET}@a/b and ftp://u:{SECRET}@c.",
    f"https://me:p@{SECRET}@host/", f"HTTPS://:{SECRET}@h",
]  # fmt: skip


@pytest.mark.parametrize("text", ADDRESSES)
@pytest.mark.parametrize("formatter", [OneLineFormatter(), JsonFormatter()])
def test_the_password_of_an_address_stands_in_no_line(text: str, formatter: logging.Formatter) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        record = LOG.makeRecord("sealift.pack", logging.INFO, "", 0, "%s", (text,), (ValueError, error, error.__traceback__), extra=facts(url=text))
    line = formatter.format(record)
    assert SECRET not in line
    assert "***@" in line


def test_what_is_no_address_with_a_password_stays() -> None:
    for text in ("me@example.org", "https://example.org/a@b?c=d@e", "see http://a, then mail to b@c"):
        assert without_users(text) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, True, 3, "text"])
def test_every_field_is_json(value: float | str | None) -> None:
    line = JsonFormatter().format(LOG.makeRecord("sealift.pack", logging.INFO, "", 0, "x", (), None, extra=facts(value=value)))
    json.loads(line, parse_constant=pytest.fail)


def test_an_error_is_a_json_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    @program.command("fail")
    def fail() -> None:
        """Say something, and fail."""
        say("on the way", error=True)
        raise TransportError("can't be reached", where="here")

    for words in (["--log-format", "json", "fail"], ["fail", "--log-format", "json", "-q"]):
        with pytest.raises(SystemExit):
            commandline.run(program, words)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [(line["level"], line["message"]) for line in lines] == [("INFO", "on the way"), ("ERROR", "error: here: can't be reached")]


@pytest.mark.parametrize("logs", [Logs(), Logs(verbosity=-1), Logs(verbosity=2, form="json")])
def test_another_process_is_told_what_was_asked_for(logs: Logs) -> None:
    assert Logs.of_environment(logs.environment()) == logs


@pytest.mark.parametrize("text", ["", "9 text", "1", "1 yaml", "x y z", "-2 json"])
def test_what_another_process_tells_must_make_sense(text: str) -> None:
    assert Logs.of_environment({"SEALIFT_LOG": text}) == Logs()


@pytest.mark.parametrize(("verbosity", "level"), [(-1, "ERROR"), (0, "INFO"), (1, "INFO"), (2, "DEBUG")])
def test_a_service_logs_its_steps_unless_it_is_asked_otherwise(verbosity: int, level: str) -> None:
    Logs(verbosity=verbosity).for_service("%(message)s")
    assert logging.getLevelName(LOG.getEffectiveLevel()) == level
