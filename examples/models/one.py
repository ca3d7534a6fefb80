"""Build and pack one example; prints a JSON line. ``one.py --list`` prints all names."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boosting
import catalog
import checkpoints
import hostile
import networks
import pretrained
import published_onnx
import saved
import tabular
from served import WrongAnswerError, serve_and_compare

from sealift_core.bundle.evaluation import CandidateRecord
from sealift_core.errors import SealiftError
from sealift_packager.build.pipeline import Packed, pack
from sealift_packager.build.request import PackRequest
from sealift_packager.profiles.library import load_profile

MODULES = (tabular, boosting, hostile, saved, networks, checkpoints, pretrained, published_onnx)


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
            seconds = time.monotonic() - start
            result |= {"seconds": seconds, **_compared(made, packed, request, Path(folder)), **_outcome(packed, profile)}
        except (SealiftError, WrongAnswerError) as error:
            result |= {"error": str(error).replace(folder, ""), "seconds": time.monotonic() - start}
    return result


def _chosen(packed: Packed, profile: str) -> CandidateRecord:
    return next(candidate for candidate in packed.manifests[profile].evaluation.candidates if candidate.chosen)


def _outcome(packed: Packed, profile: str) -> dict[str, Any]:
    manifest = packed.manifests[profile]
    candidates = manifest.evaluation.candidates
    chosen = _chosen(packed, profile)
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


def _compared(made: catalog.Made, packed: Packed, request: PackRequest, folder: Path) -> dict[str, Any]:
    """How the served fp32 bundle differs from the source, where no label may differ, and how what ships differs."""
    profile = request.profiles[0]
    shipped = serve_and_compare(made, request.out, profile.name, folder / "shipped")
    if _chosen(packed, profile.name).name == "fp32":
        exact, result = shipped, {}
    else:
        alone = dataclasses.replace(request, profiles=(dataclasses.replace(profile, precisions=("fp32",)),), out=folder / "exact-release")
        pack(alone)
        exact = serve_and_compare(made, alone.out, profile.name, folder / "exact")
        result = {"shipped": dataclasses.asdict(shipped)}
    if exact.wrong:
        raise WrongAnswerError(f"{exact.wrong} of {exact.labels} labels are wrong in the served bundle")
    return result | {"parity": exact.largest}


if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print(json.dumps(list(catalog.EXAMPLES)))
    else:
        with contextlib.redirect_stdout(sys.stderr):
            outcome = main(sys.argv[1], sys.argv[2])
        print(json.dumps(outcome))
