"""What a stage's result depends on: content, never names or places or times.

0. Every stage: model with external weights, data, the factory's code, the options that decide, versions of everything installed, the packager's own
   code, and the machine's arithmetic; and it is done again if a module of a person's own that was imported then is another one now.
1. Convert: nothing more.
2. Check parity: the converted graph.
3. Ask the source on the holdout: nothing more.
Of a profile, the profile, metric (with its code) and budget:
4. Build and judge a candidate: its spec, the converted graph, the source's answers, the emulator.
5. Measure latency and memory: the built candidates, the host with all its flags, the node or device, and the seconds.
6. Golden cases and baseline: the chosen candidate with its graph, its answers, and what the graph takes and gives.
7. Everything: the evidence that a lock gives, the emulator, and 5's host, node and seconds; its models follow from 0.
"""

from __future__ import annotations

import hashlib
import json

from sealift_core.bundle.digest import Digest
from sealift_core.hardware.cpu_flags import ARITHMETIC_PREFIXES
from sealift_core.hardware.machine import Machine
from sealift_core.hardware.profile import HardwareProfile
from sealift_core.schema.documents import Json, canonical_json
from sealift_packager.build.request import PackRequest
from sealift_packager.cache.structure import encode
from sealift_packager.graph.content import content_digest, model_digest
from sealift_packager.graph.tensors import bytes_by_content
from sealift_packager.plugins.user_code import code_of


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


def arithmetic(machine: Machine) -> dict[str, Json]:
    """What of this machine decides what is computed on it: a cache may be shared by several."""
    return {"arch": machine.arch, "flags": sorted(flag for flag in machine.cpu_flags if flag.startswith(ARITHMETIC_PREFIXES))}


def value_digest(value: object) -> str:
    """Of what a stage made, for a stage that is made from it; weights in files count by what they are. Raises ``OSError``."""
    parts: list[bytes] = []
    total = hashlib.sha256(json.dumps(encode(value, parts, bytes_by_content), sort_keys=True).encode())
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
