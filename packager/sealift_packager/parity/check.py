"""Ask the source and the graph the same, and stop the build if they disagree."""

from __future__ import annotations

from sealift_packager.convert.result import Converted
from sealift_packager.errors import ParityError
from sealift_packager.load.source import Arrays, SourceModel
from sealift_packager.parity.compare import compare
from sealift_packager.parity.inputs import hard_inputs
from sealift_packager.session import Settings, open_session, run_session


def check_parity(source: SourceModel, converted: Converted, holdout: Arrays | None, *, seed: int) -> int:
    """The number of requests that both answered alike; `ParityError` shows which output of which rows differs, and by how much.

    A request that the source itself refuses proves nothing and is left out, unless it is from the holdout.
    """
    session = open_session(converted.model, Settings(), where="model.onnx")
    agreed = 0
    for title, inputs in hard_inputs(converted.inputs, holdout, seed=seed, takes_nan=source.takes_nan):
        try:
            reference = source.predict(inputs)
        except Exception as error:  # whatever framework it is
            if "holdout" in title:
                message = f"the source model fails on {title} ({type(error).__name__}: {error})"
                raise ParityError(message, where=source.framework) from error
            continue
        differences = compare(reference, run_session(session, inputs))
        if differences:
            raise ParityError(
                f"the converted model answers differently on {title}",
                where="model.onnx",
                expected=f"what {source.framework} gives",
                found="; ".join(map(str, differences)),
                advice="The build stops here; nothing was written.",
            )
        agreed += 1
    return agreed
