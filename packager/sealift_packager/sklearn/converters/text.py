"""CountVectorizer, TfidfVectorizer and TfidfTransformer of words as plain operators, token for token as scikit-learn has them.

skl2onnx's form asks for a locale that small machines don't have, takes letters of ASCII only, and joins words over what scikit-learn leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from onnx import TensorProto

from sealift_core.errors import first_few
from sealift_packager.errors import ConversionError
from sealift_packager.graph.nodes import NodeWriter
from sealift_packager.sklearn.converters.token_patterns import DOTTED, expression

#: glibc has it built in from 2.35 on, and distributions ship it: en_US.UTF-8 is missing on small machines.
_LOCALE: Final = "C.UTF-8"
#: No token has it: patterns don't match line ends.
_PADDING: Final = "\n"
_LEFT_OUT: Final = -2
_ADVICE: Final = "Use TfidfVectorizer or CountVectorizer with analyzer='word', or compute the features before the model."


def write_vectorizer(scope: Any, operator: Any, container: Any, *, double: bool) -> None:
    """skl2onnx's converter of both: text [batch, 1] in, numbers [batch, words] out."""
    model = operator.raw_operator
    _check(model)
    writer = NodeWriter(scope.get_unique_operator_name("text"))
    counts = _counts(writer, model, _tokens(writer, model, operator.inputs[0].full_name))
    element_type = TensorProto.DOUBLE if double else TensorProto.FLOAT
    shape = writer.constant("counts", np.array([-1, len(model.vocabulary_)]))  # for shape inference, which knows nothing behind the Tokenizer
    counts = writer.add("Cast", writer.add("Reshape", counts, shape), to=element_type)
    if model.binary:
        counts = writer.add("Cast", writer.add("Cast", counts, to=TensorProto.BOOL), to=element_type)
    if hasattr(model, "_tfidf"):
        counts = _weighted(writer, model, counts, np.float64 if double else np.float32)
    writer.add("Identity", counts, output=operator.outputs[0].full_name)
    writer.put_into(container)
    container.node_domain_version_pair_sets.add(("com.microsoft", 1))


def shape_of_vectorizer(operator: Any, *, double: bool) -> None:
    """skl2onnx's shape calculator of both."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    operator.outputs[0].type = (DoubleTensorType if double else FloatTensorType)([None, len(operator.raw_operator.vocabulary_)])


def write_weights(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's converter of a TfidfTransformer: counts [batch, words] in float32 or float64 in, as many numbers out."""
    writer = NodeWriter(scope.get_unique_operator_name("tfidf"))
    variable = operator.inputs[0]
    dtype = np.float64 if type(variable.type).__name__.startswith("Double") else np.float32
    counts = writer.add("Cast", variable.full_name, to=TensorProto.DOUBLE if dtype is np.float64 else TensorProto.FLOAT)
    writer.add("Identity", _weighted(writer, operator.raw_operator, counts, dtype), output=operator.outputs[0].full_name)
    writer.put_into(container)


def shape_of_weights(operator: Any) -> None:
    """skl2onnx's shape calculator of it."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    given = operator.inputs[0].type
    operator.outputs[0].type = (DoubleTensorType if type(given).__name__.startswith("Double") else FloatTensorType)([None, given.shape[1]])


def _check(model: Any) -> None:
    for name, supported in (("analyzer", "word"), ("tokenizer", None), ("preprocessor", None), ("strip_accents", None)):
        value = getattr(model, name)
        if value != supported:
            raise ConversionError(
                "text is split in a way that has no ONNX form",
                where=f"{type(model).__name__}: {name}",
                expected=repr(supported),
                found=repr(getattr(value, "__name__", value)),
                advice=_ADVICE,
            )


def _check_lowering(model: Any, words: Iterable[str]) -> None:
    """Refuse words that Python lowers by what stands around a letter: onnxruntime lowers letter by letter."""
    touched = sorted(word for word in words if _depends_on_neighbours(word))
    if model.lowercase and touched:
        raise ConversionError(
            "the vocabulary has words whose lower case depends on neighbouring letters",
            where=f"{type(model).__name__}: vocabulary",
            expected="words that can be lowered letter by letter",
            found=first_few([repr(word[:40]) for word in touched], 5),
            advice="Lower the text yourself, with 'ς' as 'σ', train with lowercase=False, and lower requests in the same way; or leave these "
            "words out of the vocabulary.",
        )


def _depends_on_neighbours(word: str) -> bool:
    """Whether Σ, which Python lowers to ς at the end of a word of letters, or İ is behind the word. An apostrophe ends a token, but no such word."""
    behind = ("a'" + word.replace("σ", "Σ")).lower()[2:]
    return "ς" in word or DOTTED.lower() in word or behind != word.lower()


def _expression(model: Any) -> str:
    """The token pattern in RE2's form."""
    found = expression(str(model.token_pattern), lowercase=model.lowercase)
    if found is None:
        raise ConversionError(
            "a token pattern that has no ONNX form",
            where=f"{type(model).__name__}: token_pattern",
            expected=r"the default, \w+, \w{3,}, or classes of characters like [a-z]+ or [a-z][a-z0-9]{1,}, of which only the last repeats freely",
            found=repr(model.token_pattern),
            advice=_ADVICE,
        )
    return found


