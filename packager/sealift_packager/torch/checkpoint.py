"""Which weights of a checkpoint are the module's: trainers write them beside optimizers and counters, in an entry, and with prefixes. Pure.

1. Sets of weights are the file itself and every entry that holds tensors by name, at most `MAX_DEPTH` deep; each also as the part with one prefix.
2. A set fits if it has every weight of the module in its shape. Other sets don't count, and so optimizers don't.
3. If several sets fit and differ, nobody can know which one is meant: it has to be named. So has what a set has beyond the module.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sealift_core.errors import first_few, nearest
from sealift_packager.errors import SourceModelError

STATE_KEY: Final = "--state-key"
ALLOW_EXTRA: Final = "--allow-extra"
MAX_DEPTH: Final = 4
_SHOWN: Final = 5
_COMPILED: Final = "_orig_mod."
#: Counts training steps and says nothing at answering; what torch 0.4 wrote doesn't have it, and torch itself fills it in.
_COUNTER: Final = "num_batches_tracked"

Tied = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One set of weights by the module's names; ``key`` says where in the file they are, ``extra`` are names that the module doesn't have."""

    key: str
    entry: str
    values: Mapping[str, Any]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether the module has all its weights here."""
        return not self.missing and not self.misshapen

    @property
    def called(self) -> str:
        """The key, for people."""
        return self.key or "(the file itself)"


def choose_weights(checkpoint: Any, expected: Mapping[str, Any], tied: Tied, *, key: str | None, allow_extra: bool, where: str) -> Mapping[str, Any]:
    """The module's weights in what a file holds.

    Args:
        checkpoint: What was read: mappings, modules, tensors and anything else within each other.
        expected: The module's own tensors by name.
        tied: By name the other names of the same tensor, of which files may have one alone.
        key: The entry that is meant, or entry and prefix, with dots between; None for the only one that fits.
        allow_extra: Whether names may be left over.
        where: The file, for errors.

    Raises:
        SourceModelError: If no set fits, several do, or some names are left over.
    """
    sets = [weights for entry, values in _entries(checkpoint, "", 0) for weights in _sets(entry, values, expected, tied)]
    if not sets and not expected and checkpoint == {}:  # a module without weights
        return {}
    if not sets:
        raise SourceModelError("not a state dict", where=where, expected="names with tensors", found=_described(checkpoint))
    if key is not None:
        sets = _named(sets, key, where)
    fitting = [weights for weights in sets if weights.fits]
    if not fitting:
        raise _nothing_fits(sets, expected, where)
    chosen = min(fitting, key=lambda weights: len(weights.extra))
    others = [weights for weights in fitting if not _equal(weights, chosen, expected)]
    if others:
        keys = list(dict.fromkeys(weights.called for weights in (chosen, *others)))
        advice = f"Say which weights to pack with {STATE_KEY}."
        raise SourceModelError("several sets of weights fit the module, and they differ", where=where, found=", ".join(keys), advice=advice)
    if chosen.extra and not allow_extra:
        advice = f"If the module does not need them, pass {ALLOW_EXTRA}. Otherwise let --factory build the module that they belong to."
        raise _mismatch(chosen, expected, where, advice)
    return {name: value for name, value in chosen.values.items() if name in expected}


def _entries(value: Any, entry: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything that holds tensors by name, with its place."""
    if hasattr(value, "state_dict") and not isinstance(value, type):  # a module in a pickle
        value = value.state_dict()
    if not isinstance(value, Mapping) or depth > MAX_DEPTH:
        return
    tensors = {name: item for name, item in value.items() if isinstance(name, str) and _is_tensor(item)}
    if tensors:
        yield entry, tensors
    for name, item in value.items():
        if isinstance(name, str):
            yield from _entries(item, f"{entry}.{name}" if entry else name, depth + 1)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "detach")


def _sets(entry: str, values: Mapping[str, Any], expected: Mapping[str, Any], tied: Tied) -> Iterator[Weights]:
    """The values as they are, and those with each prefix that could be a wrapper's: most have no name of the module's then."""
    names = {name.replace(_COMPILED, ""): value for name, value in values.items()}
    for prefix in ("", *_prefixes(names, expected)):
        part = {name.removeprefix(prefix): value for name, value in names.items() if name.startswith(prefix)}
        outside = tuple(name for name in names if not name.startswith(prefix))
        missing = tuple(name for name in expected if name not in part and not _may_lack(name, part, tied))
        extra = (*(f"{prefix}{name}" for name in part if name not in expected), *outside)
        misshapen = tuple(name for name, value in part.items() if name in expected and _shape(expected[name]) not in (None, value.shape))
        key = ".".join(filter(None, (entry, prefix.removesuffix("."))))
        yield Weights(key=key, entry=entry, values=part, missing=missing, extra=extra, misshapen=misshapen)


