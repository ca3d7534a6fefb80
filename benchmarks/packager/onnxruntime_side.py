"""onnxruntime's own quantizers with their defaults: ``python onnxruntime_side.py MODEL-FOLDER OUT-FOLDER '{"mode": "static"}'``.

As its documentation advises: ``quant_pre_process`` first, then ``quantize_static`` with a reader of calibration rows, or ``quantize_dynamic``.
Runs in the environment of requirements-onnxruntime.txt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Rows(CalibrationDataReader):  # type: ignore[misc]  # the base has no types
    """The tools' rows, one at a time."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            columns = {name: value for name, value in file.items() if name != "target"}
        count = len(next(iter(columns.values())))
        self._rows = iter([{name: value[at : at + 1] for name, value in columns.items()} for at in range(count)])

    def get_next(self) -> dict[str, Any] | None:
        """The next row as a request; None after the last."""
        return next(self._rows, None)


def main(folder: Path, out: Path, mode: str) -> None:
    """Quantize the folder's fp32 graph; ``mode`` is static or dynamic, the result and its outcome.json are then in ``out``."""
    source, prepared, result = str(folder / "model.onnx"), str(out / "prepared.onnx"), str(out / "model.onnx")
    notes = ""
    try:
        quant_pre_process(source, prepared)
    except Exception as error:  # noqa: BLE001  (whatever it raises, a user would try the option that leaves the failing step out)
        notes = f"quant_pre_process failed ({error}); done again with skip_symbolic_shape"
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
    if mode == "static":
        quantize_static(prepared, result, Rows(folder / "data.npz"))
    else:
        quantize_dynamic(prepared, result)
    outcome = {"made": f"int8-{mode}", "notes": notes}
    (out / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])["mode"])
