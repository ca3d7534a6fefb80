"""Send the same requests to the source and the graph, and stop the build if they disagree."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sealift_packager.data import refusal
from sealift_packager.errors import ConversionError, ParityError, first_line
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.graph.result import Converted
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.batch import BATCH
from sealift_packager.model.columns import joined, spread
from sealift_packager.model.drawn_rows import rows_of
from sealift_packager.model.output_names import LABEL, PREDICTION, role_of, roles_of
from sealift_packager.model.source import Array, Arrays, SourceModel
from sealift_packager.parity.compare import CONSTANT_STEPS, Spread, compare, sizes, spreads
from sealift_packager.parity.inputs import HardRequest, hard_inputs
from sealift_packager.parity.rounding import rounding_of
from sealift_packager.parity.scikit_steps import advice_on, tied
from sealift_packager.trees.boundaries import boundary_rows

#: How many of the requests that the source refused are named.
SHOWN: Final = 3
#: One tree on the wrong side is little beside hundreds that are right; what remains is the float32 sum.
TREE_RTOL: Final = 1e-5
TREE_SPREAD_SHARE: Final = 1e-4
_SMALLER_TARGET: Final = "Its answers are large beside what they differ by. Train it on a smaller target: subtract a constant such as the mean."
BASE_ROWS: Final = 1024
_NO_SPREADS: Final[Mapping[str, Spread]] = types.MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How many requests both gave the same answer to, and the requests that the source itself refused, which prove nothing."""

    compared: int
    refused: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.refused[:SHOWN]) + ("; …" if len(self.refused) > SHOWN else "")
        refused = f", and the source refused {len(self.refused)} synthetic ones ({shown})" if self.refused else ""
        requests = f"{self.compared} request{'' if self.compared == 1 else 's'}"
        alone = " Only 1 request could be compared: pass --data with rows that the model accepts." if self.compared == 1 else ""
        return f"The converted model gave the source model's answers to {requests}{refused}.{alone}"


def check_parity(source: SourceModel, converted: Converted, holdout: Arrays | None, *, seed: int) -> int:
    """The number of requests that `prove_parity` compared."""
    return prove_parity(source, converted, holdout, seed=seed).compared


def prove_parity(
    source: SourceModel, converted: Converted, holdout: Arrays | None, *, seed: int, originals: Arrays | None = None, numbers: Sequence[int] = ()
) -> Parity:
    """Send the same requests to both; `ParityError` shows which output of which rows differs, and by how much.

    A request that the source itself refuses proves nothing and is left out; if it is from the holdout, that is a `DataError`. Rows that it answers by
    chance prove nothing either. Nothing compared is a `ParityError` too. On the holdout the source is asked with ``originals``, the data's own
    numbers: the graph's inputs may have rounded them. ``numbers`` are what the holdout's rows are called in the data, where some were left out.
    """
    session = open_session(converted.model, Settings(), where="model.onnx")
    least, tally = rounding_of(converted.model), _Tally()
    for hard in _requests(source, converted, holdout, seed, numbers):
        given = hard.inputs if originals is None or hard.rows is None else rows_of(originals, hard.rows)
        reference = _reference(source, hard, given, tally)
        if reference is None:
            continue
        tally.learn(hard, reference, tells_spread=holdout is None or hard.rows is not None)
        request = _Request(hard=hard, originals=given, usual=tally.usual, usual_spreads=tally.usual_spreads, least=least)
        tally.agreed += _compare_one(source, session, request, reference)
    tally.agreed += _thresholds(source, converted, holdout, seed)
    if not tally.agreed:
        raise _nothing_compared(source, tally)
    return Parity(compared=tally.agreed + sum(_inner(part, seed) for part in source.inner), refused=tuple(tally.refused))


