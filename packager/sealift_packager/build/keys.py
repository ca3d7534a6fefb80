"""What a stage's result depends on: content, never names or places or times. Each stage of a build is a function here, of all that goes into it.

0. Every stage (`base`): model with external weights, data, the factory's code, the options that decide, versions of everything installed, the
   packager's own code, and the machine's arithmetic; and it is done again if a module of a person's own that was imported then is another one now.
1. Convert: nothing more.
2. Check parity: the converted graph.
3. Run the source model on the holdout: nothing more.
Of a profile, the profile and the gate (metric with its code, output, and budget):
4. Build and judge a candidate: its settings, the converted graph, the source's answers, the emulator.
5. Measure latency and memory: the candidates' graphs, and the place: the host with all its flags, the node or device, and the seconds.
6. Golden cases and baseline: the chosen candidate with its graph, its answers, and what the graph takes and gives.
7. Everything: the measurements that a lock gives, the emulator, and 5's place; its models follow from 0.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

from sealift_core.bundle.digest import Digest
from sealift_core.drift.baseline import Baseline
from sealift_core.hardware.cpu_flags import ARITHMETIC_PREFIXES
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json, canonical_json
from sealift_packager.assemble.golden import Golden
from sealift_packager.build.profile_result import ProfileResult
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.serialization import fingerprint, to_json
from sealift_packager.cache.stage import Stage
from sealift_packager.cache.tools import all_versions, environment
from sealift_packager.candidates.candidate import Candidate
from sealift_packager.candidates.figures import Figures
from sealift_packager.candidates.from_profile import FP32
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.data.left_out import LeftOut
from sealift_packager.graph.content import content_digest, model_digest
from sealift_packager.graph.result import Converted
from sealift_packager.graph.tensors import bytes_by_content
from sealift_packager.measure.host import Host
from sealift_packager.model.source import Array
from sealift_packager.parity.check import Parity
from sealift_packager.plugins.user_code import code_of

#: Inputs of a build that only matter once candidates are judged; see `Gate`.
_OF_THE_GATE = ("metric", "metric_code", "output", "max_drop")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What decides whether a candidate passes; ``code`` are the modules of factory and metric, with digests."""

    metric: str | None
    output: str | None
    max_drop: float | None
    code: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and for how long figures are taken: the host (this machine, or a device), all CPU flags of this machine, and the seconds.

    ``node`` keeps the figures of two machines apart: a name of this one, or the device's URL (`Host` has its id beside). Where nothing is measured
    it is empty, and ``seconds`` are 0.
    """

    host: Host
    node: str
    cpu_flags: frozenset[str]
    seconds: float


def base(request: PackRequest, inputs: Mapping[str, Json] | None, machine: Machine) -> dict[str, Json] | None:  # 0
    """What every stage depends on, or None where the content can't be told; ``inputs`` are those of `build_inputs`."""
    if inputs is None:
        return None
    return {
        "inputs": {name: value for name, value in inputs.items() if name not in _OF_THE_GATE},
        "tools": all_versions(),
        "environment": environment(),
        "suffix": request.data.suffix if request.data else "",
        "arithmetic": _arithmetic(machine),
    }


def conversion(framework: str) -> Stage[Converted]:  # 1
    """The source as a graph."""
    return Stage(title=f"Convert from {framework}", result=Converted)


def parity(converted: Converted) -> Stage[Parity]:  # 2
    """Whether the graph answers like the source."""
    return Stage(title="Check parity with the source", result=Parity, inputs={"converted": value_digest(converted)})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswers:
    """What the source answers on the holdout, by output name, without the rows that it refuses."""

    answers: dict[str, Array]
    left_out: tuple[LeftOut, ...]


def source_answers() -> Stage[SourceAnswers]:  # 3
    """What the source answers on the holdout."""
    return Stage(title="Run the source model on the holdout", result=SourceAnswers)


def fp32(profile: HardwareProfile, gate: Gate, *, reference: str, emulator: str) -> Stage[CandidateResult]:  # 4
    """The converted graph, judged."""
    inputs = _judging(profile, gate, FP32, reference, emulator)
    return Stage(title=f"{profile.name}: build and evaluate {FP32.name}", result=CandidateResult, inputs=inputs)


