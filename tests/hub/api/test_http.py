"""Against the installed command, on a real port."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sealift_core.bundle.digest import Digest
from sealift_core.messages.receipt import Receipt, open_receipt
from sealift_core.messages.report import Event
from sealift_core.signing.keys import PrivateKey
from support.hub import RunningHub, running_hub
from support.simulated import NOON, SimulatedDevice, drift, installed, window

BLOB = bytes(range(256)) * 8192
BLOB_PATH = f"/repository/blobs/sha256/{Digest.of(BLOB).hex}"
EVIL = '<script>alert(1)</script>"&'


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    place = tmp_path_factory.mktemp("hub")
    repository = place / "repository"
    (repository / "blobs/sha256").mkdir(parents=True)
    (repository / BLOB_PATH.removeprefix("/repository/")).write_bytes(BLOB)
    (repository / "metadata").mkdir()
    (repository / "metadata/timestamp.json").write_text("{}")
    (repository / ".secret").write_text("no")
    with running_hub(place / "data", repository) as running:
        yield running


def raw_status(hub: RunningHub, method: str, target: str) -> tuple[int, bytes]:
    """Ask for a path as it is written, without a client that tidies it."""
    address = urlsplit(hub.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    connection.putrequest(method, target, skip_host=False)
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


class TestDevices:
    def test_a_device_enrols_and_sends_and_is_told_what_is_here(self, hub: RunningHub) -> None:
        device, key = SimulatedDevice(), PrivateKey.load(hub.data / "hub-key.pem").public_key.fingerprint
        assert [hub.enrol(device).status_code for _ in range(2)] == [201, 200]
        assert open_receipt(hub.enrol(device).content, key, where="answer").receipt == Receipt(device=device.id, acknowledged=0)
        for number in (1, 2):
            answer = hub.send(device, device.report(models=[installed()], windows=[window()]))
            assert answer.status_code == 200
            receipt = Receipt(device=device.id, acknowledged=number)
            assert open_receipt(answer.content, key, where="answer").receipt == Receipt.parse(answer.content, where="answer") == receipt
        again = hub.send(device, device.sealed[0])
        assert (again.status_code, again.json()["acknowledged"]) == (200, 2)
        assert hub.device(device)["models"][0]["requests"] == 200
        reports = hub.get(f"/api/v1/devices/{device.id}/reports").json()["reports"]
        assert [report["digest"] for report in reports] == [str(Digest.of(data)) for data in device.sealed]
        assert hub.get(f"/api/v1/devices/{device.id}/reports/2").content == device.sealed[1]

    def test_a_gap_is_a_conflict_with_the_number_to_go_on_from(self, hub: RunningHub) -> None:
        device = SimulatedDevice()
        hub.enrol(device)
        device.report()
        answer = hub.send(device, device.report())
        assert (answer.status_code, answer.json()["acknowledged"]) == (409, 0)
        assert "report 1 is missing" in answer.json()["error"]

    def test_devices_are_listed_in_pages(self, hub: RunningHub) -> None:
        for _ in range(3):
            hub.enrol(SimulatedDevice())
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            page = hub.get(f"/api/v1/devices?limit=2&after={after}").json()
            seen += [device["id"] for device in page["devices"]]
            after = page["next"]
        assert seen == sorted(set(seen))
        assert len(seen) == hub.get("/healthz").json()["devices"]

    def test_refusals_have_their_status_and_their_reason(self, hub: RunningHub) -> None:
        device, stranger = SimulatedDevice(), SimulatedDevice()
        hub.enrol(device)
        hub.send(device, device.report())
        copy = SimulatedDevice(key=device.key, name="copy")
        url = f"{hub.url}/api/v1/devices"
        answers = {
            "a stranger": (hub.send(stranger, stranger.report()), 404),
            "a fork": (hub.send(device, copy.report()), 403),
            "a forgery": (hub.send(device, stranger.report()), 403),
            "no envelope": (hub.send(device, b"hello"), 400),
            "another's key": (requests.put(f"{url}/{device.id}", data=stranger.pem, timeout=10), 400),
            "no key": (requests.put(f"{url}/{device.id}", data=b"x", timeout=10), 400),
            "a large key": (requests.put(f"{url}/{device.id}", data=b"x" * 20_000, timeout=10), 413),
            "a large key in pieces": (requests.put(f"{url}/{device.id}", data=iter([b"x" * 20_000]), timeout=10), 413),
            "no id": (requests.put(f"{url}/xyz", data=device.pem, timeout=10), 400),
            "an unknown device": (hub.get(f"/api/v1/devices/{stranger.id}"), 404),
            "an unknown report": (hub.get(f"/api/v1/devices/{device.id}/reports/77"), 404),
            "a number that is none": (hub.get(f"/api/v1/devices/{device.id}/reports/x"), 400),
            "a page too large": (hub.get("/api/v1/devices?limit=100000"), 400),
            "an unknown path": (hub.get("/api/v1/nothing"), 404),
            "an impossible method": (requests.delete(url, timeout=10), 405),
        }
        for name, (answer, status) in answers.items():
            assert (name, answer.status_code) == (name, status)
            assert answer.json()["error"], name
        assert answers["an impossible method"][0].headers["allow"] == "GET"

    def test_a_body_that_says_it_is_huge_is_refused_before_it_is_sent(self, hub: RunningHub) -> None:
        address = urlsplit(hub.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            head = f"PUT /api/v1/devices/{'0' * 64} HTTP/1.1\r\nHost: hub\r\nContent-Length: 99999999999\r\n\r\n"
            connection.sendall(head.encode())
            assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]

    def test_the_body_of_an_unknown_device_is_refused_before_it_is_sent(self, hub: RunningHub) -> None:
        address = urlsplit(hub.url)
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            head = f"POST /api/v1/devices/{'0' * 64}/reports HTTP/1.1\r\nHost: hub\r\nContent-Length: 30000000\r\n\r\n"
            connection.sendall(head.encode())
            assert b" 404 " in connection.recv(4096).split(b"\r\n")[0]

    @pytest.mark.parametrize("path", ["/", "/healthz", "/api/v1/devices", "/assets/mark.svg", "/api/v1/nothing", f"/devices/{'0' * 64}"])
    def test_head_is_answered_as_get_without_the_body(self, hub: RunningHub, path: str) -> None:
        head, get = requests.head(hub.url + path, timeout=10), hub.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-length"] == get.headers["content-length"]
        assert head.headers["content-type"] == get.headers["content-type"]

    def test_openapi_describes_every_path_and_no_other_error(self, hub: RunningHub) -> None:
        document = hub.get("/api/v1/openapi.json").json()
        assert set(document["paths"]) == {
            "/api/v1/devices",
            "/api/v1/devices/{device_id}",
            "/api/v1/devices/{device_id}/reports",
            "/api/v1/devices/{device_id}/reports/{number}",
            "/healthz",
            "/repository/{path}",
        }
        assert "HTTPValidationError" not in document["components"]["schemas"]


class TestRepository:
    def test_a_blob_comes_whole_with_its_digest_as_tag(self, hub: RunningHub) -> None:
        answer = hub.get(BLOB_PATH)
        assert (answer.status_code, answer.content) == (200, BLOB)
        assert answer.headers["etag"] == f'"{Digest.of(BLOB).hex}"'
        assert "immutable" in answer.headers["cache-control"]

    def test_a_download_goes_on_where_it_stopped(self, hub: RunningHub) -> None:
        answer = hub.get(BLOB_PATH, Range="bytes=1000000-")
        assert (answer.status_code, answer.content) == (206, BLOB[1_000_000:])
        assert answer.headers["content-range"] == f"bytes 1000000-{len(BLOB) - 1}/{len(BLOB)}"

    def test_a_range_of_something_that_changed_gives_all_of_it(self, hub: RunningHub) -> None:
        answer = hub.get(BLOB_PATH, Range="bytes=100-", If_Range='"other"')
        assert (answer.status_code, len(answer.content)) == (200, len(BLOB))

    def test_a_range_behind_the_end_is_refused(self, hub: RunningHub) -> None:
        answer = hub.get(BLOB_PATH, Range=f"bytes={len(BLOB)}-")
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(BLOB)}")
        assert answer.json()["error"]

    @pytest.mark.parametrize("path", [BLOB_PATH, "/repository/metadata/timestamp.json"])
    def test_what_the_client_has_is_not_sent_again(self, hub: RunningHub, path: str) -> None:
        tag = hub.get(path).headers["etag"]
        answer = hub.get(path, If_None_Match=tag)
        assert (answer.status_code, answer.content) == (304, b"")

    def test_metadata_is_never_served_from_a_cache_unasked(self, hub: RunningHub) -> None:
        assert hub.get("/repository/metadata/timestamp.json").headers["cache-control"] == "no-cache"

    def test_head_tells_the_length_and_sends_nothing(self, hub: RunningHub) -> None:
        answer = requests.head(hub.url + BLOB_PATH, timeout=10)
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(BLOB)), b"")

    @pytest.mark.parametrize(
        "target",
        [
            "/repository/",
            "/repository",
            "/repository/metadata/",
            "/repository/.secret",
            "/repository/../data/hub.sqlite",
            "/repository/%2e%2e/data/hub.sqlite",
            "/repository/metadata/..%2f..%2fdata%2fhub.sqlite",
            "/repository//etc/passwd",
            "/repository/metadata/nothing.json",
            "/repository/metadata/%00.json",
        ],
    )
    def test_nothing_else_is_there(self, hub: RunningHub, target: str) -> None:
        status, body = raw_status(hub, "GET", target)
        assert status == 404
        assert body.startswith(b'{"error":')


class TestPages:
    def test_an_empty_fleet_says_what_to_do(self, tmp_path: Path) -> None:
        with running_hub(tmp_path / "data") as empty:
            text = empty.get("/").text
            assert "No device has enrolled yet" in text
            assert "sealift-hub import" in text
            assert empty.get("/repository/index.json").status_code == 404

    def test_what_devices_say_is_shown_as_text_never_as_markup(self, hub: RunningHub) -> None:
        device = SimulatedDevice(EVIL, host={EVIL: EVIL})
        hub.enrol(device)
        model = installed(EVIL, EVIL, profile=EVIL, state=EVIL)
        seen = window(EVIL, version=EVIL, failures={EVIL: 3}, features=[drift(EVIL, 0.9)])
        event = Event(number=1, time=NOON, kind=EVIL, model=EVIL, version=EVIL, detail=EVIL)
        assert hub.send(device, device.report(models=[model], windows=[seen], events=[event])).status_code == 200
        hub.send(device, SimulatedDevice(key=device.key).report())
        for path in ("/", f"/devices/{device.id}"):
            answer = hub.get(path)
            assert answer.status_code == 200
            assert "<script" not in answer.text.lower()
            assert "&lt;script&gt;" in answer.text

    def test_the_device_page_shows_windows_drift_and_ledger(self, hub: RunningHub) -> None:
        device = SimulatedDevice("mill-3")
        hub.enrol(device)
        features = [drift("spindle_temperature", 0.41, threshold=0.12), drift("speed", 0.03)]
        event = Event(number=1, time=NOON, kind="rolled-back", model="vibration", version="1.3.0", detail="error rate 4 %")
        hub.send(device, device.report(models=[installed()], windows=[window(features=features)], events=[event]))
        text = hub.get(f"/devices/{device.id}").text
        for word in ("mill-3", device.id, "spindle_temperature", "0.410", "alarm", "within", "rolled-back", "error rate 4 %", "<svg"):
            assert word in text

    def test_a_thousand_models_and_a_name_of_500_characters_break_no_page(self, hub: RunningHub) -> None:
        device = SimulatedDevice("n" * 500)
        hub.enrol(device)
        models = [installed(f"model-{number:04}") for number in range(1000)]
        assert hub.send(device, device.report(models=models, windows=[window("model-0000")])).status_code == 200
        fleet = hub.get("/").text
        assert "n" * 61 not in re.sub('title="n*"', "", fleet)
        assert f'<a href="/devices/{device.id}">and 990 more models</a>' in fleet
        assert "model-0009" in fleet
        assert "model-0010" not in fleet
        first, last = hub.get(f"/devices/{device.id}"), hub.get(f"/devices/{device.id}?page=50")
        assert (first.status_code, last.status_code, len(first.content) < 300_000) == (200, 200, True)
        assert "model-0019" in first.text
        assert "model-0020" not in first.text
        assert "1 000 models, page 50" in last.text
        assert "model-0999" in last.text
        assert hub.get(f"/devices/{device.id}?page=51").status_code == 200

    def test_pages_forbid_scripts_and_bring_all_they_need(self, hub: RunningHub) -> None:
        answer = hub.get("/")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)
        assert ' style="' not in answer.text, "the policy would refuse it"
        for asset in set(re.findall(r'"(/assets/[^"]+)"', answer.text)):
            assert hub.get(asset).status_code == 200

    def test_a_person_gets_a_page_and_a_program_json_for_what_is_not_there(self, hub: RunningHub) -> None:
        page = hub.get(f"/devices/{'0' * 64}", Accept="text/html,*/*")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "no such device" in page.text
        assert hub.get(f"/devices/{'0' * 64}").json()["error"]
        assert hub.get("/api/v1/nothing", Accept="text/html").json()["error"]

    def test_there_is_no_page_that_loads_scripts_from_elsewhere(self, hub: RunningHub) -> None:
        assert {hub.get(path).status_code for path in ("/docs", "/redoc", "/assets/nothing.css")} == {404}