@dataclasses.dataclass(slots=True, kw_only=True)
class _Tally:
    """What the requests so far have shown: how many agreed, which the source refused and why, and what its answers to real rows are like."""

    agreed: int = 0
    refused: list[str] = dataclasses.field(default_factory=list)
    reason: str = ""
    usual: Mapping[str, float] = dataclasses.field(default_factory=dict)
    usual_spreads: Mapping[str, Spread] = dataclasses.field(default_factory=dict)

    def refuse(self, title: str, error: Exception) -> None:
        """Note a synthetic request that the source refuses."""
        self.refused.append(title)
        self.reason = self.reason or f"{type(error).__name__}: {first_line(error):.200}"

    def learn(self, hard: HardRequest, reference: Arrays, *, tells_spread: bool) -> None:
        """Note how large the source's answers to a request are and, if it is one that tells, how much they differ."""
        if hard.is_real:
            self.usual = {**self.usual, **{name: max(size, self.usual.get(name, 0.0)) for name, size in sizes(reference).items()}}
        if tells_spread:
            seen = {name: spread.with_other(self.usual_spreads.get(name)) for name, spread in spreads(reference).items()}
            self.usual_spreads = {**self.usual_spreads, **seen}


def _requests(source: SourceModel, converted: Converted, holdout: Arrays | None, seed: int, numbers: Sequence[int]) -> Iterator[HardRequest]:
    return hard_inputs(
        converted.inputs,
        holdout,
        seed=seed,
        takes_nan=source.takes_nan,
        categories=source.categories,
        accepted=source.accepted,
        usual=source.usual,
        nullable=source.nullable,
        numbers=numbers,
    )


def _reference(source: SourceModel, hard: HardRequest, given: Arrays, tally: _Tally) -> Arrays | None:
    """The source's answer; None to a synthetic request that it refuses, and `DataError` if it is one of the holdout."""
    try:
        return source.predict(given)
    except Exception as error:  # whatever framework it is
        if hard.numbers is not None:
            raise refusal.refused(source.framework, given, error, what=hard.title, numbers=hard.numbers.tolist()) from error
        tally.refuse(hard.title, error)
        return None


def _nothing_compared(source: SourceModel, tally: _Tally) -> ParityError:
    steps = tied(source)
    why, found = "has a tie in every request", f"only ties{f' of {steps}' if steps else ''}, for which there is no single right answer"
    if tally.refused:
        why, found = "refuses every synthetic request", f"{len(tally.refused)} refused (caused by: {tally.reason})"
    return ParityError(
        f"the converted model can't be compared with its source, which {why}",
        where=source.framework,
        expected="at least one request that both answer",
        found=found,
        advice=f"{_searched(source)}Pass --data with rows that the model accepts.",
    )


def _searched(source: SourceModel) -> str:
    """Which sizes were tried in vain, and the option that says the right ones."""
    tried = source.accepted.tried
    if not tried:
        return ""
    axes = [(spec.name, at, size) for spec in source.inputs for at, size in enumerate(spec.shape) if at]
    free = [f"{name}:{at}=SIZE" for name, at, size in axes if isinstance(size, str) and size != BATCH]
    single = [f"{spec.name}=VALUE" for spec in source.inputs if not spec.shape]
    options = " ".join(f"--shape {text}" for text in (*free, *single)) or f"--shape {source.inputs[0].name}:0=1"
    return f"Working sizes were searched for in vain ({tried}). Say which sizes it takes with {options}, or pass a whole request with --example. "


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """``hard`` has what the graph is given, ``originals`` what the source is; ``usual`` and ``usual_spreads`` are of its answers to real rows."""

    hard: HardRequest
    originals: Arrays
    usual: Mapping[str, float]
    usual_spreads: Mapping[str, Spread]
    least: Mapping[str, float]


