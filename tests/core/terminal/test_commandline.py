"""Errors become one message and a documented exit code, as JSON for machines."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from sealift_core.errors import BusyError, DiskFullError, DocumentError, SealiftError, SignatureError, TransportError
from sealift_core.terminal import commandline


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


def test_a_library_that_can_t_be_imported_is_the_machine_s_fault_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(ImportError("libcudnn.so.9: cannot open shared object file", name="onnxruntime")) == 6
    assert "a library that this command needs can't be imported: found libcudnn.so.9" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_keeps_its_traceback() -> None:
    with pytest.raises(ModuleNotFoundError):
        fail(ModuleNotFoundError("No module named 'sealift_runtime.absent'", name="sealift_runtime.absent"))


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    @click.command()
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        commandline.run(command, [])


@pytest.mark.parametrize(("umask", "mode"), [(0o000, 0o775), (0o002, 0o775), (0o022, 0o755), (0o077, 0o700)])
def test_nobody_else_may_write_what_a_command_makes(tmp_path: Path, umask: int, mode: int) -> None:
    @click.command()
    def command() -> None:
        (tmp_path / "made").mkdir()

    before = os.umask(umask)
    try:
        with pytest.raises(SystemExit):
            commandline.run(command, [])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == mode


#: A command that holds a file for as long as it runs, and would run for ten minutes.
HOLDING = """
import contextlib, pathlib, sys, time, click
from sealift_core.terminal import commandline
@click.command()
@click.argument("path", type=pathlib.Path)
def command(path):
    try:
        path.touch()
        print("there", flush=True)
        time.sleep(600)
    finally:
        path.unlink()
commandline.run(command)
"""


def end_by(number: signal.Signals, path: Path, *before: str) -> tuple[int, str]:
    """The exit code and the last words of a command that got a signal; whatever it has is in ``path`` while it runs."""
    words = [*before, sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(number)
        if before:  # it takes no notice
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=60)
    return process.returncode, message.strip()


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
    ],
)
def test_a_command_that_is_told_to_end_cleans_up_first(tmp_path: Path, number: signal.Signals, code: int, words: str) -> None:
    assert end_by(number, tmp_path / "held") == (code, words)
    assert not (tmp_path / "held").exists()


def test_a_command_under_nohup_goes_on_when_its_terminal_closes(tmp_path: Path) -> None:
    code, _ = end_by(signal.SIGHUP, tmp_path / "held", "nohup")
    assert code == 143


@pytest.mark.parametrize(("number", "words"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")])
def test_a_signal_that_a_library_makes_another_error_of_is_told_as_a_signal(
    number: signal.Signals, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    with pytest.raises(SystemExit) as ended:
        commandline.run(command, [])
    assert ended.value.code == 128 + number
    assert capsys.readouterr().err.strip() == words


def test_handlers_of_signals_are_as_they_were_when_a_command_has_ended() -> None:
    before = signal.getsignal(signal.SIGTERM)
    fail(BusyError("x"))
    assert signal.getsignal(signal.SIGTERM) is before
