"""What Olive loads as a user's script: the tools' rows as a data set, and labels made of a model's answers. Runs beside ``olive_side``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from olive.data.registry import Registry
from torch.utils.data import Dataset

Array = np.ndarray[Any, np.dtype[Any]]
#: Names a file with what the fp32 graph says of each row, where there is no target.
REFERENCE = "BENCHMARK_REFERENCE"
NEAR = 0.99


def read_rows(path: Path) -> tuple[dict[str, Array], Array | None]:
    """Inputs by name, and the target if there is one."""
    with np.load(path) as file:
        columns = dict(file)
    return columns, columns.pop("target", None)


def answers(model: Path, columns: dict[str, Array]) -> Array:
    """The first output of all rows."""
    result: Array = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).run(None, columns)[0]
    return result


class Rows(Dataset[Any]):
    """One row of every input, and its label (1 where what counts is nearness to the fp32 graph)."""

    def __init__(self, path: Path) -> None:
        self._columns, target = read_rows(path)
        count = len(next(iter(self._columns.values())))
        self._labels = np.ones(count, np.int64) if target is None else target.astype(np.int64)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, at: int) -> tuple[dict[str, Array], int]:
        return {name: value[at] for name, value in self._columns.items()}, int(self._labels[at])


@Registry.register_dataset()  # type: ignore[untyped-decorator]
def rows_of_file(data_dir: str, **_: Any) -> Rows:
    """The data set named in the configuration."""
    return Rows(Path(data_dir))


@Registry.register_post_process()  # type: ignore[untyped-decorator]
def labels(output: Any, **_: Any) -> Any:
    """The class of each row: a label as it is, or the largest score; of embeddings, whether they are near the fp32 graph's."""
    first = next(iter(output.values())) if isinstance(output, dict) else output
    rows = first.reshape(len(first), -1)
    if REFERENCE in os.environ:
        reference = torch.nn.functional.normalize(torch.from_numpy(np.load(os.environ[REFERENCE])), dim=1)
        nearest = (torch.nn.functional.normalize(rows, dim=1) @ reference.T).max(dim=1).values
        return (nearest >= NEAR).long()
    return rows.argmax(dim=1) if rows.shape[1] > 1 else rows[:, 0].long()
