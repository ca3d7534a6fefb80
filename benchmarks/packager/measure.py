"""All models that the tools made of one, measured in this process: ``python -m benchmarks.packager.measure MODEL-FOLDER SECONDS``.

One thread, batch 1, one run of each after the other, each opened several times, as Sealift itself compares (`measure.comparison` of the packager),
so that other work on the machine slows all equally. Answers are judged on ``holdout.npz``. Writes ``measured.json``; a model that can't be loaded
or run stands there with its message.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx

from benchmarks.packager.tools import RESULT
from benchmarks.packager.values import FP32, SEALIFT, Ratio, ToolFigures
from sealift_packager.errors import PackagerError
from sealift_packager.graph.session import Settings, open_session, run_batched, run_session
from sealift_packager.measure import latency
from sealift_packager.measure.comparison import compare
from sealift_packager.measure.metrics import METRICS, first_floats
from sealift_packager.measure.predictions import Prediction, read_prediction
from sealift_packager.model.source import Array, Arrays

#: A sample takes at least this long: the clock and the call from Python weigh more on a shorter one.
SAMPLE_MS: Final = 0.5
SEED: Final = 0


def main(folder: Path, seconds: float) -> None:
    """Measure every graph of the folder, ``seconds`` of paired runs, and write what was found."""
    with np.load(folder / "holdout.npz") as file:
        rows = dict(file)
    target = rows.pop("target", None)
    openers, errors = _openers(folder, {name: value[:1] for name, value in rows.items()})
    samples = _samples(openers, {name: value[:1] for name, value in rows.items()}, seconds)
    answers = {name: read_prediction(run_batched(opened(), rows)) for name, opened in openers.items()}
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    figures = [_figures(name, folder, facts["metric"], target, answers, samples) for name in openers]
    measured = {"figures": [dataclasses.asdict(figure) for figure in figures], "errors": errors}
    (folder / "measured.json").write_text(json.dumps(measured), encoding="utf-8")


def _path(folder: Path, name: str) -> Path:
    return folder / "model.onnx" if name == FP32 else next(path.parent for path in folder.glob(f"*/{RESULT}") if _tool(path) == name) / "model.onnx"


def _tool(result: Path) -> str:
    return str(json.loads(result.read_text(encoding="utf-8"))["tool"])


def _openers(folder: Path, example: Arrays) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """What opens a session by tool, fp32 first, and the errors of those that can't be used."""
    openers: dict[str, Callable[[], Any]] = {FP32: functools.partial(open_session, onnx.load(folder / "model.onnx"), Settings(), where=FP32)}
    errors: dict[str, str] = {}
    for result in sorted(folder.glob(f"*/{RESULT}")):
        made = json.loads(result.read_text(encoding="utf-8"))
        if made["error"]:
            continue
        try:
            model = onnx.load(result.parent / "model.onnx")
            opener = functools.partial(open_session, model, Settings(entries=made["entries"]), where=made["tool"])
            run_session(opener(), example)
            openers[made["tool"]] = opener
        except PackagerError as error:
            errors[made["tool"]] = str(error)
    return openers, errors


def _samples(openers: Mapping[str, Callable[[], Any]], example: Arrays, seconds: float) -> dict[str, Array]:
    """Milliseconds [openings, rounds] of one run, by tool; a sample is as many runs as make it long enough, the same number for all."""
    first = functools.partial(run_session, openers[FP32](), example)
    count = max(1, math.ceil(SAMPLE_MS / float(np.median(latency.measure({FP32: first}, seconds=0)[FP32]))))

    def open_and_measure(names: Sequence[str], share: float, rounds: tuple[int, int]) -> Mapping[str, Array]:
        runs = {name: functools.partial(run_session, openers[name](), example) for name in names}
        return latency.measure({name: functools.partial(_repeat, run, count) for name, run in runs.items()}, seconds=share, rounds=rounds)

    compared = compare(open_and_measure, {name: {1: name} for name in openers}, seconds=seconds)
    return {name: candidate.samples_ms / count for name, candidate in compared.items()}


def _repeat(run: Callable[[], object], count: int) -> None:
    for _ in range(count):
        run()


def _figures(name: str, folder: Path, metric: str, target: Array | None, answers: dict[str, Prediction], samples: dict[str, Array]) -> ToolFigures:
    reference, prediction = answers[FP32], answers[name]
    expected = first_floats(reference) if target is None else target
    judged = METRICS[metric]
    by_row = METRICS["cosine"].by_row if target is None else None
    cosines = by_row(expected, prediction) if by_row else None
    return ToolFigures(
        tool=name,
        latency_ms=float(np.median(samples[name])),
        speedup=_ratio(samples[FP32], samples[name]),
        size_bytes=_path(folder, name).stat().st_size,
        loss=judged.score(expected, reference) - judged.score(expected, prediction),
        rows=len(expected),
        flipped=None if target is None or prediction.label is None else int((prediction.label != reference.label).sum()),
        off=float(np.abs(first_floats(prediction) - first_floats(reference)).max()),
        cosine_mean=None if cosines is None else float(cosines.mean()),
        cosine_least=None if cosines is None else float(cosines.min()),
        beside={other: _ratio(samples[name], samples[other]) for other in samples} if name.startswith(SEALIFT) else {},
    )


def _ratio(reference: Array, candidate: Array) -> Ratio:
    speedup = latency.speedup(reference, candidate, seed=SEED)
    return Ratio(ratio=speedup.ratio, low=speedup.low, high=speedup.high)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
