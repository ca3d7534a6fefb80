r"""Token patterns of scikit-learn as expressions of RE2, which onnxruntime's Tokenizer finds tokens by. Pure.

RE2 takes the longest match there, Python the first one that fits: they agree on a chain of single characters of which only the last may repeat
without a fixed number. Classes are written out character by character, because RE2's syntax is another one. With ``lowercase``, Python matches the
lowered text, and an expression takes the characters that become those of the pattern: ``İ`` becomes an i and a dot that ends the token.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import sys
from typing import Final

#: In Python a letter or digit of any script; in RE2, which onnxruntime uses, only of ASCII.
_WORD: Final = r"[\p{L}\p{N}_]"
#: Python lowers İ to i and a dot of its own, which is no word character and ends the word; onnxruntime to a plain i.
DOTTED: Final = "\u0130"
_DOT: Final = "\u0307"
_WORD_BUT_DOTTED: Final = rf"(?:[^\P{{L}}{DOTTED}]|[\p{{N}}_])"
#: Capital sigma becomes one or the other, by what stands around it.
_SIGMAS: Final = frozenset("σς")
_WORDS: Final = re.compile(r"(?:\\b)?((?:\\w)*)\\w(?:\+|\{(\d{1,3}),\})(?:\\b)?")
_ATOM: Final = re.compile(r"(\[[^\[\]\\^][^\[\]\\]*\]|[\w#@'-])(\+|\{\d{1,3}(?:,\d{0,3})?\})?")
#: Python warns of these within a class, for they may mean something one day.
_RESERVED: Final = ("--", "&&", "||", "~~")


def expression(token_pattern: str, *, lowercase: bool) -> str | None:
    """The expression that finds, in a text as it is, the tokens of the pattern in the text that is lowered; None for a pattern without one."""
    pattern = token_pattern.removeprefix("(?u)")
    group = re.fullmatch(r"(\\b)?\(([^()]*)\)(\\b)?", pattern)
    if group:  # what findall gives is the group, and that is all but the limits
        pattern = "".join(part or "" for part in (group[1], group[2], group[3]))
    words = _WORDS.fullmatch(pattern)
    if words:
        return _of_words(len(words[1]) // 2 + int(words[2] or 1), lowercase=lowercase)
    atoms = _atoms(pattern)
    return _of_atoms(atoms, lowercase=lowercase) if atoms else None


def _of_words(least: int, *, lowercase: bool) -> str | None:
    if least < 1:
        return None
    if not lowercase:
        return f"{_WORD}{{{least},}}"
    return f"{_WORD_BUT_DOTTED}{{{least - 1},}}{DOTTED}|{_WORD_BUT_DOTTED}{{{least},}}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Atom:
    """Some characters, ``least`` to ``most`` times; any number if ``most`` is None."""

    characters: frozenset[str]
    least: int
    most: int | None


def _atoms(pattern: str) -> list[_Atom]:
    """The chain that a pattern is; empty for anything else."""
    atoms, at = list[_Atom](), 0
    while at < len(pattern):
        match = _ATOM.match(pattern, at)
        if match is None or any(pair in match[1] for pair in _RESERVED):
            return []
        least, most = _times(match[2])
        atoms.append(_Atom(characters=frozenset(re.findall(match[1], _all_characters())), least=least, most=most))
        at = match.end()
    fixed = all(atom.least == atom.most for atom in atoms[:-1])
    return atoms if fixed and all(atom.least > 0 and (atom.most is None or atom.most >= atom.least) for atom in atoms) else []


def _times(quantifier: str | None) -> tuple[int, int | None]:
    if quantifier is None:
        return 1, 1
    if quantifier == "+":
        return 1, None
    least, comma, most = quantifier[1:-1].partition(",")
    return int(least), int(most) if most else (None if comma else int(least))


def _of_atoms(atoms: list[_Atom], *, lowercase: bool) -> str | None:
    all_of_them = frozenset[str]().union(*(atom.characters for atom in atoms))
    if lowercase and (_DOT in all_of_them or any(len(_SIGMAS & atom.characters) == 1 for atom in atoms)):
        return None
    classes = [_class(_raised(atom.characters) if lowercase else atom.characters) for atom in atoms]
    if not all(classes):
        return None
    *firsts, last = (_repeated(name, atom.least, atom.most) for name, atom in zip(classes, atoms, strict=True))
    first, end = "".join(firsts), atoms[-1]
    if not lowercase or "i" not in end.characters:
        return first + last
    return f"{first}{_repeated(classes[-1], end.least - 1, end.most and end.most - 1)}{DOTTED}|{first}{last}"


def _repeated(name: str, least: int, most: int | None) -> str:
    return f"{name}{{{least},{'' if most is None else most}}}"


def _raised(characters: frozenset[str]) -> frozenset[str]:
    """What is lowered to these, İ left out."""
    changed = _changed_by_lowering()
    return frozenset(one for one in characters if one not in changed) | {one for one, lowered in changed.items() if lowered in characters}


def _class(characters: frozenset[str]) -> str:
    """RE2's class of them; empty for none."""
    runs = itertools.groupby(enumerate(sorted(map(ord, characters))), key=lambda pair: pair[1] - pair[0])
    ranges = [(members[0][1], members[-1][1]) for _, group in runs if (members := list(group))]
    return "[" + "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges) + "]" if ranges else ""


@functools.cache
def _all_characters() -> str:
    surrogates = range(0xD800, 0xE000)
    return "".join(chr(code) for code in range(sys.maxunicode + 1) if code not in surrogates)


@functools.cache
def _changed_by_lowering() -> dict[str, str]:
    return {one: one.lower() for one in _all_characters() if one.lower() != one}
