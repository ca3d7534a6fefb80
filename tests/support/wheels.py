"""Tiny real wheels for the installer: pip installs them like any other, and their agent writes down how it was called."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

AGENT = """\
import importlib.metadata
import json
import os
import sys


def main():
    verb = sys.argv[1]
    if verb == "--version":
        print("sealift-agent, version", importlib.metadata.version("sealift-runtime"))
    elif verb == "status":
        print(json.dumps({"url": os.environ.get("AGENT_URL")}))
    elif verb != "detect":
        with open(os.environ["AGENT_CALLS"], "a") as file:
            file.write(json.dumps(sys.argv[1:]) + "\\n")
    sys.exit(int(os.environ.get(f"AGENT_{verb.strip('-').upper()}_EXIT", "0")))
"""


def write_wheel(
    folder: Path, project: str, version: str, files: dict[str, str], *, metadata: str = "", entry_points: str = "", tag: str = "py3-none-any"
) -> Path:
    """Write a wheel by the binary distribution format's rules (https://packaging.python.org/specifications/binary-distribution-format/)."""
    folder.mkdir(parents=True, exist_ok=True)
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    contents = dict(files)
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{metadata}"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    if entry_points:
        contents[f"{info}/entry_points.txt"] = entry_points
    records = [f"{path},sha256={_hash(text)},{len(text.encode())}" for path, text in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*records, f"{info}/RECORD,,", ""])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in contents.items():
            archive.writestr(member, text)
    return path


def write_agent_wheels(folder: Path, *, version: str = "9.9.9") -> Path:
    """A folder with an empty ``sealift-core``, a recording ``sealift-runtime``, and the ``onnxruntime`` that its extra ``cpu`` asks for."""
    write_wheel(folder, "sealift-core", version, {})
    metadata = "Requires-Dist: sealift-core\nProvides-Extra: cpu\nRequires-Dist: onnxruntime>=1; extra == 'cpu'\n"
    entry = "[console_scripts]\nsealift-agent = recording_agent:main\n"
    write_wheel(folder, "sealift-runtime", version, {"recording_agent.py": AGENT}, metadata=metadata, entry_points=entry)
    write_wheel(folder, "onnxruntime", "1.99.0", {"recording_onnxruntime.py": ""})
    return folder


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