def _shape(parameter: Any) -> Any:
    """None for a lazy parameter, which takes the shape that the file has."""
    return None if "Uninitialized" in type(parameter).__name__ else parameter.shape


def _may_lack(name: str, part: Mapping[str, Any], tied: Tied) -> bool:
    return name.rpartition(".")[2] == _COUNTER or any(other in part for other in tied.get(name, ()))


def _prefixes(names: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What stands before names of the module's, the commonest first: at most so many as matter."""
    counts: Counter[str] = Counter()
    for name in names:
        at = name.find(".")
        while at >= 0:
            if name[at + 1 :] in expected:
                counts[name[: at + 1]] += 1
            at = name.find(".", at + 1)
    return [prefix for prefix, _ in counts.most_common(_SHOWN * 4)]


def _named(sets: Sequence[Weights], key: str, where: str) -> list[Weights]:
    """The sets of the key: all of an entry, or the part with one prefix, where what stands outside doesn't count."""
    whole = [weights for weights in sets if weights.entry == key]
    part = [_alone(weights) for weights in sets if weights.key == key and weights.entry != key]
    if not whole and not part:
        keys = list(dict.fromkeys(weights.key for weights in sets if weights.key))
        expected = f"one of {', '.join(keys[: _SHOWN * 2])}" if keys else "no key: the file itself is the only set of weights"
        raise SourceModelError(
            "no weights under this key", where=f"{STATE_KEY}, in {where}", expected=expected, found=repr(key), advice=nearest(key, keys)
        )
    return whole or part


def _alone(weights: Weights) -> Weights:
    prefix = weights.key.removeprefix(weights.entry).removeprefix(".") + "."
    return dataclasses.replace(weights, extra=tuple(name for name in weights.extra if name.startswith(prefix)))


def _equal(one: Weights, other: Weights, expected: Mapping[str, Any]) -> bool:
    return all(
        one.values[name] is other.values[name] or same_values(one.values[name], other.values[name])
        for name in expected
        if name in one.values and name in other.values
    )


def same_values(one: Any, other: Any) -> bool:
    """Whether two tensors have the same numbers; what is no number is equal to itself."""
    if one.shape != other.shape:
        return False
    if not one.is_floating_point() and not one.is_complex():
        return bool((one == other).all())
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _nothing_fits(sets: Sequence[Weights], expected: Mapping[str, Any], where: str) -> SourceModelError:
    """What the set lacks that comes nearest."""
    nearest_set = min(sets, key=lambda weights: (len(weights.missing) + len(weights.misshapen), len(weights.extra)))
    place = f"{where}: {nearest_set.key}" if nearest_set.key else where
    if not nearest_set.missing:
        name = nearest_set.misshapen[0]
        return SourceModelError(
            "a weight has another shape than in the module",
            where=f"{place}: {name}",
            expected=str(list(expected[name].shape)),
            found=str(list(nearest_set.values[name].shape)),
            advice="Let --factory build the module with the sizes that it was trained with.",
        )
    advice = "Let --factory build the module that was trained: every one of its weights must be in the file."
    entries = list(dict.fromkeys(weights.entry for weights in sets if weights.entry))
    if len(entries) > 1:
        advice += f" The file has weights in {', '.join(entries[:_SHOWN])}."
    return _mismatch(nearest_set, expected, place, advice)


def _mismatch(weights: Weights, expected: Mapping[str, Any], where: str, advice: str) -> SourceModelError:
    missing, extra = (first_few(sorted(names), _SHOWN) or "none" for names in (weights.missing, weights.extra))
    difference = f"missing {missing}; unexpected {extra}"
    return SourceModelError("the weights don't match the module", where=where, expected=f"{len(expected)} tensors", found=difference, advice=advice)


def _described(checkpoint: Any) -> str:
    if isinstance(checkpoint, Mapping):
        return f"a mapping with {first_few(sorted(map(str, checkpoint)), _SHOWN)}" if checkpoint else "an empty mapping"
    return type(checkpoint).__name__
