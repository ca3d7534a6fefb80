"""A hub, or a repository, that accepts connections and never answers: updates go on, and SIGTERM ends the agent within seconds."""

from __future__ import annotations

import contextlib
import datetime
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.errors import TransportError
from sealift_core.http.http_session import HttpSession, open_session
from sealift_runtime.agent.sending import Sending
from support.agents import device, wait_until
from support.repositories import Repository


@contextlib.contextmanager
def silence() -> Iterator[tuple[str, list[socket.socket]]]:
    """A server that takes every connection and says nothing: its address, and the connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", taken
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


def test_a_hub_that_hangs_stalls_neither_updates_nor_the_end(repository: Repository, tmp_path: Path) -> None:
    with silence() as (hub, connections), device(tmp_path / "home") as agent:
        agent.init(repository.directory, repository.trusted_root_file, "--hub", hub, timing__probation_s="0", timing__report_s="0.2")
        agent.start()
        wait_until(lambda: connections, 30, "the agent to send")
        repository.add_release("1.1.0")
        begun = time.monotonic()
        wait_until(lambda: agent.serving() == "1.1.0", 40, "the update")
        assert len(connections) == 1, "one sending at a time"
        assert time.monotonic() - begun < 40
        begun = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - begun < 8
        assert "didn't end within" not in agent.log.read_text()


@pytest.mark.long
def test_a_repository_that_hangs_doesnt_stall_the_end(repository: Repository, tmp_path: Path) -> None:
    with silence() as (url, connections), device(tmp_path / "home") as agent:
        agent.init(url, repository.trusted_root_file)
        agent.start()
        wait_until(lambda: connections, 30, "the agent to look")
        begun = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - begun < 12
        assert "didn't end within" not in agent.log.read_text()


def ended(sending: Sending) -> str:
    return str(wait_until(lambda: (outcome := sending.outcome()) is not None and (outcome or "well"), 10, "the sending to end"))


def test_a_sending_that_takes_too_long_is_given_up_and_the_next_one_may_begin() -> None:
    with silence() as (hub, connections):

        def send(opened: object) -> None:
            with open_session(hub) as http:
                opened(http)  # type: ignore[operator]
                try:
                    with http.within(30):
                        http.get(hub, timeout=30)
                except OSError as error:
                    raise TransportError("no answer", where=hub) from error

        sending = Sending(send, budget_s=0.3)
        assert sending.start()
        assert not sending.start()
        assert ended(sending) == f"{hub}: no answer Sending was given up after 0 seconds."
        assert sending.outcome() is None
        assert len(connections) == 1
        assert sending.start()
        begun = time.monotonic()
        sending.stop()
        assert time.monotonic() - begun < 5


def test_a_session_that_was_cut_asks_for_nothing_more() -> None:
    with silence() as (hub, _), HttpSession() as http:
        http.cut()
        begun = time.monotonic()
        with pytest.raises(OSError, match="wasn't complete"), http.within(30):
            http.get(hub, timeout=30)
        assert time.monotonic() - begun < 5


def test_what_nobody_foresaw_is_raised_where_the_process_can_end_by_it() -> None:
    def send(_: object) -> None:
        raise ZeroDivisionError

    sending = Sending(send)
    sending.start()
    with pytest.raises(ZeroDivisionError):
        ended(sending)
