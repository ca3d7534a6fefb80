"""Which verb somebody meant who wrote one that isn't there: first by its meaning, then by its spelling. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from sealift_core.errors import COMPARED_CHARACTERS

#: Words of one meaning, with the three programs' own verbs among them. A verb is suggested only for a word that means what it does.
MEANINGS: Final = (
    ("sync", "update", "upgrade", "install", "fetch", "pull", "download", "get"),
    ("status", "devices", "list", "ls", "show", "ps", "state", "models", "info"),
    ("run", "serve", "start", "up", "daemon", "listen"),
    ("rollback", "revert", "undo", "downgrade", "restore", "back"),
    ("doctor", "check", "verify", "diagnose", "health", "validate", "test", "lint"),
    ("infer", "predict", "ask", "query", "invoke", "call"),
    ("init", "setup", "enrol", "enroll", "register", "configure", "config"),
    ("export", "report", "reports", "send"),
    ("import", "load", "ingest"),
    ("detect", "profiles", "hardware", "machine", "probe"),
    ("pack", "build", "convert", "package", "quantize", "compile", "make"),
    ("inspect", "show", "list", "ls", "view", "cat", "info"),
    ("diff", "compare"),
    ("explain", "why", "describe"),
    ("unpack", "extract", "unzip"),
    ("keys", "key", "keygen", "sign"),
    ("promote", "release", "deploy", "ship", "point"),
    ("add", "publish", "push", "upload"),
    ("demote", "withdraw", "remove", "delete", "rm", "unpublish", "retract", "yank"),
    ("refresh", "renew", "resign", "update"),
    ("rotate", "replace", "revoke"),
)
#: How alike two words are whose difference is a slip of the fingers (`difflib.SequenceMatcher.ratio`).
_ALIKE: Final = 0.75


def suggestion(word: str, verbs: Sequence[str]) -> str | None:
    """Find the verb that somebody meant.

    Args:
        word: What is written.
        verbs: The program's verbs.

    Returns:
        A sentence of advice, or None if no verb means the same or is spelt nearly so.
    """
    if len(word) > COMPARED_CHARACTERS:
        return None
    words = {*verbs, *(other for meaning in MEANINGS for other in meaning)}
    for close in difflib.get_close_matches(word.lower(), sorted(words), n=3, cutoff=_ALIKE):
        if meant := [close] if close in verbs else _of_one_meaning(close, verbs):
            return "Did you mean " + " or ".join(repr(verb) for verb in meant) + "?"
    return None


def _of_one_meaning(word: str, verbs: Sequence[str]) -> list[str]:
    """The verbs of a program that mean what a word means, those of the first meaning that has one."""
    return next((found for meaning in MEANINGS if word in meaning and (found := [verb for verb in meaning if verb in verbs])), [])
