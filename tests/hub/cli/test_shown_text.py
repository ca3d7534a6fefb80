"""What devices say about themselves is shown by the hub, and steers nobody's terminal, log or page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpus.texts import NASTY
from sealift_core.messages.report import Event
from sealift_core.terminal.printable import printable
from support.hub import RunningHub, hub_command, made_hub, running_hub
from support.simulated import NOON, SimulatedDevice, drift, installed, window

#: Half a surrogate pair can't be in a report: it is no JSON in UTF-8.
TEXTS = [text for name, (text, _) in NASTY.items() if name != "half a pair"]
EVIL = "press\x1b[2J\n0000  fake  seen just now\u202e"


def evil_device() -> SimulatedDevice:
    device = SimulatedDevice(EVIL, host={"cpu": "Z80\x9b31m", "o\x1b[31ms": "x\u2066y"})
    features = [drift(text[:100] or "-", 0.5) for text in TEXTS]
    events = [
        Event(number=number, time=NOON, kind="refused", model="m\x1b[31m", version="1\u202e", detail=text) for number, text in enumerate(TEXTS, 1)
    ]
    model = installed("vib\x1b[5m\nx", "1.3.0\u202e", profile="p\x07", state="com\x1bmitted", previous_version="1\x9b")
    device.report(models=[model], windows=[window(model.name, features=features, failures={"bad\x1b[31m": 2})], events=events)
    return device


@pytest.fixture(scope="module")
def device() -> SimulatedDevice:
    return evil_device()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, device: SimulatedDevice) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub") / "data") as running:
        running.enrol(device)
        assert running.send(device, device.sealed[0]).status_code == 200, running.send(device, device.sealed[0]).text
        yield running


def is_printable(text: str) -> bool:
    return printable(text, lines=True) == text


def test_the_list_of_devices_has_one_line_for_each_and_each_model(tmp_path: Path, device: SimulatedDevice) -> None:
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data")).ok()
    done = hub_command("devices", "--data", tmp_path / "data").ok()
    assert is_printable(done.out)
    _, head, problem, model = done.out.splitlines()
    assert problem == "  SILENT: It didn't report for more than a day."
    assert "press\\x1b[2J\\n0000  fake  seen just now\\u202e  seen" in head
    assert "vib\\x1b[5m\\nx 1.3.0\\u202e com\\x1bmitted:" in model


def test_the_same_list_for_machines_has_the_names_as_they_are(tmp_path: Path, device: SimulatedDevice) -> None:
    device.export(tmp_path / "medium")
    hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data")).ok()
    done = hub_command("devices", "--data", tmp_path / "data", "--json").ok()
    assert is_printable(done.out)
    assert done.json["devices"][0]["name"] == EVIL


@pytest.mark.parametrize("page", ["/", "/devices/{id}"])
def test_no_page_holds_a_control_or_turns_its_text_around(hub: RunningHub, device: SimulatedDevice, page: str) -> None:
    text = hub.get(page.format(id=device.id), accept="text/html").text
    assert is_printable(text)
    assert "<bdi>press\\x1b[2J\\n0000  fake  seen just now\\u202e</bdi>" in text


@pytest.mark.parametrize("path", ["/api/v1/devices", "/api/v1/devices/{id}", "/api/v1/devices/{id}/reports"])
def test_an_answer_of_the_api_is_printable_and_a_parser_reads_the_same(hub: RunningHub, device: SimulatedDevice, path: str) -> None:
    answer = hub.get(path.format(id=device.id))
    assert answer.status_code == 200
    assert is_printable(answer.text)
    if path.endswith("{id}"):
        assert json.loads(answer.content)["name"] == EVIL


@pytest.mark.parametrize("path", ["/x%1b[2J%0aerror: fine", "/devices/%1b%e2%80%ae", "/api/v1/devices/%1b[2J", "/repository/%1b%0ax"])
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_an_error_quotes_a_path_without_its_controls(hub: RunningHub, path: str, accept: str) -> None:
    answer = hub.get(path, accept=accept)
    assert answer.status_code in (400, 404)
    assert is_printable(answer.text)


def test_a_refused_request_is_one_line_of_the_log(hub: RunningHub, device: SimulatedDevice) -> None:
    hub.get("/")
    for target in ("/api/v1/devices/%0a2026-01-01 INFO sealift_hub: all is well%1b[2J", f"/api/v1/devices/{'0' * 64}/reports"):
        hub_answer = hub.post(target, b"\x1b[2J")
        assert hub_answer.status_code >= 400
    log = (hub.data.parent / f"{hub.data.name}.log").read_text(encoding="utf-8")
    assert is_printable(log)
    assert not any(line.startswith("2026-01-01 INFO") for line in log.splitlines())


def test_a_refused_file_on_a_medium_is_named_on_one_line(tmp_path: Path) -> None:
    device = SimulatedDevice("ok")
    device.report()
    folder = device.export(tmp_path / "medium")
    (folder / "0000000002.json").write_text('{"\x1b[2J": 1}')
    (folder / "0000000003\x1b[2J\n.json").write_text("{}")
    done = hub_command("import", tmp_path / "medium", "--data", made_hub(tmp_path / "data"))
    assert is_printable(done.out + done.err)
    (tmp_path / "medium" / "sealift-reports" / "x\x1b[2J\ny").mkdir()
    done = hub_command("import", tmp_path / "medium", "--data", tmp_path / "data")
    assert is_printable(done.out + done.err)
