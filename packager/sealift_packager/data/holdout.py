"""Holdout rows as a model takes them. Pure but for images, which are read when it is known how."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import nearest
from sealift_core.timing.rows import take_rows
from sealift_packager.data.files import DataFile
from sealift_packager.data.gaps import rows_at, unanswered_gaps
from sealift_packager.data.images import ImageFolder
from sealift_packager.data.left_out import LeftOut, missing_rows, most_left_out
from sealift_packager.data.names import check_header, check_names, listed, on_header, on_spaces
from sealift_packager.data.pixels import Normalization, decode_images, describe_images
from sealift_packager.data.ranges import check_finite, check_fractions, check_range, check_whole_numbers
from sealift_packager.data.refusal import describe_text, refused
from sealift_packager.errors import DataError
from sealift_packager.model.batch import fixed_batch, has_rows_first
from sealift_packager.model.columns import FEATURES
from sealift_packager.model.detect import TORCH_FORMATS
from sealift_packager.model.source import Array, SourceModel

#: A column of truth values with gaps is text in a file; pandas reads these words, and a model takes them as numbers.
_TRUTHS: Final = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0, "": math.nan}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Inputs with the dtypes and shapes that the model takes, and the target: all arrays have the same number of rows.

    ``originals`` are the same inputs with the data's own numbers, where the model is to be asked with those, else the inputs themselves.
    ``target`` is [rows] where each row has one value, else as it is in the data; without one (``has_target``) it is zeros. ``written`` are its
    values as the text that they are in a file of text. What is known of the inputs' meaning is in ``descriptions``, by input; ``columns`` are the
    names of the columns that an input was made of, in their order; ``classes`` are the names of the labels, where the data has names for its numbers.
    ``numbers`` are the rows' numbers in the data, of which ``left_out`` are missing here; both empty where none is.
    """

    digest: Digest
    inputs: dict[str, Array]
    originals: dict[str, Array]
    target: Array
    has_target: bool = True
    written: Array | None = None
    descriptions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    classes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.target)

    def numbered(self, parts: Sequence[LeftOut]) -> tuple[LeftOut, ...]:
        """The same rows, counted from this holdout's first, by their numbers in the data."""
        numbers = self.numbers or range(self.rows)
        return tuple(LeftOut(rows=tuple(numbers[row] for row in part.rows), reason=part.reason) for part in parts)

    def without(self, refused: Sequence[LeftOut]) -> Holdout:
        """The other rows, where ``refused`` are counted from this holdout's first."""
        if not refused:
            return self
        numbers = self.numbers or tuple(range(self.rows))
        dropped = {row for part in refused for row in part.rows}
        kept = [row for row in range(self.rows) if row not in dropped]
        return dataclasses.replace(
            self,
            inputs={name: value[kept] for name, value in self.inputs.items()},
            originals={name: value[kept] for name, value in self.originals.items()},
            target=self.target[kept],
            written=None if self.written is None else self.written[kept],
            numbers=tuple(numbers[row] for row in kept),
            left_out=(*self.left_out, *self.numbered(refused)),
        )


