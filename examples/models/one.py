"""Build and pack one example; prints a JSON line. ``one.py --list`` prints all names."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boosting
import catalog
import networks
import numpy as np
import pretrained
import published_onnx
import tabular
from served import largest_difference

from sealift_core.errors import SealiftError
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.build.request import PackRequest
from sealift_packager.data.files import read_data
from sealift_packager.data.holdout import bind
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_batched
from sealift_packager.model.source import LoadOptions
from sealift_packager.profiles.library import load_profile

MODULES = (tabular, boosting, networks, pretrained, published_onnx)


def main(name: str, profile: str) -> dict[str, Any]:
    """Train, pack and judge one example; what the table has of it, the error where it doesn't pack."""
    entry = catalog.EXAMPLES[name]
    result: dict[str, Any] = {"name": name, "family": entry.family}
    with tempfile.TemporaryDirectory() as folder:
        made = entry.build(Path(folder))
        start = time.monotonic()
        try:
            request = PackRequest(
                model=made.model,
                name=name,
                version="1.0.0",
                profiles=(load_profile(profile),),
                out=Path(folder, "out"),
                data=made.data,
                **made.options,
            )
            packed = pack(request)
            parity = _served(made, profile, Path(folder)) if made.requests else _parity_error(request)
            result |= {"seconds": time.monotonic() - start, "parity": parity, **_outcome(packed, profile)}
        except SealiftError as error:
            result |= {"error": str(error).replace(folder, ""), "seconds": time.monotonic() - start}
    return result


def _outcome(packed: Packed, profile: str) -> dict[str, Any]:
    manifest = packed.manifests[profile]
    candidates = manifest.evaluation.candidates
    chosen = next(candidate for candidate in candidates if candidate.chosen)
    fp32 = candidates[0]
    loss = chosen.accuracy
    return {
        "candidates": [
            {"name": candidate.name, "speedup": candidate.speedup, "reason": candidate.reason, "kilobytes": candidate.size_bytes / 1000}
            for candidate in candidates
        ],
        "chosen": chosen.name,
        "why": chosen.reason,
        "speedup": chosen.speedup,
        "share": chosen.size_bytes / fp32.size_bytes,
        "kilobytes": chosen.size_bytes / 1000,
        "metric": loss.metric.rpartition(":")[2] if loss else None,
        "reference": loss.reference if loss else None,
        "packaged": loss.packaged if loss else None,
        "measured": manifest.evaluation.measured,
    }


def _served(made: catalog.Made, profile: str, folder: Path) -> float:
    """The largest difference between the original file and what the agent's server answers for its bundle."""
    return largest_difference(folder / "out", profile, made.model, made.requests, folder / "bundle")


def _parity_error(request: PackRequest) -> float | None:
    """The largest difference between the source and its fp32 graph on the holdout, as a share of the source's largest value."""
    if request.data is None:
        return None
    data = read_data(request.data)
    options = LoadOptions(trust_pickle=request.trust_pickle, factory=request.factory, examples=data.arrays, target=request.target)
    source = load_model(request.model, options)
    holdout = bind(data, source, request.target, needed=False)
    reference = source.predict(holdout.inputs)
    answers = run_batched(open_session(convert_model(source).model, Settings(), where=request.name), holdout.inputs)
    shares = [0.0]
    for name, expected in reference.items():
        if expected.dtype.kind == "f" and expected.size:
            shares.append(float(np.nanmax(np.abs(expected - answers[name])) / max(float(np.nanmax(np.abs(expected))), 1e-30)))
    return max(shares)


if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print(json.dumps(list(catalog.EXAMPLES)))
    else:
        with contextlib.redirect_stdout(sys.stderr):
            outcome = main(sys.argv[1], sys.argv[2])
        print(json.dumps(outcome))
