"""Answers as another processor gives them: x86-64 without VNNI, whose int8 products saturate, by qemu-user on a host that has VNNI.

Started under qemu as ``python -m sealift_packager.measure.emulation MODEL INPUTS.npz OUTPUTS.npz KEY=VALUE…``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.load.source import Arrays

QEMU: Final = "qemu-x86_64"
#: AVX2 and FMA, no AVX-512: onnxruntime takes its VPMADDUBSW kernels.
CPU: Final = "Haswell"
TIMEOUT_S: Final = 300


def emulator() -> str | None:
    """Where qemu-user for x86-64 is, if it is installed and this machine's own programs are x86-64."""
    return shutil.which(QEMU) if os.uname().machine == "x86_64" else None


def run_emulated(model: Any, inputs: Arrays, entries: Mapping[str, str], scratch: Path) -> dict[str, Any]:
    """All outputs for these rows, as a processor without VNNI computes them; `ConversionError` if the emulation fails."""
    graph, given, found = (scratch / name for name in ("emulated.onnx", "emulated-in.npz", "emulated-out.npz"))
    graph.write_bytes(model.SerializeToString())
    np.savez(given, **inputs)  # type: ignore[arg-type]
    command = [QEMU, "-cpu", CPU, str(Path(sys.executable).resolve()), "-m", __spec__.name, str(graph), str(given), str(found)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}
    try:
        subprocess.run(
            [*command, *(f"{key}={value}" for key, value in entries.items())],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        with np.load(found) as archive:
            return {name: archive[name] for name in archive.files}
    except subprocess.TimeoutExpired as error:
        raise ConversionError(f"the emulated processor needs more than {TIMEOUT_S} s", where=f"{QEMU} -cpu {CPU}") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").splitlines() or [f"exit status {error.returncode}"]
        raise ConversionError(f"the emulated processor fails ({lines[-1]})", where=f"{QEMU} -cpu {CPU}") from error
    finally:
        for path in (graph, given, found):
            path.unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    """The emulated side."""
    from sealift_packager.session import Settings, open_session, run_batched

    model, inputs, outputs, *entries = arguments
    settings = Settings(entries=dict(entry.split("=", 1) for entry in entries))
    with np.load(inputs) as archive:
        rows = {name: archive[name] for name in archive.files}
    np.savez(outputs, **run_batched(open_session(model, settings, where=model), rows))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1:])
