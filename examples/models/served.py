"""A bundle's answers over HTTP, held against onnxruntime on the original file."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sealift_core  # isort: skip  # noqa: F401  (before onnxruntime: it switches telemetry off)
import onnxruntime
from catalog import Array

from sealift_core.bundle.digest import Digest
from sealift_packager.diff import artifact
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.serving.server import InferenceServer

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from support.serving import Recorder, running

DATATYPES = {"float32": "FP32", "float64": "FP64", "int32": "INT32", "int64": "INT64"}


def largest_difference(release: Path, profile: str, original: Path, requests: Sequence[Mapping[str, Array]], folder: Path) -> float:
    """The largest difference of any output of any request, as a share of the original's largest value; `SystemExit` for a refusal."""
    manifest = artifact.unpack(release, profile, folder)
    source = onnxruntime.InferenceSession(str(original), providers=["CPUExecutionProvider"])
    names, shares = [output.name for output in source.get_outputs()], [0.0]
    session = ServedModel(manifest.name, manifest.version, Digest.of(b"served"), ModelSession.open(folder), Recorder())
    with running(InferenceServer, session) as server:
        for request in requests:
            answer = server.infer(manifest.name, [_tensor(name, value) for name, value in request.items()])
            if answer.status != 200:
                raise SystemExit(f"the agent refused a request: {answer.body[:500]!r}")
            expected = dict(zip(names, source.run(names, dict(request)), strict=True))
            shares += [_share(output, expected[output["name"]]) for output in answer.json["outputs"]]
    return max(shares)


def _tensor(name: str, value: Array) -> dict[str, Any]:
    return {"name": name, "shape": list(value.shape), "datatype": DATATYPES[str(value.dtype)], "data": value.ravel().tolist()}


def _share(output: Mapping[str, Any], expected: Array) -> float:
    if tuple(output["shape"]) != expected.shape:
        raise SystemExit(f"{output['name']} has the shape {output['shape']} in place of {list(expected.shape)}")
    given = np.asarray(output["data"], np.float64).reshape(expected.shape)
    return float(np.abs(given - expected).max(initial=0) / max(float(np.abs(expected).max(initial=0)), 1e-30))
