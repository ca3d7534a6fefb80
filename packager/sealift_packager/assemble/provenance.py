"""The provenance of one bundle.

Sources: https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.signature import STATEMENT_TYPE
from sealift_core.clock import format_time
from sealift_core.schema.documents import Json, canonical_json

PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
#: What the parameters mean is said in docs/reference/build-outputs.md.
BUILD_TYPE: Final = "https://sealift.dev/pack/v1"
BUILDER: Final = "https://sealift.dev/packager"


def make_provenance(manifest: BundleManifest, contents: Mapping[str, Digest], tools: Mapping[str, str], options: Mapping[str, Json]) -> bytes:
    """The statement's bytes: its subjects are the bundle's files; they follow from the arguments alone.

    ``contents`` are the files by name with their digests, ``tools`` the versions of what built them, ``options`` what was asked of the build.
    """
    evaluation, moment = manifest.evaluation, format_time(manifest.created)
    materials: list[Json] = [_descriptor("source-model", manifest.lineage.source_digest, {"framework": manifest.model.source_framework})]
    if evaluation.holdout_digest is not None:
        materials.append(_descriptor("holdout", evaluation.holdout_digest, {"rows": evaluation.holdout_rows}))
    definition: dict[str, Json] = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"name": manifest.name, "version": manifest.version, "profile": manifest.profile.json(), **options},
        "internalParameters": {
            "precision": manifest.model.precision,
            "recipe": dict(manifest.model.recipe),
            "opset": manifest.model.opset,
            "measured": evaluation.measured,
        },
        "resolvedDependencies": materials + [_tool(name, version) for name, version in tools.items()],
    }
    details: dict[str, Json] = {
        "builder": {"id": BUILDER, "version": {"sealift-packager": tools["sealift-packager"]}},
        "metadata": {"startedOn": moment, "finishedOn": moment},
    }
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest.hex}} for name, digest in contents.items()],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"buildDefinition": definition, "runDetails": details},
        }
    )


def _descriptor(name: str, digest: str, annotations: dict[str, Json]) -> Json:
    return {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}, "annotations": annotations}


def _tool(name: str, version: str) -> Json:
    purl_type = "generic" if name == "python" else "pypi"
    return {"name": name, "uri": f"pkg:{purl_type}/{name}@{version}", "annotations": {"version": version}}
