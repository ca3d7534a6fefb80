"""docs/reference/logging.md shows what the commands log: the stories of a build and of an update, as they are told; and no secret is in them."""

from __future__ import annotations

import http.server
import json
import platform
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sealift_core.terminal.printing import log_nowhere
from support.cli import call
from support.transcripts import PACK, PAGE, QUICK, SYNC, normal, shown, transcripts

pytestmark = [pytest.mark.long, pytest.mark.skipif(platform.machine() != "x86_64", reason="the page packs for x86-64")]
SECRET = "hunter2-seeded"
LOUD = ("-vv", "--log-format", "json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transcripts")


@pytest.fixture(scope="module")
def logs(folder: Path) -> dict[str, str]:
    return transcripts(folder, *QUICK)


def test_the_page_s_transcripts_are_what_the_commands_log(logs: dict[str, str]) -> None:
    page = shown(PAGE.read_text(encoding="utf-8"))
    assert set(page) == {PACK, SYNC}
    for command, text in page.items():
        assert normal(text) == normal(logs[command]), "run tests/support/transcripts.py"


class Protected(http.server.SimpleHTTPRequestHandler):
    """Files behind a password."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization"):
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Protected, directory=str(folder))) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.mark.usefixtures("logs")  # its inputs, and its results in the cache
def test_no_secret_is_in_the_log_of_a_build_a_publication_and_an_update(folder: Path, server: str) -> None:
    environment = {"SEALIFT_CACHE": str(folder / "cache"), "HOME": str(folder), "SEALIFT_KEY_PASSPHRASE": SECRET}
    (folder / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n", encoding="utf-8")
    (folder / ".netrc").chmod(0o600)
    pack = PACK.replace("key.pem", "locked.pem").replace("--out release -v", "--out locked").split()
    root, init = "locked-repository/metadata/root.json", ("sealift-agent", "init", "--home", "locked-device")
    records = []
    for program, *words in [
        ("sealift", "keys", "generate", "locked.pem"),
        (*pack, *QUICK),
        ("sealift", "repo", "init", "locked-repository"),
        ("sealift", "repo", "add", "locked-repository", "locked"),
        ("sealift", "repo", "promote", "locked-repository", "iris", "1.0.0", "--channel", "stable"),
        (*init, "--root", root, "--repo", f"{server}/locked-repository"),
        ("sealift-agent", "sync", "--home", "locked-device"),
    ]:
        ran = call(program, *words, *LOUD, env=environment, cwd=folder).ok()
        assert SECRET not in ran.out + ran.err
        records += [json.loads(line) for line in ran.err.splitlines()]
    assert {record["level"] for record in records} == {"DEBUG", "INFO"}
    names = {record["logger"].removeprefix("sealift.") for record in records}
    assert {"pack", "stage", "worker.search", "worker.cache", "repository", "trust", "update", "store", "transport"} <= names
    refused = call(*init, "--root", root, "--repo", f"http://me:{SECRET}@127.0.0.1/", *LOUD, env=environment, cwd=folder)
    log_nowhere()
    assert refused.code == 3
    assert SECRET not in refused.err
