"""What a worker logs comes into the log of the process that started it: bounded, under names of its own, whatever it sends."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from corpus.texts import NASTY
from sealift_core.terminal.logs import Logs
from sealift_core.terminal.printable import printable
from sealift_core.terminal.printing import log_nowhere
from sealift_core.terminal.records import FACTS, facts
from sealift_packager.build.isolated import MAX_STAGES, MAX_TITLE_CHARACTERS, _Listener
from sealift_packager.build.remote import WorkerChannel
from sealift_packager.progress.progress import Logged
from sealift_packager.sandbox.frames import Decoder, FrameError, Message
from sealift_packager.sandbox.log_records import MAX_CHARACTERS, MAX_FIELDS, MAX_RECORDS, RemoteHandler, logging_records, wanted_level


class Sent:
    """A pipe that remembers what was sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, blob: bytes = b"", **fields: Any) -> None:
        self.messages.append(Message(json.loads(json.dumps(fields)), blob))


@pytest.fixture
def _verbose() -> Iterator[None]:
    Logs(verbosity=2).for_command()
    yield
    log_nowhere()


def nothing(_: Message) -> None:
    """No question is answered."""


def record(name: str = "sealift.search", text: str = "x", level: Any = logging.INFO, given: Any = None) -> Message:
    return Message({"log": name, "message": text, "level": level, "facts": given})


def test_a_worker_s_record_arrives_as_a_record(caplog: pytest.LogCaptureFixture) -> None:
    sent, logger = Sent(), logging.getLogger("sealift.search")
    handler = RemoteHandler(sent)
    logger.addHandler(handler)
    try:
        logger.warning("%s dropped", "int8", extra=facts(candidate="int8", loss=0.5, chosen=False, speedup=None))
    finally:
        logger.removeHandler(handler)
    caplog.clear()
    assert logging_records(nothing)(sent.messages[0]) is None
    (arrived,) = caplog.records
    assert (arrived.name, arrived.levelname, arrived.getMessage()) == ("sealift.worker.search", "WARNING", "int8 dropped")
    assert getattr(arrived, FACTS) == {"candidate": "int8", "loss": 0.5, "chosen": False, "speedup": None}


def test_a_library_s_records_stay_in_the_worker() -> None:
    sent = Sent()
    RemoteHandler(sent).handle(logging.LogRecord("torch.onnx", logging.ERROR, "", 1, "x", (), None))
    assert sent.messages == []


@pytest.mark.usefixtures("_verbose")
@pytest.mark.parametrize("name", [name for name, (text, _) in NASTY.items() if text.isprintable() or text.encode(errors="replace").decode() == text])
def test_a_worker_forges_no_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging_records(nothing)(record(text=NASTY[name][0] + "\n2026-01-01 sealift.pack: signed it"))
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert printable(err, lines=True) == err
    assert "sealift.worker.search: " in err


WRONG = [
    record(name="sealift"), record(name="root"), record(name="sealift.pack\n"), record(name="sealift.x.y"), record(name="sealift." + 41 * "a"),
    record(level=True), record(level=20.0), record(level="INFO"), record(level=10**30), record(level=None), record(level=50), record(level=[20]),
    Message({"log": 1}), Message({"log": "sealift.pack"}), Message({"log": "sealift.pack", "message": ["x"], "level": 20}),
]  # fmt: skip


@pytest.mark.parametrize("message", WRONG, ids=str)
def test_what_is_no_record_is_refused(message: Message) -> None:
    with pytest.raises(FrameError):
        logging_records(nothing)(message)


@pytest.mark.parametrize("given", [7, "text", [1], {"a b": 1}, {"A": 1}, {"": 1}, {41 * "a": 1}])
def test_fields_that_are_none_are_dropped(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    logging_records(nothing)(record(given=given, level=logging.WARNING))
    assert getattr(caplog.records[0], FACTS) == {}


@pytest.mark.usefixtures("_verbose")
def test_text_and_fields_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    given = {f"f{n}": [1] if n % 2 else 10**400 for n in range(100)} | {"f0": 10_000 * "x"}
    logging_records(nothing)(record(text=10**6 * "x", given=given))
    (arrived,) = caplog.records
    assert len(arrived.getMessage()) == MAX_CHARACTERS
    assert len(getattr(arrived, FACTS)) == MAX_FIELDS
    assert {value if len(str(value)) < 10 else len(value) for value in getattr(arrived, FACTS).values()} == {"?", MAX_CHARACTERS}


def test_a_flood_of_records_is_cut_off_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    hear = logging_records(nothing)
    for _ in range(MAX_RECORDS + 100):
        hear(record(level=logging.WARNING))
    assert len(caplog.records) == MAX_RECORDS + 1
    assert "logs too much" in caplog.records[-1].getMessage()


def test_a_flood_of_stages_ends_the_build() -> None:
    class Titles(Logged):
        longest = 0

        def cached(self, title: str) -> None:
            self.longest = max(self.longest, len(title))

    progress = Titles()
    listener = _Listener(progress, None)  # type: ignore[arg-type]  # nothing is asked
    message = Message({"stage": "cached", "title": 10_000 * "x"})
    with pytest.raises(FrameError, match="too many stages"):
        for _ in range(MAX_STAGES + 1):
            listener.hear(message)
    assert progress.longest == MAX_TITLE_CHARACTERS


def test_what_is_no_record_goes_to_whoever_answers() -> None:
    answer = Message({"there": False})
    assert logging_records(lambda _: answer)(Message({"ask": "cache read"})) is answer


def test_a_worker_sends_what_this_process_logs() -> None:
    assert wanted_level() >= logging.WARNING
    Logs(verbosity=1).for_command()
    assert wanted_level() == logging.INFO
    log_nowhere()


def test_records_of_several_threads_don_t_mix_on_the_pipe() -> None:
    reader, writer = os.pipe()
    channel = WorkerChannel(0, writer)

    def talk() -> None:
        for _ in range(5):
            channel.send(b"y" * 70_000, log="sealift.pack")

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    decoder, count = Decoder(), 0
    while count < 20:
        count += sum(message.blob == b"y" * 70_000 for message in decoder.feed(os.read(reader, 2**20)))
    for thread in threads:
        thread.join()
    os.close(reader)
    os.close(writer)
