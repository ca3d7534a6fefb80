"""Find the step of a scikit-learn model whose ONNX form computes something else: the first one whose output differs."""

from __future__ import annotations

from typing import Any, Final

from sealift_packager.errors import ConversionError
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model import detect
from sealift_packager.model.source import Arrays, SourceModel
from sealift_packager.parity.compare import compare

_SOME: Final = "The ONNX form of one of its steps computes something else than the step. Change the step's options, or use another estimator."
_NAMED: Final = "The ONNX form of {} computes something else than the estimator. Change its options, or use another estimator."


def advice_on(source: SourceModel, inputs: Arrays) -> str:
    """What to do about a request that a source and its graph answer differently.

    Empty for what is not scikit-learn's, and for a file of another version, which is the likelier reason and has advice of its own.
    """
    if source.format != detect.SCIKIT or source.skew is not None:
        return ""
    try:
        step = next((part for part in source.steps if not _agrees(source, part, inputs)), None)
    except Exception:  # noqa: BLE001  # a step that can't be asked alone, whatever it raises: the difference is reported all the same
        return _SOME
    return _NAMED.format(_last(source.native if step is None else step.native))


def tied(source: SourceModel) -> str:
    """The steps of a scikit-learn model that have ties; empty for others."""
    from sealift_packager.sklearn.ties import tied_steps

    return ", ".join(tied_steps(source.native)) if source.format == detect.SCIKIT else ""


def _agrees(source: SourceModel, part: SourceModel, inputs: Arrays) -> bool:
    from sealift_packager.sklearn.convert import convert_step

    reference = part.predict(inputs)
    session = open_session(convert_step(source, part), Settings(), where="model.onnx")
    try:
        answers = run_session(session, inputs)
    except ConversionError:
        return False
    return not compare(reference, answers)


def _last(model: Any) -> str:
    if not hasattr(model, "steps"):
        return type(model).__name__
    name, step = model.steps[-1]
    return f"step {name!r} ({type(step).__name__})"
