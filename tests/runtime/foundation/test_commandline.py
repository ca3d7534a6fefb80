"""Errors become one message and a documented exit code, as JSON for machines."""

from __future__ import annotations

import json

import click
import pytest

from sealift_runtime import commandline
from sealift_runtime.errors import BusyError, DiskFullError, DocumentError, SealiftError, SignatureError, TransportError


def fail(error: Exception, *words: str) -> int:
    """Run a command that raises ``error``; the exit code."""

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def command(*, as_json: bool) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        commandline.run(command, list(words))
    return int(str(ended.value.code))


@pytest.mark.parametrize(
    ("error", "code"),
    [(DocumentError("x"), 3), (SignatureError("x"), 4), (TransportError("x"), 5), (DiskFullError("x"), 6), (BusyError("x"), 6)],
)
def test_each_kind_of_error_has_its_code(error: SealiftError, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(error) == code
    assert capsys.readouterr() == ("", "error: x\n")


def test_errors_are_json_where_results_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(BusyError("größer", where="a"), "--json") == 6
    assert json.loads(capsys.readouterr().err) == {"error": "a: größer", "kind": "BusyError", "exit_code": 6}


def test_a_wrong_command_line_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(BusyError("x"), "--json", "--jsn") == 2
    answer = json.loads(capsys.readouterr().err)
    assert (answer["kind"], answer["exit_code"]) == ("NoSuchOption", 2)
    assert "--jsn" in answer["error"]


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    @click.command()
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        commandline.run(command, [])
