"""The document of the desired state, field by field, and where each of its bounds lies."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_core.bundle.digest import Digest
from sealift_core.errors import DocumentError, LimitError
from sealift_runtime.measuring.policy import MeasuringPolicy
from sealift_runtime.update.client_limits import ClientLimits
from sealift_runtime.update.desired import DataPlaneSettings, DesiredState
from sealift_runtime.update.records import Deployment, InstalledBundle

BUNDLES = Path("/home/bundles")
DIGEST, RELEASE = Digest.of(b"bundle"), Digest.of(b"release")
KEY = "ab" * 32
TEN_YEARS_S = 10 * 365 * 86400


def installed(version: str, name: str = "linear") -> InstalledBundle:
    return InstalledBundle(
        name=name, version=version, digest=DIGEST, profile="x86-64", release=RELEASE, release_size=100, directory=BUNDLES / DIGEST.hex
    )


MEASURING = MeasuringPolicy(enabled=True, trusted_keys=(KEY,), max_bytes=512, max_s=300.0, memory_bytes=4096, reserve_bytes=7, sandbox=False)
CLIENTS = ClientLimits(body_mb=7, idle_s=9.5)
STATE = DesiredState(
    generation=7,
    models=(
        Deployment(name="linear", current=installed("1.1.0"), previous=installed("1.0.0")),
        Deployment(name="wear", current=installed("2.0.0", "wear"), previous=None),
    ),
    updates=("linear 1.1.0",),
    settings=DataPlaneSettings(window_s=60.0, window_rows=5, hosts=("models.example.org",), clients=CLIENTS, measuring=MEASURING),
)


def row(version: str) -> dict[str, Any]:
    return {"version": version, "digest": str(DIGEST), "profile": "x86-64", "release": str(RELEASE), "release_size_bytes": 100}


def written() -> dict[str, Any]:
    return dict(json.loads(STATE.to_bytes()))


def parse(document: dict[str, Any], where: str = "d") -> DesiredState:
    return DesiredState.parse(json.dumps(document).encode(), where=where, bundles=BUNDLES)


def test_the_document_says_exactly_this() -> None:
    assert written() == {
        "schema": "sealift.desired-state/1",
        "generation": 7,
        "models": {"linear": {"current": row("1.1.0"), "previous": row("1.0.0")}, "wear": {"current": row("2.0.0")}},
        "updates": ["linear 1.1.0"],
        "settings": {
            "monitoring": {"window_s": 60.0, "window_rows": 5},
            "serving": {"hosts": ["models.example.org"], "limits": dataclasses.asdict(CLIENTS)},
            "measuring": {
                "enabled": True,
                "trusted_keys": [KEY],
                "max_bytes": 512,
                "max_s": 300.0,
                "memory_bytes": 4096,
                "reserve_bytes": 7,
                "sandbox": False,
            },
        },
    }


def test_what_is_read_is_what_was_written_and_models_come_by_name() -> None:
    document = written()
    document["models"] = dict(reversed(document["models"].items()))
    assert parse(document) == STATE


def test_a_document_of_an_earlier_version_has_no_limits_and_is_read() -> None:
    document = written()
    del document["settings"]["serving"]["limits"]
    assert parse(document).settings.clients == ClientLimits()


@pytest.mark.parametrize(("name", "value"), [("body_mb", 0), ("body_mb", 1.5), ("queue", 0), ("idle_s", 0), ("header_s", 1e9), ("connections", "x")])
def test_limits_that_can_not_be_are_refused(name: str, value: object) -> None:
    document = written()
    document["settings"]["serving"]["limits"][name] = value
    with pytest.raises(DocumentError, match=f"d: settings.serving.limits.{name}"):
        parse(document)


def test_a_model_is_found_by_its_name_or_not_at_all() -> None:
    assert STATE.model("wear") == STATE.models[1]
    assert STATE.model("other") is None


def test_a_bundle_lies_where_the_store_has_it() -> None:
    model = parse(written()).model("linear")
    assert model is not None
    assert model.current is not None
    assert model.current.directory == BUNDLES / DIGEST.hex


def at(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return apply


SETTINGS = ("settings",)
CURRENT = ("models", "linear", "current")
BOUNDS: dict[str, tuple[tuple[str, ...], Any, Any]] = {
    "generation": (("generation",), 1, 0),
    "release_size_bytes": ((*CURRENT, "release_size_bytes"), 0, -1),
    "version": ((*CURRENT, "version"), "1.0.0-" + "a" * 122, "1.0.0-" + "a" * 123),
    "least window_s": (("settings", "monitoring", "window_s"), 0.05, 0.04),
    "most window_s": (("settings", "monitoring", "window_s"), TEN_YEARS_S, TEN_YEARS_S + 1),
    "window_rows": (("settings", "monitoring", "window_rows"), 1, 0),
    "hosts": (("settings", "serving", "hosts"), [f"h{number}.example.org" for number in range(100)], ["h.example.org"] * 101),
    "trusted_keys": (("settings", "measuring", "trusted_keys"), [KEY] * 100, [KEY] * 101),
    "fingerprint": (("settings", "measuring", "trusted_keys"), [KEY], [KEY + "a"]),
    "max_bytes": (("settings", "measuring", "max_bytes"), 1, 0),
    "max_s": (("settings", "measuring", "max_s"), 1, 0.9),
    "memory_bytes": (("settings", "measuring", "memory_bytes"), 1, 0),
    "reserve_bytes": (("settings", "measuring", "reserve_bytes"), 0, -1),
}


@pytest.mark.parametrize(("path", "good", "bad"), BOUNDS.values(), ids=BOUNDS)
def test_each_bound_is_where_it_is_written(path: tuple[str, ...], good: Any, bad: Any) -> None:
    document = written()
    at(*path, value=good)(document)
    read = json.loads(parse(document).to_bytes())
    for step in path:
        read = read[step]
    assert read == good
    at(*path, value=bad)(document)
    with pytest.raises((DocumentError, LimitError), match=path[-1]):
        parse(document)


REQUIRED = [
    ("generation",),
    ("models",),
    ("updates",),
    ("settings",),
    *((*CURRENT, key) for key in row("")),
    *(("settings", key) for key in ("monitoring", "serving", "measuring")),
    ("settings", "monitoring", "window_s"),
    ("settings", "monitoring", "window_rows"),
    ("settings", "serving", "hosts"),
    *(("settings", "measuring", key) for key in ("enabled", "trusted_keys", "max_bytes", "max_s", "memory_bytes", "reserve_bytes", "sandbox")),
]


@pytest.mark.parametrize("path", REQUIRED, ids=".".join)
def test_every_field_is_required(path: tuple[str, ...]) -> None:
    document = written()
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    with pytest.raises(DocumentError, match=rf"^d: (.*\.)?{path[-1]}: a required field is missing"):
        parse(document)


def test_a_name_that_is_none_is_refused_where_it_stands() -> None:
    document = written()
    document["models"]["../x"] = document["models"]["wear"]
    with pytest.raises(DocumentError, match=r"^d: models\.model name: malformed: .*found '\.\./x'"):
        parse(document)


def test_a_host_that_is_none_is_refused_in_the_documents_name() -> None:
    document = written()
    document["settings"]["serving"]["hosts"] = ["http://x/"]
    with pytest.raises(DocumentError, match=r"d: settings\.serving\.hosts: .*found .*http://x/"):
        parse(document)


@pytest.mark.parametrize("slot", ["digest", "release"])
def test_a_digest_that_is_none_is_refused_where_it_stands(slot: str) -> None:
    document = written()
    document["models"]["linear"]["previous"][slot] = "sha256:ab"
    with pytest.raises(DocumentError, match=rf"models\.linear\.previous\.{slot}: not a digest"):
        parse(document)
