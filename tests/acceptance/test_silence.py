"""Nothing leaves a machine but what was configured, and nothing is left in a user's home but Sealift's own cache: as the kernel saw it.

A library that reports to its maker may wait before it does, so the agent serves for longer here than in tests/journey/test_silence.py. What the
test would see otherwise is shown by the same agent with the telemetry of onnxruntime let on.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support import trained
from support.silence import AGENT, HUB, device_journey, left_in, make_loud, watched, why_not

LACKING = why_not()
pytestmark = [pytest.mark.skipif(bool(LACKING), reason=LACKING), pytest.mark.timeout(900)]
#: onnxruntime 1.31 first sends about 9 s after it was imported, and every 5 to 15 s from then on.
SERVING_S = 45

VENDOR = """
set -eu
sealift keys generate "$PWD/keys/bundle.pem"
{packs}
sealift repo init "$PWD/repository"
for name in {names}; do
    release=release-$name
    sealift verify "$release" --public-key keys/bundle.pem.pub
    sealift inspect "$release" > /dev/null
    sealift explain "$release" > /dev/null
    sealift repo add "$PWD/repository" "$release"
    sealift repo promote "$PWD/repository" "$name" 1.0.0 --channel stable
done
sealift unpack release-digits --profile arm64-dotprod "$PWD/unpacked"
sealift profiles detect
"""
#: Two profiles, so that one is measured here, and the other emulated where it can be.
PACK = """sealift pack {model} --name {name} --version 1.0.0 --profile x86-64-avx2 --profile arm64-dotprod --trust-pickle \\
    --data {data} --target {target} --key keys/bundle.pem --out "$PWD/release-{name}"
"""


def test_an_agent_that_serves_for_long_connects_to_its_hub_alone(tmp_path: Path) -> None:
    seen = device_journey(tmp_path, SERVING_S)
    assert seen.addresses_beside(tmp_path) == {HUB, AGENT}
    assert seen.created_outside(tmp_path) == []
    assert left_in(tmp_path / "home", tmp_path / "tmp") == []


def test_the_same_agent_with_telemetry_is_seen_to_look_for_others_and_leave_something(tmp_path: Path) -> None:
    seen = device_journey(tmp_path, SERVING_S, make_loud(tmp_path / "loud"))
    assert any(address.endswith(":53") for address in seen.addresses_beside(tmp_path) - {HUB, AGENT})
    assert list((tmp_path / "home").rglob("onnxruntime.db")) != []
    assert "failed  telemetry     may be on: here" in (tmp_path / "doctor.txt").read_text()


def test_packing_publishing_and_reading_connect_to_nothing_and_leave_nothing_but_the_cache(tmp_path: Path) -> None:
    models = {"cancer": trained.cancer(), "forest": trained.forest(), "digits": trained.program(), "net": trained.onnx_net()}
    packs = "".join(PACK.format(model=what.model, name=name, data=what.data, target=what.target) for name, what in models.items())
    seen = watched(tmp_path, "sh", "-c", VENDOR.format(packs=packs, names=" ".join(models)), variables={}, timeout_s=800)
    assert seen.addresses_beside(tmp_path) == set()
    assert seen.created_outside(tmp_path) == []
    assert [path.name for path in (tmp_path / "home").rglob("*") if path.parent.name == ".cache"] == ["sealift"]
    assert left_in(tmp_path / "tmp") == []
