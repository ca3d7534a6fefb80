"""How far two histograms are apart, and how likely chance alone brings them as far.

Pure functions of counts. The distributions that chance gives are approximated by a gamma distribution with the mean
and deviation that the packager simulated, because for two samples of one distribution the Jensen-Shannon divergence
is, to second order, a scaled chi-square: (1/n + 1/m) / (8 ln 2) times chi-square with one degree of freedom less than
bins (Grosse et al. 2002, Physical Review E 65, 041905, section II).
"""

from __future__ import annotations

import math
import statistics
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

#: A gamma variable's deviation over its mean is taken to lie between: its square must be a float above 0.
_NARROWEST: Final = 1e-50
_WIDEST: Final = 1e50
#: A busy device's window has many rows; a sum over all would take gigabytes.
MAX_TRIALS: Final = 1_000_000


def js_divergence(first: Array, second: Array) -> Array:
    """Compute the Jensen-Shannon divergence between counts along the last axis.

    Source: Lin 1991, IEEE Transactions on Information Theory 37(1), 145-151.

    Args:
        first: Counts, ``[…, bins]``.
        second: Counts that broadcast against them: ``[bins]`` against ``[windows, bins]``, say.

    Returns:
        The divergence in bits, 0 to 1, float64, of the shape without the last axis (``[windows]``); 0 where one side is empty.
    """
    p, q = _fractions(first), _fractions(second)
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    empty = (p.sum(axis=-1) == 0) | (q.sum(axis=-1) == 0)
    return np.where(empty, 0.0, np.clip(divergence, 0.0, 1.0))


def js_distance(first: Array, second: Array) -> float:
    """Compute the Jensen-Shannon distance, the square root of the divergence, which is a metric (Endres and Schindelin 2003).

    Args:
        first: Counts, ``[bins]``.
        second: Counts in the same bins.

    Returns:
        The distance, 0 to 1; 0 where one side is empty.
    """
    return math.sqrt(float(js_divergence(first, second)))


def psi(reference: Array, window: Array) -> float:
    """Compute the population stability index: the sum of (q - p) ln(q / p) over bins, each bin half a count fuller.

    The half count (Jeffreys' prior) keeps it finite where a bin is empty. Source: Lewis 1994, An Introduction to Credit
    Scoring; its value under no shift is (bins - 1)(1/n + 1/m), Yurdakul and Naranjo 2020.

    Args:
        reference: The holdout's counts, ``[bins]``.
        window: The window's counts in the same bins.

    Returns:
        The index, at least 0.
    """
    p = (reference + 0.5) / (reference.sum() + 0.5 * reference.size)
    q = (window + 0.5) / (window.sum() + 0.5 * window.size)
    return float(((q - p) * np.log(q / p)).sum())


def gamma_tail(value: float, mean: float, deviation: float) -> float:
    """Compute P(X ≥ value) for a gamma variable, by the cube root's normality.

    Source: Wilson and Hilferty 1931, PNAS 17(12), 684-688. Without any deviation it is a step at ``mean``.

    Args:
        value: The bound, at least 0.
        mean: The variable's mean.
        deviation: Its standard deviation.

    Returns:
        The probability.
    """
    if mean <= 0 or deviation <= 0:
        return 0.0 if value > mean else 1.0
    ninth = _ratio(deviation, mean) ** 2 / 9
    z = ((value / mean) ** (1 / 3) - (1 - ninth)) / math.sqrt(ninth)
    return 0.5 * math.erfc(z / math.sqrt(2))


def gamma_quantile(tail: float, mean: float, deviation: float) -> float:
    """Compute the value that a gamma variable exceeds with a given probability: the inverse of `gamma_tail`.

    Args:
        tail: The probability, between 0 and 1, both exclusive.
        mean: The variable's mean.
        deviation: Its standard deviation.

    Returns:
        The value, at least 0; ``mean`` without any deviation.
    """
    if mean <= 0 or deviation <= 0:
        return mean
    ninth = _ratio(deviation, mean) ** 2 / 9
    z = statistics.NormalDist().inv_cdf(1 - tail)
    return float(mean * max(0.0, 1 - ninth + z * math.sqrt(ninth)) ** 3)


def beta_binomial_tail(successes: int, trials: int, alpha: float, beta: float) -> float:
    """Compute P(X ≥ successes) for a beta-binomial variable: exact, summed in logarithms.

    Of more than `MAX_TRIALS` trials, so many with as large a share of successes are taken, which makes the probability larger.

    With alpha and beta from ``m`` reference rows it is how likely as many come by chance when both sides have one unknown
    rate. Source: Johnson, Kemp and Kotz, Univariate Discrete Distributions, 6.2.2.

    Args:
        successes: The bound, at most ``trials``.
        trials: How many draws there are.
        alpha: The first parameter of the beta distribution that the rate has, above 0.
        beta: The second one, above 0.

    Returns:
        The probability.
    """
    if trials > MAX_TRIALS:
        successes, trials = successes * MAX_TRIALS // trials, MAX_TRIALS
    if successes <= 0:
        return 1.0
    k = np.arange(trials, dtype=np.float64)
    ratios = np.log((trials - k) * (alpha + k)) - np.log((k + 1) * (beta + trials - k - 1))
    first = math.lgamma(beta + trials) - math.lgamma(alpha + beta + trials) + math.lgamma(alpha + beta) - math.lgamma(beta)
    tail = (first + np.cumsum(ratios))[successes - 1 :]
    top = float(tail.max())
    return min(1.0, math.exp(top) * float(np.exp(tail - top).sum()))


def _ratio(deviation: float, mean: float) -> float:
    return max(_NARROWEST, min(deviation / mean, _WIDEST))


def _fractions(counts: Array) -> Array:
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(counts / np.maximum(total, 1))


def _entropy(p: Array) -> Array:
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=-1))
