"""Metadata, configuration and statistics of models, as the protocol and Triton's extensions write them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sealift_core.bundle.tensors import TensorSpec
from sealift_runtime import __version__
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.inference.table import AbsentModel

PLATFORM: Final = "onnxruntime_onnx"
#: For tools that ask how large a batch may be. There is no bound but the size of a request's body.
MAX_BATCH_HINT: Final = 1024
_EXTENSIONS: Final = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")
_CONFIG_TYPES: Final = {"BYTES": "TYPE_STRING"}


def server_metadata() -> dict[str, Any]:
    """The answer to ``GET /v2``."""
    return {"name": "sealift", "version": __version__, "extensions": list(_EXTENSIONS)}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """The answer to ``GET /v2/models/M``; a free dimension is -1. What a tensor's values mean is in its ``parameters``."""
    manifest = model.session.manifest
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": PLATFORM,
        "inputs": [_tensor(spec) for spec in manifest.inputs],
        "outputs": [_tensor(spec) for spec in manifest.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    fields = {"name": spec.name, "datatype": spec.datatype, "shape": _sizes(spec)}
    meaning = spec.meaning()
    return fields | {"parameters": meaning} if meaning else fields


def _sizes(spec: TensorSpec) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in spec.shape]


def model_config(model: ServedModel) -> dict[str, Any]:
    """The answer to ``GET /v2/models/M/config``; dimensions leave the batch out where there is one."""
    manifest = model.session.manifest
    firsts = {spec.shape[0] if spec.shape else 0 for spec in (*manifest.inputs, *manifest.outputs)}
    batched = len(firsts) == 1 and isinstance(next(iter(firsts)), str)
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": MAX_BATCH_HINT if batched else 0,
        "input": [_config_tensor(spec, batched=batched) for spec in manifest.inputs],
        "output": [_config_tensor(spec, batched=batched) for spec in manifest.outputs],
    }


def _config_tensor(spec: TensorSpec, *, batched: bool) -> dict[str, Any]:
    data_type = _CONFIG_TYPES.get(spec.datatype, f"TYPE_{spec.datatype}")
    return {"name": spec.name, "data_type": data_type, "dims": _sizes(spec)[1:] if batched else _sizes(spec)}


def model_statistics(models: Sequence[ServedModel]) -> dict[str, Any]:
    """The answer to ``GET /v2/models/stats`` and ``/v2/models/M/stats``."""
    return {"model_stats": [_statistics(model) for model in models]}


def _statistics(model: ServedModel) -> dict[str, Any]:
    counters = model.counters
    done = counters.successes
    total = counters.queue_ns + counters.input_ns + counters.run_ns + counters.output_ns
    parts = {"queue": counters.queue_ns, "compute_input": counters.input_ns, "compute_infer": counters.run_ns, "compute_output": counters.output_ns}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": counters.last_unix_ms,
        "inference_count": counters.rows,
        "execution_count": done,
        "inference_stats": {
            "success": {"count": done, "ns": total},
            "fail": {"count": counters.failures, "ns": counters.failures_ns},
            **{part: {"count": done, "ns": ns} for part, ns in parts.items()},
        },
        "batch_stats": [],
    }


def repository_index(models: Sequence[ServedModel], absences: Sequence[AbsentModel]) -> list[dict[str, str]]:
    """The answer to ``POST /v2/repository/index``: the models that serve, and those that are to and don't."""
    ready = [{"name": model.name, "version": model.version, "state": "READY", "reason": ""} for model in models]
    return ready + [{"name": model.name, "version": model.version, "state": "UNAVAILABLE", "reason": model.reason} for model in absences]
