"""The decision: gates first, then the profile's objectives in their order. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

from sealift_core.bundle.evaluation import Accuracy
from sealift_packager.candidates.judgement import Judgement
from sealift_packager.candidates.result import CandidateResult, NotBuilt
from sealift_packager.errors import GateError
from sealift_packager.measure.latency import NOT_SLOWER
from sealift_packager.search.objectives import FINER, OBJECTIVES, SHOWN, UNMEASURED, Filter, smallest

#: The precisions that compute by onnxruntime's MatMulNBits.
BLOCKS: Final = ("int8-blocks", "int4-blocks")
#: Up to so many times too much are said by their number.
_COUNTED: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The candidate that ships, and a sentence on each candidate by name."""

    chosen: CandidateResult
    reasons: dict[str, str]


def choose(fp32: CandidateResult, others: Sequence[CandidateResult | NotBuilt], objective: Sequence[str]) -> Choice:
    """Choose between fp32 and the other candidates.

    1. What could not be built, or loses more accuracy than the budget allows, is out. If fp32 itself does, `GateError`.
    2. Never slower, never worse: what is slower than fp32, or neither faster nor smaller, is out. So is MatMulNBits where nothing was measured,
       unless size is what matters first: only a machine shows whether it is slower.
    3. Among the rest each objective in turn keeps those that are not worse than the best; of several that are left, the smallest is chosen.
       Where nothing was measured, only size and accuracy count.
    """
    if fp32.judgement and not fp32.judgement.passes:
        raise _lost_by_conversion(fp32.judgement.accuracy)
    objections = {result.name: _objection(result, fp32, objective) for result in others}  # 1, 2
    eligible = [fp32, *(result for result in others if isinstance(result, CandidateResult) and not objections[result.name])]
    chosen, because, lost = _decide(eligible, fp32, objective)  # 3
    sentences = {**objections, **lost, chosen.name: because}
    return Choice(chosen=chosen, reasons={result.name: _with_notes(sentences[result.name], result) for result in (fp32, *others)})


def _lost_by_conversion(accuracy: Accuracy) -> GateError:
    return GateError(
        "the model loses accuracy by conversion alone",
        where="fp32",
        expected=f"a loss of {accuracy.metric} of at most {accuracy.budget:.4g} (95 % bound)",
        found=f"{accuracy.loss:.4g}, up to {accuracy.loss_high:.4g}",
        advice="Pass the loss that you accept to --max-drop, in the metric's unit.",
    )


def _with_notes(sentence: str, result: CandidateResult | NotBuilt) -> str:
    if isinstance(result, NotBuilt):
        return sentence
    settings = result.candidate.quantization
    excluded = {"in fp32": settings.reverted, "with weights of fp16": settings.fp16_nodes} if settings else {}
    notes = [f"{len(names)} of its nodes {how} ({', '.join(names)})" for how, names in excluded.items() if names]
    judgement = result.judgement
    if judgement and judgement.worst_channel and judgement.channels_pass:
        notes.append(f"{judgement.worst_channel} is furthest from the source model's, at {judgement.channel_share:.2g} of what a channel may lose")
    return "; ".join([sentence, *notes, *([result.arithmetic] if result.arithmetic else [])])


def _objection(result: CandidateResult | NotBuilt, fp32: CandidateResult, objective: Sequence[str]) -> str:
    if isinstance(result, NotBuilt):
        return result.reason
    if result.judgement and not result.judgement.passes:
        return _gate_missed(result.judgement)
    if result.speedup is not None and result.speedup.low < NOT_SLOWER:
        return f"not reliably as fast as fp32: {_speed(result)}"
    faster = result.speedup is not None and result.speedup.low > 1
    if not faster and result.size_bytes >= fp32.size_bytes:
        return "neither faster nor smaller than fp32"
    if fp32.figures is None and result.candidate.precision in BLOCKS and tuple(objective[:1]) != ("size",):
        return (
            "smaller, but its speed is not known: on processors without fast kernels for it, MatMulNBits is slower than fp32, and latency was not "
            "measured on this hardware; put --objective size first to choose by size, or measure with --measure-on"
        )
    return ""


