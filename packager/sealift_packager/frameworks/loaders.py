"""Format → loader."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from sealift_packager.archives.fresh import check_inner
from sealift_packager.archives.own_copy import OwnCopy, own_folder, take, translate_paths
from sealift_packager.archives.refusals import Refusals
from sealift_packager.boosters.load import READERS, load_booster
from sealift_packager.errors import SourceModelError
from sealift_packager.graph.tensors import refers
from sealift_packager.model import detect
from sealift_packager.model.source import Arrangement, Digits, LoadOptions, SourceModel, as_widened
from sealift_packager.progress.importing import importing
from sealift_packager.progress.quiet import quiet
from sealift_packager.sandbox.activity import during, monitored, noting_answers, reading

Loader = Callable[[Path, LoadOptions], SourceModel]


def _later(module: str, name: str) -> Loader:
    """The loader of this name, whose module is only imported for a model that it reads."""
    return lambda path, options: cast("SourceModel", getattr(importlib.import_module(f"sealift_packager.{module}"), name)(path, options))


LOADERS: Final[dict[str, Loader]] = {
    detect.SCIKIT: _later("sklearn.load", "load_scikit"),
    detect.TORCH_PROGRAM: _later("torch.program", "load_program"),
    detect.TORCH_SCRIPT: _later("torch.script", "load_script"),
    detect.TORCH_STATE: _later("torch.state", "load_state"),
    detect.ONNX: _later("onnx.load", "load_onnx"),
    detect.SKOPS: _later("sklearn.load", "load_skops"),
    **{model_format: functools.partial(load_booster, model_format) for model_format in READERS},
}
#: Format → the library that reads it. Importing it takes seconds, and isn't the file's fault.
LIBRARIES: Final = {
    detect.SCIKIT: "sklearn",
    detect.SKOPS: "skops.io",
    detect.ONNX: "onnx",
    **dict.fromkeys((detect.TORCH_PROGRAM, detect.TORCH_SCRIPT, detect.TORCH_STATE), "torch"),
    **{model_format: model_format for model_format in READERS},
}
#: Formats that are archives and nothing else.
ARCHIVES: Final = (detect.TORCH_PROGRAM, detect.TORCH_SCRIPT, detect.SKOPS)
#: Formats that take whole requests as examples.
EXAMPLE_FORMATS: Final = (detect.ONNX, detect.TORCH_SCRIPT)
#: Formats that don't say which dimensions are free.
DYNAMIC_FORMATS: Final = (detect.TORCH_SCRIPT, detect.TORCH_STATE)


def load_model(path: Path, options: LoadOptions) -> SourceModel:
    """Read a model by the loader of its format.

    The file is opened once: what detects its format, checks it and reads it is given our own copy (`archives`). The copy lies in
    ``options.place.folder`` and is removed once the model is read, unless its weights stay in files: then it is removed with that folder or, without
    such a folder, when the process ends.

    Args:
        path: The model's file or folder.
        options: The format, if the content is not to decide, and what a loader needs beside the file.

    Returns:
        The model.

    Raises:
        SourceModelError: If it isn't there, isn't a model, can't be read, or an option doesn't go with its format.
        UntrustedPickleError: If reading it would run code, and ``options`` don't allow that.
    """
    detect.check_exists(path, options.format)
    folder = own_folder(options.place.folder)
    source = None
    try:
        with translate_paths(path.parent, folder):
            copy = take(path, folder, SourceModelError)
            source = _load(copy, dataclasses.replace(options, origin=path))
    finally:
        if source is None or not _stays_in_files(source):
            shutil.rmtree(folder, ignore_errors=True)
        elif options.place.folder is None:
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return source


def _load(copy: OwnCopy, options: LoadOptions) -> SourceModel:
    model_format, path = detect.format_of(copy.path, options.format), copy.path
    if options.factory and model_format != detect.TORCH_STATE:
        raise SourceModelError("--factory is only for torch weights", where=str(path), found=model_format, advice="Leave --factory out.")
    if (options.state_key or options.allow_extra) and model_format != detect.TORCH_STATE:
        option = "--state-key" if options.state_key else "--allow-extra"
        raise SourceModelError(f"{option} is only for torch weights", where=str(path), found=model_format, advice=f"Leave {option} out.")
    if options.dynamic and model_format not in DYNAMIC_FORMATS:
        advice = "Leave --dynamic out: the model's own file states which dimensions are free (in a .pt2, as given to torch.export)."
        raise SourceModelError("--dynamic is only for torch weights and TorchScript", where=str(path), found=model_format, advice=advice)
    advice = "this model's own file or its data say what it takes."
    if options.shapes and model_format != detect.ONNX:
        raise SourceModelError("--shape is only for ONNX models", where=str(path), found=model_format, advice=f"Leave --shape out: {advice}")
    if options.requests and model_format not in EXAMPLE_FORMATS:
        where, advice = str(path), f"Leave --example out: {advice}"
        raise SourceModelError("--example is only for ONNX models and TorchScript", where=where, found=model_format, advice=advice)
    if model_format in ARCHIVES and not copy.archive:
        raise Refusals(where=str(path)).cut_off("a file that begins differently")
    if copy.archive:
        check_inner(path, Refusals(where=str(path)))
    with contextlib.suppress(ImportError), quiet(), importing():  # whoever reads says what is missing
        importlib.import_module(LIBRARIES[model_format])
    with during(reading(model_format)):
        source = LOADERS[model_format](path, options)
    source = dataclasses.replace(_arranged(source, options, str(path)), place=options.place, digest=copy.digest if copy.archive else source.digest)
    return _noted(source) if monitored() else source


def _arranged(source: SourceModel, options: LoadOptions, where: str) -> SourceModel:
    """The model with its columns taken as ``options.inputs`` says; `SourceModelError` if it takes no columns of numbers."""
    if options.inputs is None:
        return source
    if source.digits is None:
        raise SourceModelError(
            "--inputs is only for models that take the columns of a table",
            where=where,
            found=f"a model of {source.framework} with " + ", ".join(f"{spec.name}: {spec.dtype} {list(spec.shape)}" for spec in source.inputs)[:200],
            advice="Leave --inputs out.",
        )
    names = tuple(name for name, values in options.examples.items() if name != options.target and values.ndim == 1)
    return as_widened(source, source.digits.widen(frozenset(), frozenset(), Arrangement(form=options.inputs, names=names)))


def _noted(source: SourceModel) -> SourceModel:
    """The same model, whose every answer is an activity."""
    inner, steps = tuple(map(_noted, source.inner)), tuple(map(_noted, source.steps))
    arbitrary = noting_answers(source.arbitrary) if source.arbitrary else None
    scores = noting_answers(source.scores) if source.scores else None
    digits = _digits_noted(source.digits) if source.digits else None
    predict = noting_answers(source.predict)
    return dataclasses.replace(source, predict=predict, arbitrary=arbitrary, scores=scores, inner=inner, steps=steps, digits=digits)


def _digits_noted(digits: Digits) -> Digits:
    return dataclasses.replace(digits, widen=lambda *changes: _noted(digits.widen(*changes)))


def _stays_in_files(source: SourceModel) -> bool:
    return source.format == detect.ONNX and refers(source.native)
