"""How often the bytes of a bundle are read on a device: once from disk before anything loads them, and once at each start."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.signature import sign_directory
from sealift_core.errors import IntegrityError
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.transport.directory import DirectoryTransport
from sealift_runtime.update.installed import InstalledCheck, check_installed
from support.agents import AgentUnderTest, wait_until
from support.agents import device as agent_device
from support.devices import Device
from support.models import make_bundle, shared_key
from support.repositories import Repository, flip

SHARD = "weights/00001.bin"
#: So much that all else that a process reads is little beside it.
PADDING_BYTES = 96 * 2**20


def add_heavy_release(repository: Repository, version: str) -> int:
    """A release whose weights are followed by bytes that no tensor uses; the size of all files."""
    work = repository.directory.parent / "heavy"

    make_bundle(work / version, model="sharded", version=version)
    with (work / version / SHARD).open("ab") as file:
        file.write(os.urandom(PADDING_BYTES))
    sign_directory(work / version, "sharded", shared_key())
    repository.take_release(work / f"{version}.release", [work / version])
    return sum(path.stat().st_size for path in files.list_files(work / version).values())


def read_bytes(process: str | int = "self") -> int:
    """What a process and its ended children have read so far by system calls; what it maps isn't counted."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{process}/io").read_text(encoding="ascii").splitlines())
    return int(fields["rchar"])


def test_an_update_reads_every_byte_once_where_it_comes_from_and_once_from_this_disk(device: Device, repository: Repository) -> None:
    size = add_heavy_release(repository, "2.0.0")
    before = read_bytes()
    device.sync()
    assert device.current("sharded").version == "2.0.0"
    assert 2 <= (read_bytes() - before) / size < 2.5


def test_what_was_checked_and_is_unchanged_is_not_hashed_again(device: Device, repository: Repository) -> None:
    size = add_heavy_release(repository, "2.0.0")
    device.sync()
    bundle = device.current("sharded")
    state = check_installed(device.store, bundle)
    before = read_bytes()
    assert check_installed(device.store, bundle, state) == state
    assert read_bytes() - before < size / 10


@pytest.mark.parametrize("name", ["model.onnx", SHARD, "golden.safetensors", "MODEL_CARD.md"])
def test_a_change_whose_time_was_set_back_is_noticed_even_so(device: Device, repository: Repository, name: str) -> None:
    repository.add_release("1.0.0", name="sharded", model="sharded")
    device.sync()
    bundle = device.current("sharded")
    state = check_installed(device.store, bundle)
    path = bundle.directory / name
    times = path.stat()
    with path.open("r+b") as file:
        file.seek(times.st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(IntegrityError, match=f"{name}: the content was changed"):
        check_installed(device.store, bundle, state)


def test_a_link_more_to_a_file_is_no_change_of_the_bundle(device: Device, tmp_path: Path) -> None:
    device.sync()
    bundle = device.current()
    check = InstalledCheck(device.store, bundle)
    (tmp_path / "link").hardlink_to(bundle.directory / "model.onnx")
    check.check_weights()
    state = check.finish()
    assert check_installed(device.store, bundle, state) != state, "but it is hashed once more"


def test_a_file_that_is_replaced_during_the_check_is_noticed(device: Device) -> None:
    device.sync()
    bundle = device.current()
    check = InstalledCheck(device.store, bundle)
    path = bundle.directory / "model.onnx"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    check.check_weights()
    with pytest.raises(IntegrityError, match="a file was changed while the bundle was checked"):
        check.finish()


def test_weights_may_load_before_they_are_hashed_but_no_other_file(device: Device, repository: Repository) -> None:
    repository.add_release("1.0.0", name="sharded", model="sharded")
    device.sync()
    bundle = device.current("sharded")
    flip(bundle.directory / SHARD, 100)
    check = InstalledCheck(device.store, bundle)
    ModelSession.open(bundle.directory)
    with pytest.raises(IntegrityError, match=f"{SHARD}: the content was changed"):
        check.check_weights()


def test_a_release_index_that_this_disk_damaged_is_fetched_anew_and_its_release_is_not_refused(device: Device, repository: Repository) -> None:
    repository.add_release("1.1.0")
    device.updater.refresh()
    index = device.updater.plan()[0].release.digest

    class Damaging(DirectoryTransport):
        """Damages the release's index on the device while it brings the model card, long after the index."""

        damages = 1

        @contextlib.contextmanager
        def open(self, path: str, offset: int = 0, *, max_bytes: int | None = None) -> Iterator[Iterator[bytes]]:
            place = device.store.layout.path(index)
            if self.damages and place.exists() and (max_bytes or 200) < 200 and path.startswith("blobs/"):
                self.damages = 0
                flip(place, 40)
            with super().open(path, offset, max_bytes=max_bytes) as chunks:
                yield chunks

    transport = Damaging(repository.directory)
    device.reading_from(lambda: transport).advance()
    assert transport.damages == 0
    assert "it is fetched again" in device.last_detail("damaged")
    assert device.current().version == "1.1.0"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentUnderTest]:
    with agent_device(tmp_path / "agent") as made:
        yield made


def test_a_start_reads_every_byte_once(agent: AgentUnderTest, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "published", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    size = add_heavy_release(repository, "1.0.0")
    agent.init(repository.directory, repository.metadata / "1.root.json")
    agent.command("sync").ok()
    agent.start()
    wait_until(lambda: agent.serving("sharded"), 60, "the model to serve")
    wait_until(lambda: agent.status()["reports"]["sealed"], 60, "the control plane to have checked what is installed")
    pids = agent.pids("data_plane") + agent.pids("control_plane")
    assert 1 <= sum(read_bytes(pid) for pid in pids) / size < 1.6


def test_weights_that_this_disk_damaged_never_serve_after_a_start(agent: AgentUnderTest, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "published", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    repository.add_release("1.0.0", name="sharded", model="sharded")
    agent.init(repository.directory, repository.metadata / "1.root.json", timing__poll_s="600")
    agent.command("sync").ok()
    shutil.move(repository.directory, tmp_path / "away")  # nothing can be fetched anew
    flip(next((agent.home / "bundles").glob(f"*/{SHARD}")), 100)
    agent.start()
    wait_until(lambda: any(event.startswith("damaged") for event in agent.events()), 60, "the damage to be noticed")
    assert agent.serving("sharded") is None
    assert SHARD in next(event for event in agent.events() if event.startswith("damaged"))
    assert f"{SHARD}: the content was changed" in agent.log.read_text()