def _gate_missed(judgement: Judgement) -> str:
    loss, budget = judgement.accuracy, judgement.accuracy.budget
    if judgement.rows_wanted:
        lost = f"loses {loss.loss:.4g} {loss.metric} on these rows, and" if loss.loss > 0 else f"loses no {loss.metric} on these rows, but"
        needed = f"a budget of {budget:.4g} needs {judgement.rows_wanted:,} rows"
        return f"{lost} so few rows can't rule out a loss of {loss.loss_high:.2g} (95 % bound): {needed}"
    if not judgement.channels_pass:
        if math.isinf(judgement.channel_share):
            return f"{judgement.worst_channel} has NaN or infinite values where the source model has numbers"
        times = f"{judgement.channel_share:.2g}" if judgement.channel_share <= _COUNTED else f"more than {_COUNTED:,}"
        found = f"{times} times what a channel may lose; the {loss.metric} as a whole loses {loss.loss:.4g}"
        return f"{judgement.worst_channel} is too far from the source model's ({found})"
    if judgement.only_worst_row_fails:
        return f"loses {loss.loss:.4g} {loss.metric} on average, but {judgement.worst_row:.2g} times what a single row may lose on its worst row"
    return f"loses {loss.loss:.4g} {loss.metric}, and up to {loss.loss_high:.4g} (95 % bound): more than the budget of {budget:.4g}"


def _decide(eligible: list[CandidateResult], fp32: CandidateResult, objective: Sequence[str]) -> tuple[CandidateResult, str, dict[str, str]]:
    if len(eligible) == 1:
        return eligible[0], "the only candidate that passes", {}
    measured = fp32.figures is not None
    left, rounds, even = eligible, list[_Round](), list[str]()
    for name, keep in _filters(objective, measured=measured):
        kept = keep(left)
        if len(kept) == len(left):
            even += [name] if name in objective else []
        else:
            rounds.append(_Round(objective=name, before=left, after=kept, even=tuple(even)))
        left = kept
    chosen = left[0]
    lost = {name: sentence for round_ in rounds for name, sentence in _lost(round_, chosen).items()}
    lost |= {result.name: f"passes, but is no better than {chosen.name}" for result in left[1:]}
    return chosen, _because(chosen, fp32, rounds[-1] if rounds else None, measured=measured), lost


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """An objective that told candidates apart, and those before it that didn't (``even``)."""

    objective: str
    before: list[CandidateResult]
    after: list[CandidateResult]
    even: tuple[str, ...]


def _filters(objective: Sequence[str], *, measured: bool) -> list[tuple[str, Filter]]:
    counting = objective if measured else [name for name in objective if name in UNMEASURED]
    names = dict.fromkeys(finer for name in counting for finer in (name, FINER.get(name, name)))
    return [*((name, OBJECTIVES[name]) for name in names), ("size", smallest)]


def _lost(round_: _Round, chosen: CandidateResult) -> dict[str, str]:
    """A sentence on each that an objective left behind; if its figure in the table is better than that of the chosen one, why."""
    value, unit = SHOWN[round_.objective]
    best = min(round_.before, key=lambda result: _number(value(result)))
    sentences = {}
    for result in round_.before:
        if result not in round_.after:
            better = _number(value(result)) < _number(value(chosen))
            apart = f": it is reliably worse than {best.name} ({_number(value(best)):.4g} {unit}), which {chosen.name} isn't" if better else ""
            sentences[result.name] = f"passes, but loses on {round_.objective}{apart}"
    return sentences


def _because(chosen: CandidateResult, fp32: CandidateResult, deciding: _Round | None, *, measured: bool) -> str:
    if not measured:
        accuracy = "within the accuracy budget" if chosen.accuracy else "not evaluated"
        return f"the smallest candidate, {accuracy}; latency was not measured on this hardware, so it did not count"
    best = _best_on(chosen, deciding) if deciding else "as good as any of the candidates that pass"
    if chosen is fp32:
        return best
    share = chosen.size_bytes / fp32.size_bytes
    return f"{best}: {_speed(chosen)}, {share:.0%} of its size"


def _best_on(chosen: CandidateResult, deciding: _Round) -> str:
    """What decided; where another candidate's figure in the table is better, that it isn't reliably so."""
    even = f" (none is reliably better on {' or '.join(deciding.even)})" if deciding.even else ""
    value, unit = SHOWN[deciding.objective]
    mine, best = _number(value(chosen)), min(deciding.before, key=lambda result: _number(value(result)))
    if _number(value(best)) >= mine:
        return f"best on {deciding.objective}{even} of the candidates that pass"
    apart = f"{best.name}'s {_number(value(best)):.4g} {unit} is not reliably better than its {mine:.4g}"
    return f"among the best on {deciding.objective}{even} of the candidates that pass ({apart})"


def _number(value: float | None) -> float:
    """A figure that a table doesn't have is worse than any."""
    return math.inf if value is None else value


def _speed(result: CandidateResult) -> str:
    speed = result.speedup
    return "speed unknown" if speed is None else f"{speed.ratio:.2f} times as fast as fp32 ({speed.low:.2f} to {speed.high:.2f})"