def _compare_one(source: SourceModel, session: Any, request: _Request, reference: Arrays) -> int:
    """1 if the graph answers a request as its source did, 0 if the source's answer is arbitrary in all rows; else `ParityError`."""
    hard = request.hard
    try:
        answers = run_session(session, hard.inputs)
    except ConversionError as error:
        what = f"the converted model fails on {hard.title}, which its source answers: {error.message}"
        raise ParityError(what, where="model.onnx", advice=_advice(source, hard.inputs)) from error
    certain = None if source.arbitrary is None else ~source.arbitrary(request.originals)
    if certain is not None and not certain.any():
        return 0
    scores = _scores(source, request, reference, answers)
    chosen_scores = scores if scores is None or certain is None else scores[certain]
    differences = compare(
        _chosen(reference, certain),
        _chosen(answers, certain),
        constant_steps=0 if source.trees and source.trees.narrow_sum else CONSTANT_STEPS,
        usual=request.usual,
        usual_spreads=request.usual_spreads,
        least=request.least,
        scores=chosen_scores,
        classes=source.classes,
    )
    if differences:
        _refuse_random(source, request.originals, reference)
        numbers = _row_numbers(hard, certain)
        raise ParityError(
            f"the converted model answers differently on {hard.title}",
            where="model.onnx",
            expected=f"what {source.framework} gives",
            found="; ".join(str(difference if numbers is None else difference.numbered(numbers)) for difference in differences),
            advice=_advice(source, _chosen(hard.inputs, certain), request.usual_spreads),
        )
    return 1


def _row_numbers(hard: HardRequest, certain: Array | None) -> Array | None:
    """What the compared rows are called: by their number in the data, or their place in the request; None where these are all of its rows."""
    if certain is None:
        return hard.numbers
    return np.flatnonzero(certain) if hard.numbers is None else hard.numbers[certain]


def _scores(source: SourceModel, request: _Request, reference: Arrays, answers: Arrays) -> Array | None:
    """What the source chose labels by, where they differ and it says so."""
    if source.scores is None or np.array_equal(roles_of(reference)[LABEL], roles_of(answers).get(LABEL, ())):
        return None
    return source.scores(request.originals)


def _chosen(answers: Arrays, rows: Array | None) -> Arrays:
    """The marked rows of each output; all of an output that has another number of rows."""
    return answers if rows is None else {name: value[rows] if value.shape[:1] == rows.shape else value for name, value in answers.items()}


def _advice(source: SourceModel, inputs: Arrays, usual_spreads: Mapping[str, Spread] = _NO_SPREADS) -> str:
    large = any(spread.lost for name, spread in usual_spreads.items() if role_of(name) == PREDICTION)
    return f"The build stops here; nothing was written. {_SMALLER_TARGET if large else advice_on(source, inputs)}".rstrip()


def _refuse_random(source: SourceModel, inputs: Arrays, reference: Arrays) -> None:
    """Raise `ParityError` if the source itself doesn't answer a request as it did a moment ago."""
    differences = compare(reference, source.predict(inputs))
    if differences:
        raise ParityError(
            "the model itself answers the same request differently each time",
            where=source.framework,
            expected="the same answer to the same request",
            found="; ".join(map(str, differences)),
            advice="It draws random numbers. Make it sample or drop out during training only (if self.training, nn.Dropout).",
        )


def _inner(part: SourceModel, seed: int) -> int:
    """A tree ensemble within a model, proved by itself: it is converted by the same code there."""
    return _thresholds(part, convert_model(part), None, seed)


def _thresholds(source: SourceModel, converted: Converted, holdout: Arrays | None, seed: int) -> int:
    """Both sides of every threshold of a tree ensemble, and missing values there."""
    if source.trees is None:
        return 0
    wide = any(spec.dtype == "float64" for spec in source.inputs) and not source.trees.narrow
    base = joined(holdout, source.inputs)[:BASE_ROWS] if holdout else np.random.default_rng(seed).standard_normal((BASE_ROWS, source.trees.features))
    session = open_session(converted.model, Settings(), where="model.onnx")
    agreed = 0
    for rows in boundary_rows(source.trees, base, takes_nan=source.takes_nan, double=wide):
        inputs = spread(rows, source.inputs)
        differences = compare(source.predict(inputs), run_session(session, inputs), rtol=TREE_RTOL, spread_share=TREE_SPREAD_SHARE)
        if differences:
            raise ParityError(
                "the converted model answers differently near a threshold of its trees",
                where="model.onnx",
                expected=f"what {source.framework} gives",
                found="; ".join(map(str, differences)),
                advice=_advice(source, inputs),
            )
        agreed += 1
    return agreed
