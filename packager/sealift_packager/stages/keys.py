"""What a stage's result depends on: content, never names or times."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from sealift_packager.content import content_digest, model_digest
from sealift_packager.request import PackRequest
from sealift_runtime.bundle.digest import Digest
from sealift_runtime.bundle.profile import HardwareProfile
from sealift_runtime.documents import Json, canonical_json


def build_inputs(request: PackRequest) -> dict[str, Json] | None:
    """What a build is made from, by content: source and data digests and the options that decide; None if something can't be read."""
    try:
        source = str(model_digest(request.model))
        data = str(content_digest(request.data)) if request.data else None
    except OSError:  # loading it will say what is wrong
        return None
    return {"source": source, "data": data, **request.options()}


def profile_digest(profile: HardwareProfile) -> str:
    """Of a hardware profile's content."""
    return str(Digest.of(canonical_json(profile.json())))


def user_code() -> dict[str, str]:
    """The Python files that were imported and are neither a distribution's nor Python's own nor ours: a person's factory or metric, by digest."""
    own = Path(__file__).parents[1]
    roots = [Path(sys.prefix), Path(sys.base_prefix), own, *(Path(place) for place in set(sysconfig.get_paths().values()))]
    found: dict[str, str] = {}
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not name or not name.endswith(".py"):
            continue
        path = Path(name).absolute()
        if path.is_file() and not any(path.is_relative_to(root) for root in roots) and "sealift_runtime" not in path.parts:
            found[str(path)] = str(Digest.of_file(path))
    return dict(sorted(found.items()))


def changed(files: Mapping[str, str]) -> bool:
    """Whether one of these files has another content now, or is gone."""
    return any(not Path(name).is_file() or str(Digest.of_file(Path(name))) != digest for name, digest in files.items())
