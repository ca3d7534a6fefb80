"""The ML-BOM of one bundle.

Source: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Final

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.evaluation import Accuracy
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.clock import format_time
from sealift_core.schema.documents import Json, canonical_json
from sealift_packager.assemble.licenses import licenses

SPEC_VERSION: Final = "1.6"
#: What a metric says about the task; an own metric says nothing.
TASKS: Final = {
    "accuracy": "classification",
    "f1": "classification",
    "auc": "classification",
    "mae": "regression",
    "rmse": "regression",
    "r2": "regression",
}


def make_bom(manifest: BundleManifest, contents: Mapping[str, Digest], tools: Mapping[str, str]) -> bytes:
    """The BOM's bytes; they follow from the arguments alone.

    ``contents`` are the bundle's other files by name with their digests, ``tools`` the versions of what built it.
    """
    fields: dict[str, Json] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": {
            "timestamp": format_time(manifest.created),
            "tools": {"components": [_tool(name, version) for name, version in tools.items()]},
            "component": _model(manifest, contents),
            "properties": _properties({"sealift:profile": manifest.profile.name}),
        },
        "components": [_source(manifest), *_data(manifest), *(_file(name, digest) for name, digest in contents.items())],
        "dependencies": _dependencies(manifest, contents),
    }
    seed = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    return canonical_json(fields | {"serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'sealift:{seed}')}"})


def _tool(name: str, version: str) -> Json:
    if name == "python":
        return {"type": "platform", "name": "CPython", "version": version}
    return {"type": "application", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}


def _model(manifest: BundleManifest, contents: Mapping[str, Digest]) -> Json:
    weights = [name for name in contents if name.startswith("weights/")]
    fields: dict[str, Json] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description or f"{manifest.name} for {manifest.profile.summary}",
        "hashes": _hashes(str(contents[manifest.model.file])),
        "pedigree": {"ancestors": [_source(manifest, ref="")], "notes": _notes(manifest, weights)},
        "modelCard": _card(manifest),
        "properties": _properties(
            {
                "sealift:precision": manifest.model.precision,
                "sealift:opset": str(manifest.model.opset),
                "sealift:recipe": json.dumps(manifest.model.recipe, sort_keys=True),
                "sealift:source-framework": manifest.model.source_framework,
                "sealift:onnxruntime": manifest.requires.onnxruntime,
            }
        ),
    }
    return fields | ({"licenses": licenses(manifest.license)} if manifest.license else {})


def _notes(manifest: BundleManifest, weights: list[str]) -> str:
    stored = f"; its weights are in {len(weights)} files beside the graph" if weights else ""
    return f"Converted from {manifest.model.source_framework} to ONNX opset {manifest.model.opset}, as {manifest.model.precision}{stored}."


def _source(manifest: BundleManifest, ref: str = "source-model") -> Json:
    fields: dict[str, Json] = {
        "type": "machine-learning-model",
        "name": f"{manifest.name} (source)",
        "description": f"The trained model as it was given: {manifest.model.source_framework}.",
        "hashes": _hashes(manifest.lineage.source_digest),
    }
    return {"bom-ref": ref} | fields if ref else fields


def _data(manifest: BundleManifest) -> list[Json]:
    digest, rows = manifest.evaluation.holdout_digest, manifest.evaluation.holdout_rows
    if digest is None:
        return []
    described = f"{rows} held-out rows, on which candidates were calibrated and evaluated. The bundle contains only statistics of them."
    data: Json = {"type": "dataset", "name": "holdout", "description": described}
    return [{"type": "data", "bom-ref": "holdout", "name": "holdout data", "hashes": _hashes(digest), "data": [data]}]


def _file(name: str, digest: Digest) -> Json:
    return {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": _hashes(str(digest))}


def _dependencies(manifest: BundleManifest, contents: Mapping[str, Digest]) -> list[Json]:
    used = ["source-model", *(["holdout"] if manifest.evaluation.holdout_digest else []), *(f"file:{name}" for name in contents)]
    return [{"ref": "model", "dependsOn": sorted(used)}, *({"ref": ref} for ref in sorted(used))]


def _card(manifest: BundleManifest) -> Json:
    evaluation = manifest.evaluation
    parameters: dict[str, Json] = {
        "inputs": [{"format": _tensor(spec)} for spec in manifest.inputs],
        "outputs": [{"format": _tensor(spec)} for spec in manifest.outputs],
    }
    if evaluation.accuracy is not None:
        parameters |= {"datasets": [{"ref": "holdout"}], "approach": {"type": "supervised"}}
        task = TASKS.get(evaluation.accuracy.metric)
        parameters |= {"task": task} if task else {}
    card: dict[str, Json] = {"modelParameters": parameters, "considerations": {"technicalLimitations": _limitations(manifest)}}
    if evaluation.accuracy is not None:
        card["quantitativeAnalysis"] = {"performanceMetrics": _metrics(evaluation.accuracy)}
    return card


def _tensor(spec: TensorSpec) -> str:
    return f"{spec.name}: {spec.dtype} [{', '.join(map(str, spec.shape))}]"


def _metrics(accuracy: Accuracy) -> list[Json]:
    loss: Json = {
        "type": f"loss of {accuracy.metric} against the source model",
        "value": repr(accuracy.loss),
        "slice": "holdout",
        "confidenceInterval": {"lowerBound": repr(accuracy.loss_low), "upperBound": repr(accuracy.loss_high)},
    }
    return [{"type": accuracy.metric, "value": repr(accuracy.packaged), "slice": "holdout"}, loss]


def _limitations(manifest: BundleManifest) -> list[Json]:
    limitations: list[Json] = [
        f"Built for {manifest.profile.name} ({manifest.profile.summary}); needs onnxruntime {manifest.requires.onnxruntime}.",
        f"Latency, memory and load time: {manifest.evaluation.measured}.",
    ]
    return limitations if manifest.evaluation.accuracy else [*limitations, "Not evaluated: it was packaged without holdout data."]


def _properties(values: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _hashes(digest: str) -> list[Json]:
    return [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]
