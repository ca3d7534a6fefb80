"""The document of the desired state: read strictly, made from the database, and sent once."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, IntegrityError, LimitError, StoreError
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.update.desired import MAX_BYTES, DataPlaneSettings, DesiredState
from sealift_runtime.update.desired_file import DesiredFile
from sealift_runtime.update.publishing import Publisher
from sealift_runtime.update.records import Deployment, InstalledBundle, Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.table import State
from support.devices import RecordingDataPlane

MEASURING = MeasuringPolicy(enabled=True, trusted_keys=("ab" * 32,), max_bytes=512, max_s=300.0, memory_bytes=4096, reserve_bytes=7, sandbox=False)
SETTINGS = DataPlaneSettings(window_s=60.0, window_rows=5, hosts=("models.example.org",), measuring=MEASURING)


def bundle(home: Path, version: str, name: str = "linear") -> InstalledBundle:
    digest = Digest.of(f"{name} {version}".encode())
    return InstalledBundle(
        name=name,
        version=version,
        digest=digest,
        profile="x86-64",
        release=Digest.of(version.encode()),
        release_size=100,
        directory=home / "bundles" / digest.hex,
    )


def desired_state(home: Path) -> DesiredState:
    model = Deployment(name="linear", current=bundle(home, "1.1.0"), previous=bundle(home, "1.0.0"))
    other = Deployment(name="wear", current=bundle(home, "2.0.0", "wear"), previous=None)
    return DesiredState(generation=7, models=(model, other), updates=("linear 1.1.0",), settings=SETTINGS)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = desired_state(tmp_path)
    assert DesiredState.parse(written.to_bytes(), where="desired.json", bundles=tmp_path / "bundles") == written


def test_a_version_is_on_trial_while_the_update_that_brought_it_is_under_way(tmp_path: Path) -> None:
    written = desired_state(tmp_path)
    assert [written.is_on_trial(model) for model in written.models] == [True, False]
    previous = Deployment(name="linear", current=bundle(tmp_path, "1.0.0"), previous=None)
    assert not written.is_on_trial(previous)
    assert not written.is_on_trial(Deployment(name="linear", current=None, previous=bundle(tmp_path, "1.1.0")))


Damage = Callable[[dict[str, Any]], object]
BAD: dict[str, tuple[Damage, str]] = {
    "another document": (lambda document: document.update(schema="sealift.report/1"), r"desired.json: schema"),
    "a newer major": (lambda document: document.update(schema="sealift.desired-state/2"), r"desired.json: schema"),
    "no generation": (lambda document: document.pop("generation"), r"desired.json: generation: a required field is missing"),
    "generation 0": (lambda document: document.update(generation=0), r"desired.json: generation"),
    "a model without a current bundle": (lambda document: document["models"]["linear"].pop("current"), r"models.linear.current"),
    "a name that leads elsewhere": (
        lambda document: document["models"].update({"../x": document["models"]["linear"]}),
        r"models: model name|models.*model name",
    ),
    "a digest that leads elsewhere": (
        lambda document: document["models"]["linear"]["current"].update(digest="../../etc"),
        r"models.linear.current.digest: not a digest",
    ),
    "no version": (lambda document: document["models"]["linear"]["current"].update(version="latest"), r"models.linear.current.version"),
    "a negative size": (lambda document: document["models"]["linear"]["previous"].update(release_size_bytes=-1), r"previous.release_size_bytes"),
    "no settings": (lambda document: document.pop("settings"), r"desired.json: settings"),
    "an endless window": (lambda document: document["settings"]["monitoring"].update(window_s=0), r"settings.monitoring.window_s"),
    "an address as a name": (lambda document: document["settings"]["serving"].update(hosts=["http://x/"]), r"settings.serving.hosts"),
    "a short fingerprint": (lambda document: document["settings"]["measuring"].update(trusted_keys=["ab"]), r"settings.measuring.trusted_keys"),
    "a boolean as a text": (lambda document: document["settings"]["measuring"].update(enabled="yes"), r"settings.measuring.enabled"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_document_that_is_wrong_is_refused_by_the_path_of_its_field(tmp_path: Path, name: str) -> None:
    damage, message = BAD[name]
    document = json.loads(desired_state(tmp_path).to_bytes())
    damage(document)
    with pytest.raises(DocumentError, match=message):
        DesiredState.parse(json.dumps(document).encode(), where="desired.json", bundles=tmp_path)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"schema": "sealift.desired-state/1"}'])
def test_what_is_no_such_document_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"desired\.json"):
        DesiredState.parse(data, where="desired.json", bundles=tmp_path)


def test_a_document_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "desired.json").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(LimitError):
        DesiredFile(tmp_path).read()


class Bench:
    """A database, a data plane, and a publisher between them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = StateDatabase(home / "state.sqlite")
        self.file = DesiredFile(home)
        self.data_plane = RecordingDataPlane()

    def publish(self, model: str = "", settings: DataPlaneSettings | None = None, *, renew: bool = False) -> DesiredState:
        Publisher(self.state, self.file, self.data_plane, settings).publish(model, renew=renew)
        kept = self.file.read()
        assert kept
        return kept

    def lose_database(self) -> None:
        self.state.close()
        for path in self.home.glob("state.sqlite*"):
            path.unlink()
        self.state = StateDatabase(self.home / "state.sqlite")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.state.set_deployment("linear", bundle(tmp_path, "1.0.0"), None)
    return made


