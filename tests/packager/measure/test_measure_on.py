"""``sealift pack --measure-on``: candidates measured on a real agent, what it refuses, and what happens when it goes away."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sealift_core.bundle.digest import Digest
from sealift_core.errors import HardwareError
from sealift_core.hardware.machine import detect_machine
from sealift_core.messages.measuring import JOBS, STEPS
from sealift_core.signing.keys import PrivateKey
from sealift_packager.build import pipeline
from sealift_packager.build.pipeline import pack
from sealift_packager.cache.store import StageStore
from sealift_packager.errors import DeviceError, DeviceRefusedError, PackagerError, ProfileError
from sealift_packager.lock.lockfile import read_lock
from sealift_packager.measure import device as client
from sealift_packager.measure import figures, on_device
from sealift_packager.measure.device import DeviceJob, _BusyError
from sealift_packager.progress.progress import Silent
from support import trained
from support.agents import AgentUnderTest, device, wait_until
from support.cli import run
from support.measuring_devices import QUICK_S, X, address, job, left, linear, on, trusting
from support.packing import KEY, elsewhere, here, request
from support.repositories import Repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("repository") / "it", now=datetime.datetime.now(datetime.UTC).replace(microsecond=0))
    made.add_release("1.0.0")
    return made


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, repository: Repository) -> Iterator[AgentUnderTest]:
    """A device that serves a model, and measures for whoever has `KEY`."""
    with device(tmp_path_factory.mktemp("device") / "home") as made:
        made.init(repository.directory, repository.metadata / "1.root.json", **trusting(KEY, measuring__max_mb="4", measuring__max_s="40"))
        made.start()
        wait_until(lambda: made.serving() == "1.0.0" and made.status()["models"][0]["state"] == "committed", 60, "the model to be committed")
        yield made


@pytest.mark.long
def test_candidates_are_measured_on_the_device_and_a_locked_build_needs_it_no_more(
    agent: AgentUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "open_session", None)  # whoever measures on this machine fails
    first = pack(on(agent, tmp_path / "out"))
    evaluation = first.manifests["any-cpu"].evaluation
    device_id = agent.status()["device"]
    assert f"device {device_id[:16]}" in evaluation.measured
    candidates = {candidate.name: candidate for candidate in evaluation.candidates}
    for name in ("fp32", "int8-static"):
        measured = candidates[name].measurement
        assert measured is not None
        assert 0 < measured.latency_p50_ms <= measured.latency_p99_ms
        assert measured.load_time_ms > 0
        assert measured.throughput_rows_per_s is not None
        assert measured.throughput_rows_per_s > 0
        assert measured.throughput_batch_size in (1, 4, 16, 32)
        assert measured.peak_memory_bytes > 10 * 2**20
        assert device_id[:16] in measured.machine
    assert candidates["int8-static"].speedup is not None
    assert left(agent) == []
    assert agent.serving() == "1.0.0"

    monkeypatch.setattr(requests.Session, "request", None)  # whoever asks the device fails
    second = pack(on(agent, tmp_path / "again"), lock=first.lock)
    assert second.digest == first.digest


@pytest.mark.long
def test_the_graph_level_that_is_quickest_there_is_what_the_bundle_has(
    agent: AgentUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def quickest(samples: dict[str, object]) -> str:
        seen.append(set(samples))
        return "basic"

    monkeypatch.setattr(on_device, "quickest_level", quickest)
    manifest = pack(on(agent, tmp_path / "out", here(precisions=("fp32",)))).manifests["any-cpu"]
    assert seen == [{"all", "extended", "basic"}]
    assert manifest.session.graph_optimization == "basic"


@pytest.mark.long
def test_the_cache_keeps_devices_apart(agent: AgentUnderTest, tmp_path: Path) -> None:
    cache = StageStore(tmp_path / "cache")
    profile = here(precisions=("fp32",))
    local = pack(request(trained.onnx_net(), tmp_path / "local", profile, measure_seconds=QUICK_S), Silent(), cache=cache)
    remote = pack(on(agent, tmp_path / "remote", profile), Silent(), cache=cache)
    again = pack(on(agent, tmp_path / "again", profile), Silent(), cache=cache)
    measured = [build.manifests["any-cpu"].evaluation.measurement for build in (local, remote, again)]
    assert measured[0] != measured[1]
    assert measured[1] == measured[2]


@pytest.mark.long
def test_the_installed_command_does_it_from_a_sealift_toml(agent: AgentUnderTest, tmp_path: Path) -> None:
    what = trained.onnx_net()
    KEY.save(tmp_path / "key.pem")
    profile = f"""
        name = "mine"
        summary = "this test's own"
        cpu.arch = "{here().cpu.arch}"
        runtime = {{onnxruntime = ">=1.20", providers = ["CPUExecutionProvider"]}}
        int8 = {{activation = "uint8", weight = "int8", reduce_range = true, per_channel = true}}
        search = {{precisions = ["fp32"], threads = [1], objective = ["latency_p50"]}}
    """
    (tmp_path / "mine.toml").write_text(profile)
    (tmp_path / "sealift.toml").write_text(
        f'[pack]\nmodel = "{what.model}"\nname = "net"\nversion = "1.0.0"\nprofile = ["./mine.toml"]\ndata = "{what.data}"\n'
        f'key = "key.pem"\nout = "out"\nmeasure-seconds = {QUICK_S}\nmeasure-on = ["mine={agent.url}#{agent.status()["device"]}"]\n'
    )
    done = run("sealift", "pack", "--config", "sealift.toml", "--json", "--no-cache", cwd=tmp_path).ok()
    measured = done.json["bundles"][0]["manifest"]["evaluation"]["measured"]
    assert agent.status()["device"][:16] in measured
    assert "figures" in read_lock(tmp_path / "sealift.lock").profiles["mine"].measured


def test_a_profile_that_this_machine_can_not_measure_goes_to_the_device(
    agent: AgentUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(detect_machine(), arch=elsewhere().cpu.arch)
    monkeypatch.setattr(pipeline, "detect_machine", lambda: other)
    job_request = request(trained.onnx_net(), tmp_path / "out", here(precisions=("fp32",)))
    assert pack(job_request).manifests["any-cpu"].evaluation.measured == "not measured on this hardware"
    measured = pack(dataclasses.replace(job_request, measure_on=(address(agent),), force=True)).manifests["any-cpu"].evaluation.measured
    assert agent.status()["device"][:16] in measured


def test_a_large_file_goes_in_pieces(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PIECE_BYTES", 100)
    with job(agent) as begun:
        assert begun.footprint(Digest.of(X), linear())[0] > 0


def test_a_device_that_does_not_fit_the_profile_is_refused_saying_why(agent: AgentUnderTest, tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=rf"doesn't fit the profile elsewhere \(.*{elsewhere().cpu.arch} is needed"):
        pack(request(trained.onnx_net(), tmp_path / "out", measure_on=(address(agent),)))
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_is_refused_with_the_fingerprint_to_trust(agent: AgentUnderTest) -> None:
    stranger = PrivateKey.generate()
    with (
        pytest.raises(DeviceRefusedError, match=rf"doesn't accept measuring jobs from this key.*{stranger.public_key.fingerprint}.*trusted_keys"),
        job(agent, stranger),
    ):
        pass


def test_another_device_than_the_one_that_is_meant_is_refused(agent: AgentUnderTest) -> None:
    with (
        pytest.raises(DeviceRefusedError, match="another device answered"),
        DeviceJob(address(agent, device="0" * 64), KEY, {}),
    ):
        pass


def test_more_than_the_device_takes_is_refused_before_it_is_sent(agent: AgentUnderTest) -> None:
    with pytest.raises(DeviceError, match=r"too large for this device.*measuring\.max_mb"), job(agent, data=bytes(5 * 2**20)):
        pass


@pytest.mark.parametrize("path", [JOBS, STEPS])
def test_a_replayed_request_is_refused(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    sent: list[bytes] = []
    ask = DeviceJob._ask

    def keeping(self: DeviceJob, method: str, place: str, body: bytes | None = None, **options: float) -> object:
        if place == path and body is not None:
            sent.append(body)
        return ask(self, method, place, body, **options)

    monkeypatch.setattr(DeviceJob, "_ask", keeping)
    with job(agent) as begun:
        begun.footprint(Digest.of(X), linear())
        with pytest.raises(DeviceRefusedError, match="already used|out of order"):
            while True:
                with contextlib.suppress(_BusyError):  # the agent updates itself for a moment now and then
                    ask(begun, "POST", path, sent[0])


def test_nobody_else_is_measured_for_at_the_same_time(agent: AgentUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BUSY_WAIT_S", 0.0)
    with job(agent) as first:
        with pytest.raises(DeviceError, match="already working on another measuring job"), job(agent):
            pass
        samples = first.latency(Digest.of(X), [linear(1), linear(2)], seconds=0.1, rounds=(10, 20))
        assert {len(values) for values in samples.values()} <= set(range(10, 21))


def test_what_is_no_model_says_so_and_leaves_nothing(agent: AgentUnderTest) -> None:
    with pytest.raises(DeviceError, match="does not load"), job(agent, data=b"no graph") as begun:
        begun.footprint(Digest.of(X), linear(data=b"no graph"))
    assert left(agent) == []


def test_a_device_for_a_profile_that_is_not_built_and_a_build_without_a_key_are_refused(agent: AgentUnderTest, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="a profile that isn't built"):
        request(trained.onnx_net(), tmp_path / "out", here(), measure_on=(address(agent, profile="other"),))
    with pytest.raises(PackagerError, match="needs a key"):
        pack(on(agent, tmp_path / "out", signer=None))
