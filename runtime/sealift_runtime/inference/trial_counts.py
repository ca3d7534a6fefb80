"""What a trial found out, as a value; without numpy, since the control plane reads it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrialCounts:
    """What was found out so far.

    Attributes:
        previous: The previous version.
        failures: Requests that the new version failed, though they fit its signature.
        failures_asked: Of these, so many were asked again.
        failures_own: Of these, so many failed again and were answered by the previous version.
        nonfinite: Answers of the new version that held a NaN or an infinity.
        nonfinite_asked: Of these, so many were asked again.
        nonfinite_own: Of these, so many had none in the previous version's answer.
        ratios: For each request that both were asked, how many times as long the new version took.
        growths: For each of them, by how many bytes more the process grew with the new version than with the previous one.
    """

    previous: str
    failures: int = 0
    failures_asked: int = 0
    failures_own: int = 0
    nonfinite: int = 0
    nonfinite_asked: int = 0
    nonfinite_own: int = 0
    ratios: tuple[float, ...] = ()
    growths: tuple[int, ...] = ()