def current(desired: DesiredState, name: str = "linear") -> str | None:
    model = desired.model(name)
    return model.current.version if model and model.current else None


def test_what_is_published_is_on_disk_and_with_the_data_plane(bench: Bench) -> None:
    kept = bench.publish()
    assert (kept.generation, current(kept)) == (1, "1.0.0")
    assert bench.data_plane.desired == kept
    assert bench.file.path.stat().st_mode & 0o777 == 0o600


def test_what_says_nothing_new_is_neither_written_nor_sent(bench: Bench) -> None:
    kept, written = bench.publish(), bench.file.path.stat().st_mtime_ns
    bench.data_plane.desired = marker = dataclasses.replace(kept, updates=("a marker",))
    assert bench.publish() == kept
    assert bench.file.path.stat().st_mtime_ns == written
    assert bench.data_plane.desired is marker


def test_each_change_is_a_newer_generation(bench: Bench) -> None:
    bench.publish()
    bench.state.set_deployment("linear", bundle(bench.home, "1.1.0"), bundle(bench.home, "1.0.0"))
    kept = bench.publish("linear")
    assert (kept.generation, current(kept), bench.data_plane.activated) == (2, "1.1.0", ["1.1.0"])


def test_what_a_crash_kept_from_the_data_plane_is_sent_by_the_next_call(bench: Bench) -> None:
    bench.publish()
    bench.state.set_deployment("linear", bundle(bench.home, "1.1.0"), bundle(bench.home, "1.0.0"))  # and the process dies
    bench.publish()
    assert current(bench.data_plane.desired) == "1.1.0"
    bench.data_plane.desired = DesiredState(generation=1)  # as if it was written, but never sent
    bench.publish()
    assert current(bench.data_plane.desired) == "1.1.0"


def test_a_document_that_this_disk_damaged_is_made_anew_and_newer_than_what_the_data_plane_has(bench: Bench) -> None:
    for version in ("1.1.0", "1.2.0"):
        bench.state.set_deployment("linear", bundle(bench.home, version), None)
        bench.publish()
    bench.file.path.write_bytes(b'{"schema": ')
    bench.state.set_deployment("linear", bundle(bench.home, "1.3.0"), None)
    kept = bench.publish()
    assert (kept.generation, current(kept)) == (3, "1.3.0")
    assert bench.data_plane.desired == kept


def test_a_pipe_in_the_documents_place_keeps_nobody_waiting_and_gives_way(bench: Bench) -> None:
    os.mkfifo(bench.file.path)
    with pytest.raises(IntegrityError, match="not a regular file: found a pipe"):
        bench.file.read()
    assert current(bench.publish()) == "1.0.0"


def test_what_cannot_be_written_is_sent_even_so(bench: Bench) -> None:
    bench.publish()
    bench.state.set_deployment("linear", bundle(bench.home, "1.1.0"), None)

    class Full(DesiredFile):
        def write(self, desired: DesiredState) -> None:  # noqa: ARG002
            raise StoreError("no room", where=str(self.path))

    with pytest.raises(StoreError, match="no room"):
        Publisher(bench.state, Full(bench.home), bench.data_plane).publish("linear")
    assert current(bench.data_plane.desired) == "1.1.0"


def test_settings_change_when_an_agent_starts_and_not_before(bench: Bench) -> None:
    bench.publish(settings=SETTINGS)
    assert bench.publish(settings=DataPlaneSettings()).settings == SETTINGS
    assert bench.publish(settings=DataPlaneSettings(), renew=True).settings == DataPlaneSettings()


def test_updates_under_way_are_named(bench: Bench) -> None:
    release = Digest.of(b"release")
    bench.state.put(Update(name="linear", version="1.1.0", state=State.CHECKING, release=release, release_size=1))
    assert bench.publish().updates == ("linear 1.1.0",)


def test_a_database_that_was_lost_ends_nothing_that_serves(bench: Bench) -> None:
    bench.publish()
    bench.lose_database()
    assert current(bench.publish()) == "1.0.0"


def test_a_model_that_was_rolled_back_to_nothing_serves_no_more(bench: Bench) -> None:
    bench.publish()
    bench.state.put(Update(name="linear", version="1.0.0", state=State.ROLLED_BACK, release=Digest.of(b"1.0.0"), release_size=1))
    bench.state.set_deployment("linear", None, None)
    assert current(bench.publish()) is None
