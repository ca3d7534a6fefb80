"""The decision: gates first, then the profile's objectives in their order. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sealift_packager.errors import GateError
from sealift_packager.measure.accuracy import only_worst_row_fails
from sealift_packager.measure.latency import NOT_SLOWER
from sealift_packager.search.assessed import Assessed
from sealift_packager.search.objectives import OBJECTIVES, UNMEASURED, Filter, smallest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The candidate that ships, and a sentence on each candidate by name."""

    chosen: Assessed
    reasons: dict[str, str]


def choose(candidates: Sequence[Assessed], objective: Sequence[str]) -> Choice:
    """Choose among candidates, of which the first is fp32.

    1. What could not be built, or loses more accuracy than the budget allows, is out. If fp32 itself does, `GateError`.
    2. Never slower, never worse: what is slower than fp32, or neither faster nor smaller, is out.
    3. Among the rest each objective in turn keeps those that are not worse than the best; of several that are left, the smallest is chosen.
       Where nothing was measured, only size and accuracy count.
    """
    fp32 = candidates[0]
    if not fp32.within_budget and fp32.accuracy is not None:
        raise GateError(
            "the model loses accuracy by conversion alone",
            where="fp32",
            expected=f"a loss of {fp32.accuracy.metric} of at most {fp32.accuracy.budget:.4g} (95 % bound)",
            found=f"{fp32.accuracy.loss:.4g}, up to {fp32.accuracy.loss_high:.4g}",
            advice="Give --max-drop what may be lost, in the metric's unit.",
        )
    reasons = {row.spec.name: _objection(row, fp32) for row in candidates}  # 1, 2
    eligible = [row for row in candidates if not reasons[row.spec.name]]
    chosen, because, lost = _decide(eligible, fp32, objective)  # 3
    reasons[chosen.spec.name] = because
    sentences = {name: reason or lost.get(name, "") for name, reason in reasons.items()}
    return Choice(chosen=chosen, reasons={row.spec.name: _with_notes(sentences[row.spec.name], row) for row in candidates})


def _with_notes(sentence: str, row: Assessed) -> str:
    settings = row.spec.quantization
    spared = {"in fp32": settings.reverted, "with weights of fp16": settings.halved} if settings else {}
    notes = [f"{len(names)} of its nodes {how} ({', '.join(names)})" for how, names in spared.items() if names]
    return "; ".join([sentence, *notes, *([row.arithmetic] if row.arithmetic else [])])


def _objection(row: Assessed, fp32: Assessed) -> str:
    if row.failure:
        return row.failure
    if not row.within_budget and row.accuracy is not None:
        loss, budget = row.accuracy, row.accuracy.budget
        if row.rows_wanted:
            lost = f"loses {loss.loss:.4g} {loss.metric} on these rows, and" if loss.loss else f"loses no {loss.metric} on these rows, but"
            return f"{lost} so few leave open {loss.loss_high:.2g} (95 % bound): a budget of {budget:.4g} needs {row.rows_wanted:,} rows"
        if row.worst_row is not None and only_worst_row_fails(loss, row.worst_row):
            return f"loses {loss.loss:.4g} {loss.metric} on average, but {row.worst_row:.2g} times what a single row may lose on its worst row"
        return f"loses {loss.loss:.4g} {loss.metric}, and up to {loss.loss_high:.4g} (95 % bound): more than the budget of {budget:.4g}"
    if row is fp32:
        return ""
    if row.speedup is not None and row.speedup.low < NOT_SLOWER:
        return f"not reliably as fast as fp32: {_speed(row)}"
    faster = row.speedup is not None and row.speedup.low > 1
    if not faster and row.size_bytes >= fp32.size_bytes:
        return "neither faster nor smaller than fp32"
    return ""


def _decide(eligible: list[Assessed], fp32: Assessed, objective: Sequence[str]) -> tuple[Assessed, str, dict[str, str]]:
    lost: dict[str, str] = {}
    if len(eligible) == 1:
        return eligible[0], "the only candidate that passes", lost
    measured = fp32.figures is not None
    filters = _filters(objective, measured=measured)
    left, deciding = eligible, ""
    even: list[str] = []
    earlier: tuple[str, ...] = ()
    for name, keep in filters:
        kept = keep(left)
        for row in left:
            if row not in kept:
                lost[row.spec.name] = f"passes, but loses on {name}"
        if len(kept) == len(left):
            even.append(name)
        else:
            deciding, earlier = name, tuple(even)
        left = kept
    chosen = left[0]
    lost |= {row.spec.name: f"passes, but is no better than {chosen.spec.name}" for row in left[1:]}
    return chosen, _because(chosen, fp32, deciding, earlier, measured=measured), lost


def _filters(objective: Sequence[str], *, measured: bool) -> list[tuple[str, Filter]]:
    counting = objective if measured else [name for name in objective if name in UNMEASURED]
    return [*((name, OBJECTIVES[name]) for name in counting), ("size", smallest)]


def _because(chosen: Assessed, fp32: Assessed, deciding: str, earlier: Sequence[str], *, measured: bool) -> str:
    if not measured:
        accuracy = "within the accuracy budget" if chosen.accuracy else "not evaluated"
        return f"the smallest candidate, {accuracy}; latency was not measured on this hardware, so it did not count"
    even = f" (none is reliably better on {' or '.join(earlier)})" if earlier else ""
    best = f"best on {deciding}{even}" if deciding else "as good as any"
    if chosen is fp32:
        return f"{best} of the candidates that pass"
    share = chosen.size_bytes / fp32.size_bytes
    return f"{best} of the candidates that pass: {_speed(chosen)}, {share:.0%} of its size"


def _speed(row: Assessed) -> str:
    speed = row.speedup
    return "speed unknown" if speed is None else f"{speed.ratio:.2f} times as fast as fp32 ({speed.low:.2f} to {speed.high:.2f})"
