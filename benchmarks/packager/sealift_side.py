"""Sealift: ``python sealift_side.py MODEL-FOLDER OUT-FOLDER '{"profile": "x86-64-avx2", "objective": []}'``.

The real pipeline, from the fp32 graph to a sealed release; the model is then taken out of the bundle. The profile is the shipped one but that it
tries one thread alone, because one thread is what is measured, and that ``objective`` (if it isn't empty) replaces its own.
Runs where Sealift's own wheels are installed without extras.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import onnx

from sealift_packager.build.pipeline import pack
from sealift_packager.build.request import PackRequest
from sealift_packager.diff import artifact
from sealift_packager.profiles.library import load_profile


def main(folder: Path, out: Path, options: dict[str, Any]) -> None:
    """Pack the folder's fp32 graph as ``options`` ask; the chosen graph and its outcome.json are then in ``out``."""
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    profile = load_profile(options["profile"])
    profile = dataclasses.replace(profile, threads=(1,), objective=tuple(options["objective"]) or profile.objective)
    packed = pack(
        PackRequest(
            model=folder / "model.onnx",
            name=folder.name,
            version="1.0.0",
            profiles=(profile,),
            out=out / "release",
            data=folder / "data.npz",
            metric=facts["metric"],
            max_drop=facts["budget"],
        )
    )
    manifest = artifact.unpack(packed.directory, profile.name, out / "bundle")
    shutil.copytree(out / "bundle", out / "copy")  # the bundle's files are links into the release, which onnx doesn't load weights from
    onnx.save(onnx.load(out / "copy" / manifest.model.file), out / "model.onnx")
    candidates = manifest.evaluation.candidates
    chosen = next(candidate for candidate in candidates if candidate.chosen)
    outcome = {
        "made": chosen.name,
        "notes": chosen.reason,
        "entries": dict(manifest.session.config),
        "others": {candidate.name: candidate.reason for candidate in candidates if not candidate.chosen},
    }
    (out / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
