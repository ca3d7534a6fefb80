"""Values of dataclasses as documents and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from sealift_packager.cache.structure import StructureError, decode, encode
from support import trained


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    values: np.ndarray[Any, np.dtype[Any]]
    model: Any
    counts: Mapping[int, float] | None
    pair: tuple[str, int]
    many: tuple[float, ...]
    flags: frozenset[str]


def a_row(**changes: Any) -> Row:
    row = Row(name="a", values=np.array([[1, 2]], np.int8), model=None, counts={3: 0.1}, pair=("x", 1), many=(1.0, 2.5), flags=frozenset("ab"))
    return dataclasses.replace(row, **changes)


def test_values_come_back_as_they_were() -> None:
    model = onnx.load(trained.onnx_net().model)
    texts = np.array([["a", "ü"]], dtype=object)
    for row in (a_row(), a_row(model=model), a_row(counts=None, values=texts), a_row(values=np.array([np.nan, np.inf]))):
        parts: list[bytes] = []
        found = decode(Row, encode(row, parts), parts)
        np.testing.assert_array_equal(found.values, row.values)
        assert found.values.dtype == row.values.dtype
        assert dataclasses.replace(found, values=row.values) == row


@pytest.mark.parametrize("data", [{}, {"name": 1}, [], None, {"name": "a", "surprise": 1}])
def test_a_document_of_another_type_is_refused(data: Any) -> None:
    with pytest.raises(StructureError):
        decode(Row, data)
