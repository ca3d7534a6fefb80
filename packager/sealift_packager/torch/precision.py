"""Which types a torch module takes its inputs in: those of the data where its answers depend on them, else float32, else its own. It is asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.errors import ConversionError
from sealift_packager.model.drawn_rows import rows_moved, telling_rows
from sealift_packager.model.source import Array, Arrays
from sealift_packager.sandbox.activity import ANSWERING, during, rows_of

#: Rows of the data on which answers in float64 and in float32 are compared (some more with very many columns), and what they may differ by, as a
#: share of what an output varies by.
ROWS: Final = 16_384
SHARE: Final = 1e-4
#: Combinations of types that are tried; with several inputs there may be many.
_TRIED: Final = 64

Predict = Callable[[Arrays], dict[str, Array]]


def refuse_bfloat16(weights: Mapping[str, Any], *, where: str) -> None:
    """Raise `ConversionError` for weights in bfloat16, which neither numpy nor onnxruntime's operators for CPUs have."""
    name = next((name for name, value in weights.items() if str(getattr(value, "dtype", "")) == "torch.bfloat16"), None)
    if name is not None:
        raise ConversionError(
            "the model computes in bfloat16, which onnxruntime doesn't support on CPUs",
            where=f"{where}: {name}",
            expected="weights in float32",
            found="bfloat16",
            advice="Call .float() on the module, or load it in float32 (from_pretrained(…, dtype=torch.float32)), and pack that.",
        )


def typed(predict: Predict, weights: Mapping[str, Any], rows: Arrays) -> dict[str, Array]:
    """The same rows in the types that the module is to take them in; as they are if it takes none of those that could be meant.

    Floats and whole numbers may be meant as floats: most data is float64, most modules are float32. Where a module takes both float64 and float32,
    it is float64 if its answers to these rows differ; where it is itself in float64 or half precision, that is what its inputs are.

    Args:
        predict: Answers a request by input name.
        weights: The module's own tensors by name.
        rows: The data's arrays by input name, [rows, …], at least one row.
    """
    own = _own_types(weights)
    choices = [_types(value, own) for value in rows.values()]
    first = {name: value[:2] for name, value in rows.items()}
    combinations = (dict(zip(rows, types, strict=True)) for types in _by_changes(choices))
    for types in itertools.islice(combinations, _TRIED):
        if _answers(predict, _cast(first, types)) is not None:
            return _narrowed(predict, rows, types)
    return dict(rows)


def _own_types(weights: Mapping[str, Any]) -> list[np.dtype[Any]]:
    names = dict.fromkeys(str(value.dtype).removeprefix("torch.") for value in weights.values())
    return [np.dtype(name) for name in names if name in ("float16", "float32", "float64")]


def _types(given: Array, own: Sequence[np.dtype[Any]]) -> list[np.dtype[Any]]:
    """The types that an input of the data's may be meant in, the likeliest first: floats that are whole may be indices."""
    if given.dtype.kind not in "fiub":
        return [given.dtype]
    whole = given.dtype.kind == "f" and bool(np.isfinite(given).all() and (given == np.trunc(given)).all())
    wide = given.dtype.kind in "iu" and not np.array_equal(given, given.astype(np.float32))
    floats = (np.dtype(np.float64), np.dtype(np.float32)) if wide else (np.dtype(np.float32),)
    return list(dict.fromkeys((given.dtype, *floats, *own, *([np.dtype(np.int64)] if whole else []))))


def _by_changes(choices: Sequence[Sequence[np.dtype[Any]]]) -> Iterator[tuple[np.dtype[Any], ...]]:
    """Every combination, those with the fewest changes first."""
    numbers = sorted(itertools.islice(itertools.product(*(range(len(types)) for types in choices)), 4096), key=sum)
    return (tuple(types[at] for types, at in zip(choices, combination, strict=True)) for combination in numbers)


def _narrowed(predict: Predict, rows: Arrays, types: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
    """float32 for float64 where the module takes both and answers alike to the rows that float32 moves the most, and to some from everywhere."""
    narrow = {name: np.dtype(np.float32) if dtype == np.float64 else dtype for name, dtype in types.items()}
    if narrow == types:
        return _cast(rows, types)
    chosen = _cast(_telling(rows), types)
    expected, answers = _answers(predict, chosen), _answers(predict, _cast(chosen, narrow))
    alike = expected is not None and answers is not None and all(_alike(value, answers.get(name)) for name, value in expected.items())
    return _cast(rows, narrow if alike else types)


def _telling(rows: Arrays) -> dict[str, Array]:
    total = max(map(len, rows.values()))
    columns = [column for value in rows.values() if len(value) == total and value.dtype.kind in "iuf" for column in _columns(value)]
    most = max(1, ROWS // 2 // max(1, len(columns)))
    numbers = telling_rows(total, ROWS, (rows_moved(column, min(most, total)) for column in columns))
    return {name: value[numbers] if len(value) == total else value for name, value in rows.items()}


def _columns(value: Array) -> list[Array]:
    """Those of a table; as one what has more axes, or more columns than rows can be chosen for."""
    return list(value.T) if value.ndim == 2 and value.shape[1] <= ROWS // 2 else [value]


def _alike(expected: Array, answer: Array | None) -> bool:
    if answer is None or answer.shape != expected.shape:
        return False
    if expected.dtype.kind != "f" or not expected.size:
        return np.array_equal(expected, answer)
    finite = np.where(np.isfinite(expected), expected, 0)
    varied = finite.std(axis=0) if expected.ndim else np.zeros(())
    bound = SHARE * np.where(varied > 0, varied, np.abs(finite))
    with np.errstate(invalid="ignore"):
        near = np.abs(expected - answer) <= bound
    return bool((near | (expected == answer) | (np.isnan(expected) & np.isnan(answer))).all())


def _cast(rows: Arrays, types: Mapping[str, np.dtype[Any]]) -> dict[str, Array]:
    with np.errstate(over="ignore"):
        return {name: value.astype(types[name], copy=False) for name, value in rows.items()}


def _answers(predict: Predict, rows: Arrays) -> dict[str, Array] | None:
    """What the module answers; None if it doesn't take these types."""
    try:
        with during(ANSWERING, rows=rows_of(rows)):
            return predict(rows)
    except Exception:  # noqa: BLE001  # the user's own forward; whoever needs the answer asks again and says why it fails
        return None
