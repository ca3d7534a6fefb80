"""One attack, and the register of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from attacks.site import Site

#: Carries the attack out and says what the agent did, by what was seen; raises `AssertionError` if it didn't hold.
Act = Callable[[Site], str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack: from which side it comes, what is tried, and how."""

    side: str
    name: str
    act: Act


ATTACKS: Final[list[Attack]] = []


def attack(side: str, name: str) -> Callable[[Act], Act]:
    """Register a function as an attack from a side."""

    def register(act: Act) -> Act:
        ATTACKS.append(Attack(side=side, name=name, act=act))
        return act

    return register