def _tokens(writer: NodeWriter, model: Any, text: str) -> str:
    """[batch, most words of a text]: words as the text has them, then padding. They are lowered later, for an İ ends one."""
    flat = writer.add("Reshape", text, writer.constant("flat", np.array([-1])))
    return writer.add("Tokenizer", flat, domain="com.microsoft", tokenexp=_expression(model), mark=0, pad_value=_PADDING, mincharnum=1)


def _lowered(writer: NodeWriter, flat: str) -> str:
    return writer.add("StringNormalizer", flat, case_change_action="LOWER", locale=_LOCALE)


def _counts(writer: NodeWriter, model: Any, tokens: str) -> str:
    """How often each entry of the vocabulary comes, float32. Words are numbers from here on."""
    low, high = model.ngram_range
    entries = sorted(((tuple(entry.split(" ") if high > 1 else [entry]), place) for entry, place in model.vocabulary_.items()), key=_by_length)
    words = sorted({word for entry, _ in entries for word in entry})
    number = {word: at for at, word in enumerate(words)}
    stopped = sorted(set(model.get_stop_words() or ()) - number.keys())
    _check_lowering(model, [*words, *(stopped if high > 1 else ())])
    codes = number | dict.fromkeys([_PADDING, *stopped], _LEFT_OUT)
    keys, values = list(codes), list(codes.values())
    numbers = _numbers(writer, tokens, keys, values, lower=model.lowercase)
    if high > 1 and stopped:
        numbers = _closed_up(writer, numbers)
    lengths = [len(entry) for entry, _ in entries]
    starts = np.cumsum([0, *(length * lengths.count(length) for length in range(1, high))])
    return writer.add(
        "TfIdfVectorizer",
        numbers,
        mode="TF",
        min_gram_length=low,
        max_gram_length=high,
        max_skip_count=0,
        pool_int64s=[number[word] for entry, _ in entries for word in entry],
        ngram_counts=starts.tolist(),
        ngram_indexes=[place for _, place in entries],
    )


def _numbers(writer: NodeWriter, tokens: str, keys: list[str], values: list[int], *, lower: bool) -> str:
    """[batch, words], of unknown ones -1.

    The first of the Concat says the type: onnx's shape inference crashes on a LabelEncoder of what it can't type, as behind the Tokenizer.
    """
    one = writer.constant("first", np.array([1]))
    padding = writer.constant("padding", np.array([_PADDING], dtype=object))
    flat = writer.add("Concat", padding, writer.add("Reshape", tokens, writer.constant("all", np.array([-1]))), axis=0)
    flat = _lowered(writer, flat) if lower else flat
    codes = writer.add("LabelEncoder", flat, domain="ai.onnx.ml", keys_strings=keys, values_int64s=values, default_int64=-1)
    rest = writer.add("Slice", codes, one, writer.constant("end", np.array([np.iinfo(np.int64).max])))
    return writer.add("Reshape", rest, writer.add("Shape", tokens), allowzero=1)


def _by_length(entry: tuple[tuple[str, ...], int]) -> tuple[int, int]:
    return len(entry[0]), entry[1]


def _closed_up(writer: NodeWriter, numbers: str) -> str:
    """Rows whose words that are left out stand last: scikit-learn joins what is left."""
    out = writer.add("Equal", numbers, writer.constant("left_out", np.array(_LEFT_OUT)))
    count = writer.add("Gather", writer.add("Shape", numbers), writer.constant("one", np.array(1)), axis=0)
    place = writer.add("Range", writer.constant("start", np.array(0)), count, writer.constant("step", np.array(1)))
    key = writer.add("Add", writer.add("Mul", writer.add("Cast", out, to=TensorProto.INT64), count), place)
    size = writer.add("Reshape", count, writer.constant("vector", np.array([1])))
    _, order = writer.least(key, size, "order")
    return writer.add("GatherElements", numbers, order, axis=1)


def _weighted(writer: NodeWriter, model: Any, counts: str, dtype: Any) -> str:
    """Counts as tf-idf: sublinear, times idf, each row over its norm, as the options have it."""
    zero = writer.constant("zero", dtype(0))
    if model.sublinear_tf:
        one = writer.constant("one_count", dtype(1))
        grown = writer.add("Add", writer.add("Log", writer.add("Max", counts, one)), one)
        counts = writer.add("Where", writer.add("Greater", counts, zero), grown, counts)
    if model.use_idf:
        counts = writer.add("Mul", counts, writer.constant("idf", model.idf_.astype(dtype)))
    if model.norm:
        reduction = {"l1": "ReduceL1", "l2": "ReduceL2"}[model.norm]
        norm = writer.add(reduction, counts, writer.constant("axis", np.array([1])), keepdims=1)
        counts = writer.add("Div", counts, writer.add("Where", writer.add("Equal", norm, zero), writer.constant("unit", dtype(1)), norm))
    return counts