def quantized(profile: HardwareProfile, gate: Gate, candidate: Candidate, *, reference: str, emulator: str) -> Stage[CandidateResult | NotBuilt]:  # 4
    """A candidate, built and judged; ``reference`` is the digest of the graph and of the source's answers."""
    inputs = _judging(profile, gate, candidate, reference, emulator)
    return Stage(title=f"{profile.name}: build and evaluate {candidate.name}", result=CandidateResult | NotBuilt, inputs=inputs)


def measuring(profile: HardwareProfile, gate: Gate, results: Sequence[CandidateResult], place: Place) -> Stage[dict[str, Figures]]:  # 5
    """Figures by candidate."""
    graphs = value_digest([[result.candidate, result.model] for result in results])
    inputs = {**_of_profile(profile, gate), **_of_place(place), "candidates": graphs}
    return Stage(title=f"{profile.name}: measure latency and memory", result=dict[str, Figures], inputs=inputs)


def golden_and_baseline(profile: HardwareProfile, gate: Gate, chosen: CandidateResult, converted: Converted) -> Stage[tuple[Golden, Baseline]]:  # 6
    """What a device is tested by, and what it watches drift by."""
    outputs = chosen.judgement.outputs if chosen.judgement else {}
    digest = value_digest([chosen.candidate, chosen.model, outputs, converted.inputs, converted.outputs])
    inputs = {**_of_profile(profile, gate), "chosen": digest}
    return Stage(title=f"{profile.name}: golden cases and baseline", result=tuple[Golden, Baseline], inputs=inputs)


def everything(profile: HardwareProfile, gate: Gate, place: Place, *, locked: str, emulator: str) -> Stage[ProfileResult]:  # 7
    """All of a profile's bundle; ``locked`` is the fingerprint of the measurements that a lock gives."""
    inputs = {**_of_profile(profile, gate), **_of_place(place), "given": locked, "emulator": emulator}
    return Stage(title=f"{profile.name}: everything", result=ProfileResult, inputs=inputs, outermost=True)


def _of_profile(profile: HardwareProfile, gate: Gate) -> dict[str, Json]:
    return {"profile": profile.json(), "gate": to_json(gate)}


def _judging(profile: HardwareProfile, gate: Gate, candidate: Candidate, reference: str, emulator: str) -> dict[str, Json]:
    return {**_of_profile(profile, gate), "candidate": to_json(candidate), "reference": reference, "emulator": emulator}


def _of_place(place: Place) -> dict[str, Json]:
    return {"place": to_json(place)}


def build_inputs(request: PackRequest) -> dict[str, Json] | None:
    """What a build is made from, by content: source, data and one's own code as digests, the options that decide; None if something can't be read."""
    try:
        source = str(model_digest(request.model))
        data = str(content_digest(request.data)) if request.data else None
        code: dict[str, Json] = {"factory_code": _code_digest(request.factory), "metric_code": _code_digest(request.metric)}
        options = request.options()
    except OSError:  # loading it will say what is wrong
        return None
    return {"source": source, "data": data, **code, **options}


def _code_digest(reference: str | None) -> str | None:
    files: dict[str, Json] = {**code_of(reference)}
    return str(Digest.of(canonical_json(files))) if files else None


def profile_digest(profile: HardwareProfile) -> str:
    """Of a hardware profile's content."""
    return str(Digest.of(canonical_json(profile.json())))


def _arithmetic(machine: Machine) -> dict[str, Json]:
    """What of this machine decides what is computed on it: a cache may be shared by several."""
    return {"arch": machine.arch, "flags": sorted(flag for flag in machine.cpu_flags if flag.startswith(ARITHMETIC_PREFIXES))}


def value_digest(value: object) -> str:
    """Of what a stage made, for a stage that is made from it; weights in files count by what they are. Raises ``OSError``."""
    return hashlib.sha256(fingerprint(value, bytes_by_content)).hexdigest()
