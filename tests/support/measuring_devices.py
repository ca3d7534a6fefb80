"""Devices that measure for whoever has a key, and the jobs they are given."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from sealift_core.bundle.digest import Digest
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.messages.measuring import Run
from sealift_core.signing.keys import PrivateKey
from sealift_packager.build.request import PackRequest
from sealift_packager.measure.device import DeviceJob, inputs_file
from sealift_packager.measure.device_address import DeviceAddress
from support import trained
from support.agents import AgentUnderTest
from support.models import CORPUS, MODELS
from support.packing import KEY, here, request

#: Few samples: these tests look at who measured, not at how fast it was.
QUICK_S = 0.2

LINEAR = (CORPUS / "linear" / "model.onnx").read_bytes()

X = inputs_file(MODELS["linear"].requests[0])


def trusting(key: PrivateKey, **settings: str) -> dict[str, str]:
    trusted = {"measuring__enabled": "true", "measuring__trusted_keys": json.dumps([key.public_key.fingerprint]), "timing__poll_s": "30"}
    return trusted | settings


def address(agent: AgentUnderTest, **changes: str) -> DeviceAddress:
    return dataclasses.replace(DeviceAddress(url=agent.url, device=agent.status()["device"]), **changes)


def on(agent: AgentUnderTest, out: Path, profile: HardwareProfile | None = None, **changes: object) -> PackRequest:
    """A build whose one profile is measured on the device."""
    chosen = profile or here(threads=(1, 2))
    return request(trained.onnx_net(), out, chosen, measure_seconds=QUICK_S, measure_on=(address(agent, profile=chosen.name),), **changes)


def left(agent: AgentUnderTest) -> list[Path]:
    return list((agent.home / "measuring").glob("*"))


def job(agent: AgentUnderTest, key: PrivateKey = KEY, data: bytes = LINEAR, inputs: bytes = X) -> DeviceJob:
    return DeviceJob(address(agent), key, {Digest.of(content): content for content in (data, inputs)})


def linear(threads: int = 1, data: bytes = LINEAR) -> Run:
    return Run(name=f"linear {threads}", model=Digest.of(data), threads=threads, graph_optimization="all", config={})
