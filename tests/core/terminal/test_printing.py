"""Whatever is printed or logged is escaped on its way: each text one line, each record one line."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

import pytest

from corpus.texts import NASTY, READABLE
from sealift_core.terminal.printable import printable
from sealift_core.terminal.printing import OneLineFormatter, say, say_json

FORGED = "x\x1b[2J\n2026-01-01 00:00:00,000 INFO    server: all is well"


@pytest.mark.parametrize("name", NASTY)
def test_each_text_is_one_line_whatever_it_holds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, shown = NASTY[name]
    say(text, "next")
    say(text, error=True)
    assert capsys.readouterr() == (f"{shown}\nnext\n", f"{shown}\n")


def test_json_is_printed_for_machines_and_safe_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    value = dict(NASTY.values()) | {"readable": list(READABLE)}
    say_json(value, indent=2)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert printable(out, lines=True) == out
    assert all(json.dumps(text, ensure_ascii=False) in out for text in READABLE)


def test_a_terminal_that_lacks_a_character_gets_its_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    say("Prüfstand")
    assert raw.getvalue() == b"Pr\\xfcfstand\n"


def logged(record: logging.LogRecord) -> list[str]:
    return OneLineFormatter("%(levelname)s server: %(message)s").format(record).split("\n")


def test_a_record_is_one_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "update: %s", (FORGED,), None)
    assert logged(record) == ["WARNING server: update: x\\x1b[2J\\n2026-01-01 00:00:00,000 INFO    server: all is well"]


def test_a_traceback_follows_its_record_and_forges_none() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed", (), sys.exc_info())
    first, *rest = logged(record)
    assert first == "ERROR server: failed"
    assert all(line.startswith("    | ") for line in rest)
    assert rest[-1] == "    | ValueError: x\\x1b[2J\\n2026-01-01 00:00:00,000 INFO    server: all is well"


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError(text)",
        "import threading; thread = threading.Thread(target=int, args=(text,)); thread.start(); thread.join()",
        "import warnings; warnings.warn(text)",
        "import logging; logging.getLogger('somebody').warning('%s', text)",
        "error = ValueError('x'); error.add_note(text); raise error",
        "raise ExceptionGroup('several', [ValueError(text), KeyError(text)])",
        "import asyncio\nasync def f(): asyncio.get_running_loop().call_soon(int, text); await asyncio.sleep(0.01)\nasyncio.run(f())",
    ],
)
@pytest.mark.parametrize("set_up", ["log_to_stderr('%(asctime)s %(message)s')", "guard_stderr()"])
def test_what_python_says_by_itself_is_escaped_too(code: str, set_up: str) -> None:
    script = f"from sealift_core.terminal.printing import *\n{set_up}\ntext = {FORGED!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert printable(done.stderr, lines=True) == done.stderr
    assert "x\\x1b[2J" in done.stderr or "x\\\\x1b[2J" in done.stderr
    assert not any(line.startswith("2026-01-01 00:00:00,000") for line in done.stderr.splitlines())