def bind(data: DataFile | ImageFolder, source: SourceModel, target: str, *, needed: bool = True, images: Normalization | None = None) -> Holdout:
    """Fit a file's arrays to a model: each input by its name, or made of a table's columns; images decoded as its input takes them; `DataError`.

    Where no target is ``needed`` and there is none, it is a zero for each row.
    """
    if isinstance(data, ImageFolder):
        return _of_images(data, source, images or Normalization())
    _check_target(data, target, needed=needed)
    where = str(data.path)
    given = {name: _as_categories(value, name, data, source) for name, value in data.arrays.items() if name != target}
    arrays = {name: _without_missing_words(value, name, data, source) for name, value in given.items()}
    labels = _labels(data, target, source) if target in data.arrays else np.zeros(data.rows)
    _check_labels(labels, data, source, f"{where}: {target}")
    if target not in data.arrays and data.missing_words and not source.columns:
        check_header(list(arrays), where)
    arrays = _split(arrays, source.inputs)
    most = most_left_out(data.rows)
    unfit = _without_whole_number(arrays, source.inputs)
    unfit = unfit if len(unfit) <= most else unfit[:0]  # many are refused by column
    table = _is_table(arrays, source.inputs)
    make, gaps = _from_columns if table else _by_name, dataclasses.replace(source, takes_nan=True)
    given = make(arrays, gaps, where, data.repeated, left_out=bool(len(unfit)))  # before rows are left out: errors name the file's own
    rows = np.setdiff1d(np.arange(data.rows), unfit)
    given = rows_at(given, rows) if len(unfit) else given
    inputs = _in_types(given, source, where, rows)
    unanswered = rows[:0] if source.takes_nan else rows[unanswered_gaps(source, given if source.digits else inputs)]
    missing = tuple(sorted((*unfit.tolist(), *map(int, unanswered))))
    if len(missing) > most:
        _refuse_gaps(arrays, unanswered, source, where, data.repeated)
    kept = np.setdiff1d(np.arange(data.rows), missing)
    if missing:
        answered = np.isin(rows, kept)
        given, inputs, labels = rows_at(given, answered), rows_at(inputs, answered), labels[kept]
    return Holdout(
        digest=data.digest,
        inputs=inputs,
        originals=given if source.digits else inputs,
        target=labels.reshape(len(labels)) if labels.size == len(labels) else labels,
        has_target=target in data.arrays,
        written=None if (text := data.written.get(target)) is None else text[kept],
        columns={source.inputs[0].name: source.columns.get(source.inputs[0].name) or tuple(arrays)} if table else {},
        numbers=tuple(kept.tolist()) if missing else (),
        left_out=(LeftOut(rows=missing, reason="missing values"),) if missing else (),
    )


def _of_images(data: ImageFolder, source: SourceModel, normalization: Normalization) -> Holdout:
    inputs = decode_images(data, source.inputs, normalization)
    if data.classes:
        _check_classes(data, source, inputs)
    meaning = {spec.name: describe_images(spec, normalization) for spec in source.inputs}
    return Holdout(digest=data.digest, inputs=inputs, originals=inputs, target=data.labels, descriptions=meaning, classes=data.classes)


def _check_target(data: DataFile, target: str, *, needed: bool) -> None:
    """Raise `DataError` unless one column has the target's name, or none where none is needed."""
    names, where = list(data.arrays), str(data.path)
    if needed and target not in data.arrays:
        raise DataError(
            "no such target",
            where=where,
            expected=f"--target with one of {listed(names)}",
            found=repr(target),
            advice=on_spaces(names) or nearest(target, names) or on_header(names),
        )
    if target in data.repeated:
        raise DataError("several columns have the name of the target", where=f"{where}: {target}", advice="Rename all but the target.")


def _in_types(given: dict[str, Array], source: SourceModel, where: str, numbers: Array) -> dict[str, Array]:
    """The data's own values in the types of the inputs; ``numbers`` are those of the rows in the data."""
    with np.errstate(over="ignore"):
        inputs = {spec.name: np.ascontiguousarray(given[spec.name], dtype=spec.numpy_dtype) for spec in source.inputs}
    if source.format in TORCH_FORMATS:
        check_finite(given, inputs, where, numbers)
    return inputs


def _labels(data: DataFile, target: str, source: SourceModel) -> Array:
    """The target's values; as the file writes them where those that are read as missing are words that the model has classes for."""
    labels, written = data.arrays[target], data.written.get(target)
    if written is None or source.classes is None or labels.dtype.kind != "f" or labels.ndim != 1:
        return labels
    words = written[np.isnan(labels)].tolist()
    return written if words and set(words) <= set(source.classes.tolist()) else labels


def _without_whole_number(arrays: dict[str, Array], specs: Sequence[TensorSpec]) -> Array:
    """The rows with a gap where only a whole number can be given."""
    whole = {spec.name for spec in specs if spec.numpy_dtype.kind in "iu"}
    named = arrays if len(specs) == 1 and whole else {name: value for name, value in arrays.items() if name in whole}
    return np.flatnonzero(missing_rows(named))


