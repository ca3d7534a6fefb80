"""A finished bundle, opened from its files by the rules that devices go by, before anybody signs it.

What a device would refuse, or answer otherwise than the manifest says, isn't sealed. Devices and the packager share these rules: how files are read
(`sealift_core.bundle`), what a graph must take and give (`sealift_core.bundle.shapes`), and which answers are the golden ones
(`sealift_core.bundle.comparison`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sealift_core.bundle import files
from sealift_core.bundle.comparison import compare_case
from sealift_core.bundle.golden import GoldenCase, decode_golden
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.bundle.shapes import Symbols, check_answer, check_shape, check_tensors
from sealift_core.errors import DocumentError, LimitError, SealiftError
from sealift_core.timing.rows import take_rows
from sealift_packager.errors import ConversionError, PackagerError
from sealift_packager.graph.session import Settings, open_file, run_session
from sealift_packager.model.batch import only_batch
from sealift_packager.model.source import Arrays

_NAMES: Final = "Give each input and output of the model a name of its own, of at most 500 characters."
_SIZES: Final = (
    "Leave that output out of the graph, or give it sizes that follow from those of the inputs. An ONNX model that is only right for one row per "
    "request is packed with --shape INPUT:0=1."
)
#: Rows of requests that a model of any batch must answer.
BATCHES: Final = (1, 2, 7)


def rehearse(directory: Path) -> None:
    """Open a bundle and have it answer, as a device does.

    1. Manifest and golden cases are read from their files.
    2. The graph takes and gives what the manifest says.
    3. Each golden case is a request that a device takes, and is answered as it must be.
    4. The rows of the largest case, as requests of several sizes, are answered in the shapes that the manifest says.

    Raises `ConversionError`, which says that a device would refuse the bundle.
    """
    try:
        manifest = BundleManifest.parse((directory / files.MANIFEST).read_bytes(), where=files.MANIFEST)  # 1
        cases = decode_golden((directory / files.GOLDEN).read_bytes(), manifest.inputs, manifest.outputs, manifest.golden.cases)
        session = open_file(directory / manifest.model.file, _settings(manifest))
        check_tensors(manifest.inputs, session.get_inputs(), "model.onnx: inputs")  # 2
        check_tensors(manifest.outputs, session.get_outputs(), "model.onnx: outputs")
        for number, case in enumerate(cases):
            _check_case(session, manifest, number, case)  # 3
        _check_batches(session, manifest, max(cases, key=lambda case: max((len(value) for value in case.inputs.values() if value.ndim), default=0)))
    except PackagerError:
        raise
    except SealiftError as error:
        raise ConversionError(
            f"a device would refuse this bundle: {error.message}",
            where=error.where,
            expected=error.expected,
            found=error.found,
            advice=error.advice or (_NAMES if isinstance(error, DocumentError | LimitError) else _SIZES),
        ) from error


def _settings(manifest: BundleManifest) -> Settings:
    session = manifest.session
    return Settings(threads=session.intra_op_threads, graph_optimization=session.graph_optimization, entries=session.config)


def _check_case(session: Any, manifest: BundleManifest, number: int, case: GoldenCase) -> None:
    answer = _answer(session, manifest, case.inputs)
    difference = compare_case(number, case.outputs, answer, manifest.golden)
    if difference is not None and difference.excess > 1:
        raise ConversionError(
            "the finished bundle does not answer its own golden cases as it was recorded",
            where=files.GOLDEN,
            found=str(difference),
            advice="Its answers change from one session to the next. Look for random numbers or uninitialized values in the model.",
        )


def _check_batches(session: Any, manifest: BundleManifest, case: GoldenCase) -> None:  # 4
    if only_batch(manifest.inputs) is not None:
        return
    rows = {name: value for name, value in case.inputs.items() if value.ndim}
    alone = {name: value for name, value in case.inputs.items() if not value.ndim}
    for size in BATCHES:
        _answer(session, manifest, {**take_rows(rows, size), **alone})


def _answer(session: Any, manifest: BundleManifest, request: Arrays) -> Arrays:
    """The answer to a request that fits the manifest's inputs, which fits its outputs; `EngineError`, `RequestError` or `ConversionError`."""
    symbols: Symbols = {}
    for spec in manifest.inputs:
        check_shape(spec, request[spec.name].shape, symbols)
    answer = run_session(session, request)
    check_answer(manifest.outputs, {name: value.shape for name, value in answer.items()}, symbols)
    return answer
