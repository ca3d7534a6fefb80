"""The metadata is standard TUF: python-tuf's own client reads it over HTTP and finds the targets."""

from __future__ import annotations

import datetime
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tuf.ngclient.updater import Updater

from sealift_core.bundle.digest import Digest
from sealift_core.messages.channel import Channel
from sealift_packager.repository import channels, publisher
from sealift_packager.repository.intake import check_release
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.publisher import Repository
from sealift_packager.repository.roles import Expiry
from support.models import make_bundle, make_release

#: python-tuf's client reads the clock itself, so these releases are published now.
NOW = datetime.datetime.now(datetime.UTC)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "repo"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def client(url: str, home: Path, root: bytes) -> Updater:
    home.mkdir(exist_ok=True)
    return Updater(metadata_dir=str(home), metadata_base_url=f"{url}/metadata/", bootstrap=root)


def test_the_standard_client_finds_releases_and_channels_and_follows_a_new_root(tmp_path: Path, url: str) -> None:
    repository: Repository = publisher.init(tmp_path / "repo", tmp_path / "keys", expiry=Expiry(), now=NOW)
    first_root, ring = repository.root_file.read_bytes(), KeyRing(tmp_path / "keys")
    make_bundle(tmp_path / "bundle")
    make_release(tmp_path / "layout", tmp_path / "bundle")
    checked = check_release(tmp_path / "layout", None)
    publisher.add(repository, checked, ring, expiry=Expiry(), now=NOW)
    channels.promote(repository, "linear", "1.0.0", "stable", ring, expiry=Expiry(), now=NOW)
    publisher.refresh(repository, ring, ("root", "targets"), expiry=Expiry(), now=NOW)

    updater = client(url, tmp_path / "device", first_root)
    updater.refresh()
    release = updater.get_targetinfo("releases/linear/1.0.0")
    channel = updater.get_targetinfo("channels/stable.json")
    assert release is not None
    assert channel is not None
    assert Digest(release.hashes["sha256"]) == checked.descriptor.digest
    data = repository.layout.read(Digest(channel.hashes["sha256"]))
    channel.verify_length_and_hashes(data)
    assert Channel.parse(data, where="stable").models == {"linear": "1.0.0"}
    assert updater.get_targetinfo("releases/linear/1.0.1") is None
    assert updater.get_targetinfo("channels/beta.json") is None


def test_the_standard_client_refuses_an_older_timestamp(tmp_path: Path, url: str) -> None:
    from tuf.api.exceptions import BadVersionNumberError

    repository = publisher.init(tmp_path / "repo", tmp_path / "keys", expiry=Expiry(), now=NOW)
    path = repository.directory / "metadata/timestamp.json"
    old = path.read_bytes()
    publisher.refresh(repository, KeyRing(tmp_path / "keys"), expiry=Expiry(), now=NOW)
    client(url, tmp_path / "device", repository.root_file.read_bytes()).refresh()
    path.write_bytes(old)
    with pytest.raises(BadVersionNumberError):
        client(url, tmp_path / "device", repository.root_file.read_bytes()).refresh()
