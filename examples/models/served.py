"""A bundle's answers over HTTP, held against the source's own answers to the same rows."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from catalog import Array, Made

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_packager.diff import artifact
from sealift_runtime.engine.session import ModelSession
from sealift_runtime.inference.model import ServedModel
from sealift_runtime.serving.server import InferenceServer

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from support.serving import Recorder, running


class WrongAnswerError(Exception):
    """A served bundle refused a request or answers in another form than its source."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a served bundle's answers differ from the source's.

    Attributes:
        largest: The largest difference of two numbers, as a share of the range of the source's output.
        labels: How many labels there are.
        wrong: How many of them differ.
    """

    largest: float
    labels: int
    wrong: int


def serve_and_compare(made: Made, release: Path, profile: str, folder: Path) -> Difference:
    """Serve a release's bundle and send it every request; `WrongAnswerError` for a refusal, another shape, or another NaN."""
    manifest = artifact.unpack(release, profile, folder)
    pairs: dict[str, list[tuple[Array, Array]]] = {spec.name: [] for spec in manifest.outputs}
    session = ServedModel(manifest.name, manifest.version, Digest.of(b"served"), ModelSession.open(folder), Recorder())
    with running(InferenceServer, session) as server:
        for rows in made.requests:
            answer = server.infer(manifest.name, [_tensor(spec, value) for spec, value in _values(manifest.inputs, rows)])
            if answer.status != 200:
                raise WrongAnswerError(f"the agent refused a request: {answer.body[:500]!r}")
            source = made.answers(rows)
            expected = source if isinstance(source, Mapping) else dict(zip(pairs, source, strict=True))
            for output in answer.json["outputs"]:
                pairs[output["name"]].append(_pair(output, _expected(expected, output["name"])))
    return _difference(list(pairs.values()))


def _expected(answers: Mapping[str, Any], name: str) -> Array:
    """The source's answer for an output, which has another name where a column of the table has its own."""
    return np.asarray(answers[name] if name in answers else answers[name.removesuffix("_of_model")])


def _values(inputs: Sequence[TensorSpec], rows: Any) -> list[tuple[TensorSpec, Any]]:
    """What a client sends: arrays by name as they are; a table's columns one by one, or as one array."""
    if isinstance(rows, Mapping):
        return [(spec, rows[spec.name]) for spec in inputs]
    if isinstance(rows, np.ndarray) and len(inputs) == 1:
        return [(inputs[0], rows)]
    table = pd.DataFrame(rows) if isinstance(rows, np.ndarray | pd.Series) else rows
    if len(inputs) == 1:
        return [(inputs[0], table.to_numpy(object))]
    if isinstance(rows, np.ndarray):
        return [(spec, table.iloc[:, [at]].to_numpy(object)) for at, spec in enumerate(inputs)]
    return [(spec, table[[spec.name]].to_numpy(object)) for spec in inputs]


def _tensor(spec: TensorSpec, value: Array) -> dict[str, Any]:
    data = [_json(item, spec.dtype == "string") for item in value.ravel().tolist()]
    return {"name": spec.name, "shape": list(value.shape), "datatype": spec.datatype, "data": data}


def _json(item: Any, text: bool) -> Any:
    """A missing text is "", a missing number null, and a truth value among numbers 0 or 1."""
    if pd.isna(item):
        return "" if text else None
    return str(item) if text else int(item) if isinstance(item, bool) else item


def _pair(output: Mapping[str, Any], expected: Array) -> tuple[Array, Array]:
    """Answer and expected, of the same shape but for last dimensions of 1: a regressor's [rows, 1] is the source's [rows]."""
    values = [np.nan if item is None else item for item in output["data"]]
    given = np.array(values, np.float64 if output["datatype"].startswith("FP") else object).reshape(output["shape"])
    if _without_ones(given) != _without_ones(expected):
        raise WrongAnswerError(f"{output['name']} has the shape {output['shape']} in place of {list(expected.shape)}")
    return given, expected


def _without_ones(value: Array) -> list[int]:
    sizes = list(value.shape)
    while len(sizes) > 1 and sizes[-1] == 1:
        sizes.pop()
    return sizes


def _difference(outputs: Sequence[list[tuple[Array, Array]]]) -> Difference:
    largest, labels, wrong = 0.0, 0, 0
    for pairs in outputs:
        given, expected = (np.concatenate([pair[at].ravel() for pair in pairs]) for at in (0, 1))
        if given.dtype == object:
            labels += len(given)
            wrong += sum(_plain(one) != _plain(other) for one, other in zip(given.tolist(), expected.tolist(), strict=True))
        else:
            largest = max(largest, _share(given, expected.astype(np.float64)))
    return Difference(largest=largest, labels=labels, wrong=wrong)


def _plain(label: Any) -> Any:
    """A label as bundles have it: text stays text, all else is a whole number."""
    return label if isinstance(label, str) else int(label)


def _share(given: Array, expected: Array) -> float:
    if (np.isnan(given) != np.isnan(expected)).any():
        raise WrongAnswerError("an answer is NaN where the source's isn't, or the other way round")
    scale = float(np.nanmax(expected) - np.nanmin(expected)) or float(np.nanmax(np.abs(expected))) or 1.0
    return float(np.nanmax(np.abs(given - expected))) / scale
