"""How far a candidate's outputs are from the source's, channel by channel, each on its own scale. Pure.

One number over a whole output hides what is small in it: a detector's boxes are hundreds, its scores below 1. So each output is cut along each of its
axes but the rows (columns of a table, channels of a picture, values of an anchor), and each slice counts by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from sealift_packager.model.source import Array, Arrays

#: What a channel may lose at most where no budget says so: as much as a single row may by the default budget of `cosine`.
CHANNEL_LIMIT: Final = 0.05
#: A channel's spread counts as at least this share of its largest value, of the largest value of its output, and, where all its values are shares
#: (0 to 1), of the widest spread of such a channel: finer than that is the rounding of float32, or a class that never occurs.
SHARE_OF_CHANNEL: Final = 1e-3
SHARE_OF_OUTPUT: Final = 1e-5
SHARE_OF_SHARES: Final = 1e-2
_TINY: Final = 1e-30
#: Stands for a loss that is many times what is allowed where that is 0: infinite are only those that have lost a number.
BEYOND: Final = 1e30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLoss:
    """The channel that is furthest from the source's.

    ``loss`` is half its squared error as a share of its variance (for small errors 1 less the cosine of the values without their mean); of values
    that aren't floats, the share that differs. ``index`` is its number along ``axis``, None where the output is one channel.
    """

    output: str
    axis: int
    index: int | None
    loss: float

    def __str__(self) -> str:
        if self.index is None:
            return f"the output {self.output}"
        return f"channel {self.index} of the output {self.output}" + (f" (axis {self.axis})" if self.axis != 1 else "")


def worst_channel(reference: Arrays, packaged: Arrays, names: Iterable[str]) -> ChannelLoss | None:
    """The worst channel of some outputs ``[rows, …]``; None where there are none."""
    losses = (loss for name in names for loss in _losses(name, reference[name], packaged[name]))
    return max(losses, key=lambda loss: loss.loss, default=None)


def mean_loss(reference: Arrays, packaged: Arrays) -> float:
    """The mean over all channels of all float outputs: how far a candidate is, whatever the metric; infinite where it has lost a number."""
    means = [
        float(np.mean(_float_losses(_channels(value, axis), _channels(packaged[name], axis))))
        for name, value in reference.items()
        if value.dtype.kind == "f"
        for axis in [channel_axis(value)]
    ]
    return float(np.mean(means)) if means else 0.0


def channel_axis(value: Array) -> int:
    """The axis of ``[rows, …]`` along which the values differ most in size: 84 values of 8,400 anchors are channels, whichever comes first."""
    axes = [axis for axis in range(1, value.ndim) if value.shape[axis] > 1]
    if len(axes) < 2:
        return axes[0] if axes else 0
    sizes = {axis: np.log(np.maximum(_root_mean_squares(_channels(value, axis)), _TINY)) for axis in axes}
    return max(axes, key=lambda axis: (float(np.ptp(sizes[axis])), axis))


def in_units(reference: Array, values: Array) -> Array:
    """``values`` [rows, …] as [rows, values], each channel in units of what the reference's usually is, so that all weigh alike."""
    axis = channel_axis(reference)
    channels = _channels(reference, axis)
    units = np.maximum(np.maximum(_root_mean_squares(channels), _floors(channels)), _TINY)
    shape = [-1 if at == axis and axis else 1 for at in range(reference.ndim)]
    scaled: Array = values.astype(np.float64) / units.reshape(shape)
    return scaled.reshape(len(values), -1)


def _losses(name: str, reference: Array, packaged: Array) -> Iterator[ChannelLoss]:
    """The worst of each axis."""
    axes = [axis for axis in range(1, reference.ndim) if reference.shape[axis] > 1] or [0]
    for axis in axes:
        pair = _channels(reference, axis), _channels(packaged, axis)
        losses = _float_losses(*pair) if reference.dtype.kind == "f" else (pair[0] != pair[1]).mean(axis=1)
        at = int(losses.argmax())
        yield ChannelLoss(output=name, axis=axis, index=at if axis else None, loss=float(losses[at]))


def _channels(value: Array, axis: int) -> Array:
    """[channels, values]; all as one channel for axis 0."""
    return np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1) if axis else value.reshape(1, -1)


def _float_losses(reference: Array, packaged: Array) -> Array:
    """Of [channels, values]; infinite where one alone has a number."""
    expected, actual = reference.astype(np.float64), packaged.astype(np.float64)
    finite = np.isfinite(expected)
    lost = np.where(finite, ~np.isfinite(actual), (expected != actual) & ~(np.isnan(expected) & np.isnan(actual)))
    errors = np.where(finite & ~lost, actual - np.where(finite, expected, 0), 0)
    counts = np.maximum(finite.sum(axis=1), 1)
    spreads = np.maximum(_spreads(expected, finite), _floors(expected))
    squares = np.square(errors).sum(axis=1) / counts
    ratios = np.divide(squares, 2 * np.square(spreads), out=np.where(squares > 0, BEYOND, 0.0), where=spreads > _TINY)
    return np.where(lost.any(axis=1), np.inf, ratios)


def _spreads(values: Array, finite: Array) -> Array:
    """Standard deviations."""
    counts = np.maximum(finite.sum(axis=1, keepdims=True), 1)
    numbers = np.where(finite, values, 0)
    means = numbers.sum(axis=1, keepdims=True) / counts
    spreads: Array = np.sqrt(np.square(np.where(finite, values - means, 0)).sum(axis=1) / counts[:, 0])
    return spreads


def _root_mean_squares(values: Array) -> Array:
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    result: Array = np.sqrt(np.square(np.where(finite, numbers, 0)).sum(axis=1) / np.maximum(finite.sum(axis=1), 1))
    return result


def _floors(values: Array) -> Array:
    """The least spread that each channel of [channels, values] counts with."""
    finite = np.isfinite(values)
    numbers = np.where(finite, values, 0).astype(np.float64)
    largest = np.abs(numbers).max(axis=1, initial=0)
    floors = np.maximum(SHARE_OF_CHANNEL * largest, SHARE_OF_OUTPUT * largest.max(initial=0))
    shares = (numbers.min(axis=1, initial=0) >= 0) & (numbers.max(axis=1, initial=0) <= 1)
    widest = _spreads(numbers, finite)[shares].max(initial=0)
    least: Array = np.where(shares, np.maximum(floors, SHARE_OF_SHARES * widest), floors)
    return least
