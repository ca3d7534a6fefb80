"""A vendor, a hub and a device of an earlier version, all brought to today's at once: they go on where they were."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from sealift_core.signing.keys import PrivateKey
from support.agents import device, wait_until
from support.cli import call
from support.hub import running_hub
from support.made_before import COMMITS, MadeBefore, give_device_key, resign_repository
from support.models import make_bundle, make_release

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the home is that of an x86-64 machine")


@pytest.mark.parametrize("commit", COMMITS)
def test_what_the_vendor_publishes_today_comes_to_the_device_of_then_and_its_reports_to_the_hub(commit: str, tmp_path: Path) -> None:
    made = MadeBefore.copy(commit, tmp_path / "made")
    resign_repository(made)
    key, vendor_key = give_device_key(made), PrivateKey.generate()
    make_bundle(tmp_path / "bundle", name="iris", version="2.0.0", key=vendor_key)
    make_release(tmp_path / "layout", tmp_path / "bundle", key=vendor_key)
    call("sealift", "repo", "add", made.repository, tmp_path / "layout", "--new-key").ok()
    call("sealift", "repo", "promote", made.repository, "iris", "2.0.0", "--channel", "stable").ok()
    with running_hub(made.hub, made.repository) as hub, device(made.home) as agent:
        url = f"/api/v1/devices/{key.public_key.fingerprint}"
        agent.init(f"{hub.url}/repository", made.home / "root.json", "--hub", hub.url)
        agent.start()
        wait_until(lambda: agent.serving("iris") == "2.0.0", 60, "iris 2.0.0 to serve")
        assert agent.serving("digits") == "1.0.0"

        def shown() -> dict[str, str]:
            return {model["name"]: model["version"] for model in hub.get(url).json()["models"]}

        wait_until(lambda: shown() == {"iris": "2.0.0", "digits": "1.0.0"}, 60, "the hub to know")
        assert hub.get(url).json()["conflict"] is None
