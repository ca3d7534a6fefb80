"""Kind → loader."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sealift_packager.activity import during, monitored, noting_answers, reading
from sealift_packager.errors import SourceModelError
from sealift_packager.load import detect
from sealift_packager.load.boosters import READERS, load_booster
from sealift_packager.load.onnx_file import load_onnx
from sealift_packager.load.scikit import load_scikit, load_skops
from sealift_packager.load.source import LoadOptions, SourceModel
from sealift_packager.load.torch_program import load_program
from sealift_packager.load.torch_script import load_script
from sealift_packager.load.torch_state import load_state
from sealift_packager.quiet import quiet

Loader = Callable[[Path, LoadOptions], SourceModel]

LOADERS: Final[dict[str, Loader]] = {
    detect.SCIKIT: load_scikit,
    detect.TORCH_PROGRAM: load_program,
    detect.TORCH_SCRIPT: load_script,
    detect.TORCH_STATE: load_state,
    detect.ONNX: load_onnx,
    detect.SKOPS: load_skops,
    **{kind: functools.partial(load_booster, kind) for kind in READERS},
}
#: What a kind is read with. Importing it takes seconds, and isn't the file's fault.
LIBRARIES: Final = {
    detect.SCIKIT: "sklearn",
    detect.SKOPS: "skops.io",
    detect.ONNX: "onnx",
    **dict.fromkeys((detect.TORCH_PROGRAM, detect.TORCH_SCRIPT, detect.TORCH_STATE), "torch"),
    **{kind: kind for kind in READERS},
}
#: Kinds that don't say themselves which dimensions are free.
DYNAMIC_KINDS: Final = (detect.TORCH_SCRIPT, detect.TORCH_STATE)


def load_model(path: Path, options: LoadOptions) -> SourceModel:
    """The model in a file, its kind found from the content unless it is said; `SourceModelError`."""
    kind = detect.kind_of(path, options.kind)
    if options.factory and kind != detect.TORCH_STATE:
        raise SourceModelError("a factory goes with a torch state dict", where=str(path), found=kind, advice="Leave --factory out.")
    if options.dynamic and kind not in DYNAMIC_KINDS:
        advice = "Leave --dynamic out: such a model says itself which dimensions are free (a .pt2 as its torch.export was told)."
        raise SourceModelError("free dimensions are named for torch weights and TorchScript only", where=str(path), found=kind, advice=advice)
    with contextlib.suppress(ImportError), quiet():  # whoever reads says what is missing
        importlib.import_module(LIBRARIES[kind])
    with during(reading(kind)):
        source = dataclasses.replace(LOADERS[kind](path, options), place=options.place)
    return _noted(source) if monitored() else source


def _noted(source: SourceModel) -> SourceModel:
    """The same model, whose every answer is an activity."""
    inner, steps = tuple(map(_noted, source.inner)), tuple(map(_noted, source.steps))
    arbitrary = noting_answers(source.arbitrary) if source.arbitrary else None
    return dataclasses.replace(source, predict=noting_answers(source.predict), arbitrary=arbitrary, inner=inner, steps=steps)