def _refuse_gaps(arrays: dict[str, Array], missing: Array, source: SourceModel, where: str, repeated: frozenset[str]) -> None:
    """Raise `DataError` for the first column with a gap in one of these rows, which are more than may be left out."""
    others = np.ones(len(next(iter(arrays.values()))), dtype=bool)
    others[missing] = False
    shown = {name: value.copy() if value.dtype.kind in "fO" else value for name, value in arrays.items()}
    for value in shown.values():
        if value.dtype.kind == "f":
            value[others] = np.nan_to_num(value[others])
    make = _from_columns if _is_table(arrays, source.inputs) else _by_name
    make(shown, source, where, repeated, left_out=False)


def _split(arrays: dict[str, Array], specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """One array of all columns as the columns, where each has an input of its own."""
    whole = arrays.get(FEATURES)
    if len(arrays) != 1 or whole is None or len(specs) < 2 or whole.shape[1:] != (len(specs),):
        return arrays
    return {spec.name: whole[:, at] for at, spec in enumerate(specs)}


def _as_categories(value: Array, name: str, data: DataFile, source: SourceModel) -> Array:
    """A column that a file of text shows as numbers or truth values, as the text that it has there, where the model knows some of it as category."""
    known = _known_texts(name, source)
    if value.dtype.kind == "O" or not known or data.read_text is None:
        return value
    written = data.read_text(name)
    return written if known.intersection(written.tolist()) else value


def _known_texts(name: str, source: SourceModel) -> set[str]:
    """The categories of an input of text."""
    columns = (column for column in source.categories.get(name, ()) if column is not None)
    return {category for column in columns for category in column.tolist() if isinstance(category, str)}


def _without_missing_words(value: Array, name: str, data: DataFile, source: SourceModel) -> Array:
    """A column whose words for a missing value are empty text, but for those that the model's encoders know as categories."""
    if value.dtype.kind != "O" or not data.missing_words:
        return value
    return np.where(np.isin(value, list(data.missing_words - _known_texts(name, source))), "", value)


def _check_labels(labels: Array, data: DataFile, source: SourceModel, where: str) -> None:
    """Raise `DataError` for a missing number or text; a word for it is none where the model has a class of that name."""
    if labels.dtype.kind == "f":
        missing = ~np.isfinite(labels).reshape(len(labels), -1).all(axis=1)
    elif labels.dtype.kind == "O":
        classes = set() if source.classes is None else set(source.classes.tolist())
        words = ({"", *data.missing_words} if source.classes is not None else {""}) - classes
        missing = np.isin(labels, list(words)).reshape(len(labels), -1).any(axis=1)
    else:
        return
    if missing.any():
        raise DataError(
            "the target has missing values",
            where=where,
            expected="a value in each row",
            found=f"{int(missing.sum())} rows without one, the first is row {int(np.argmax(missing))}",
            advice="Remove these rows: without a target, the model's answer can't be evaluated.",
        )


def _check_classes(data: ImageFolder, source: SourceModel, inputs: dict[str, Array]) -> None:
    """Names are numbered by those that are there, so one that is missing moves the others: as many as the model's only output has columns."""
    spec = source.inputs[0]
    first = take_rows(inputs, fixed_batch([spec]) or 1)
    try:
        answers = source.predict(first)
    except Exception as error:  # whatever framework it is
        raise refused(source.framework, first, error) from error
    widths = [value.shape[1] for value in answers.values() if value.ndim == 2 and value.dtype.kind == "f"]
    count = max(widths[0], 2) if len(widths) == len(answers) == 1 else len(data.classes)
    if len(data.classes) != count:
        raise DataError(
            "the data and the model have different numbers of classes",
            where=str(data.path),
            expected=f"{count}, one folder or label per class",
            found=f"{len(data.classes)}: {listed(data.classes)}",
            advice="Add the missing folders, even if they are empty, or number the labels as the model does in labels.csv (columns file, label).",
        )


def _is_table(arrays: dict[str, Array], specs: Sequence[TensorSpec]) -> bool:
    """Whether the one input [batch, columns] is to be made of vectors, one of which may have its name."""
    named = specs[0].name in arrays and len(arrays) == 1
    return len(specs) == 1 and len(specs[0].shape) == 2 and not named and all(value.ndim == 1 for value in arrays.values())


def _from_columns(arrays: dict[str, Array], source: SourceModel, where: str, repeated: frozenset[str], *, left_out: bool) -> dict[str, Array]:
    spec = source.inputs[0]
    names = source.columns.get(spec.name, ())
    if names:
        check_names(list(names), list(arrays), "column", where, repeated)
    elif len(arrays) != spec.shape[1]:
        raise DataError(
            "the data and the model have different numbers of columns",
            where=where,
            expected=f"{spec.shape[1]} besides the target",
            found=listed(arrays),
            advice=on_header(list(arrays)),
        )
    columns = [_checked(arrays[name], spec, f"{where}: {name}", takes_nan=source.takes_nan, left_out=left_out) for name in names or arrays]
    return {spec.name: np.stack(columns, axis=1)}


def _by_name(arrays: dict[str, Array], source: SourceModel, where: str, repeated: frozenset[str], *, left_out: bool) -> dict[str, Array]:
    check_names([spec.name for spec in source.inputs], list(arrays), "input", where, repeated)
    takes_nan = source.takes_nan
    return {spec.name: _shaped(arrays[spec.name], spec, f"{where}: {spec.name}", takes_nan=takes_nan, left_out=left_out) for spec in source.inputs}


def _shaped(value: Array, spec: TensorSpec, where: str, *, takes_nan: bool, left_out: bool) -> Array:
    if value.ndim == 1 and spec.shape[1:] == (1,):
        value = value.reshape(-1, 1)
    if not has_rows_first(spec):
        raise DataError(
            "an input isn't batched, so the model can't be evaluated",
            where=where,
            expected="inputs whose first dimension is the batch",
            found=str(list(spec.shape)) if spec.shape else "one value for the whole request",
            advice="Make it a constant of the model, or give it a batch dimension. Without --data, the model is packed in fp32 as it is.",
        )
    sizes = spec.shape[1:]
    fits = value.ndim == len(spec.shape) and all(isinstance(size, str) or size == given for size, given in zip(sizes, value.shape[1:], strict=True))
    if not fits:
        row = f"one row of {' × '.join(map(str, sizes))} values" if sizes else "one value"
        raise DataError(
            "wrong shape",
            where=where,
            expected=f"[{', '.join(('rows', *map(str, sizes)))}]",
            found=str(list(value.shape)),
            advice=f"Give this input {row} for each example.",
        )
    return _checked(value, spec, where, takes_nan=takes_nan, left_out=left_out)


def _checked(value: Array, spec: TensorSpec, where: str, *, takes_nan: bool, left_out: bool) -> Array:
    """The data's own values, which the input's type takes; a column without a single value as missing text, where it is text.

    ``left_out`` says that the rows with missing numbers are left out afterwards.
    """
    if spec.dtype == "string" and value.dtype.kind == "f" and np.isnan(value).all():  # a CSV's column without a single value
        value = np.full(value.shape, "", dtype=object)
    if spec.numpy_dtype.kind == "f" and value.dtype.kind == "O" and _TRUTHS.keys() >= set(value.ravel().tolist()):
        value = np.array([_TRUTHS[item] for item in value.ravel()]).reshape(value.shape)
    if (spec.dtype == "string") != (value.dtype.kind == "O"):
        if spec.dtype == "string":
            advice = "Write the categories as the model knows them, or save the table as Parquet, which keeps text that looks like numbers."
            expected = "text, as the model was trained on"
            raise DataError("this column must be text", where=where, expected=expected, found="numbers", advice=advice)
        found, hint = describe_text(value)
        raise DataError("wrong type", where=where, expected=f"numbers ({spec.dtype})", found=found, advice=hint)
    if value.dtype.kind == "f" and np.isnan(value).any() and not takes_nan and not left_out:
        first = int(np.argwhere(np.isnan(value))[0][0])
        raise DataError(
            "missing values, which this model does not accept", where=where, found=f"row {first}", advice="Drop these rows or impute them."
        )
    if value.dtype.kind == "f" and spec.numpy_dtype.kind in "iu":
        check_fractions(value, spec, where, missing=left_out)
    if spec.numpy_dtype.kind in "iu" and value.dtype.kind in "iuf":
        check_range(value, spec, where)
    if spec.numpy_dtype.kind == "f" and value.dtype.kind in "iu":
        check_whole_numbers(value, spec, where)
    return value
