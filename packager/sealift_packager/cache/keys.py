"""What an entry of the cache is found by. What a stage's result depends on is said in one place too: `build.keys`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sealift_core.schema.documents import Json
from sealift_packager.cache.tools import code_digest


def entry_key(title: str, result: object, inputs: Mapping[str, Json], base: Mapping[str, Json]) -> str:
    """Of a stage by its title and the type of its result, of all that goes into it, of what goes into all stages, and of Sealift's own code."""
    identity = {"base": dict(base), "depends": dict(inputs), "title": title, "kind": str(result), "code": code_digest()}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def key_apart(model: str, key: str) -> str:
    """Another key for each model (``model`` is its digest): a process that reads an unknown one can't write what another model's build reads."""
    return hashlib.sha256(f"{model} {key}".encode()).hexdigest()
