"""A verb that isn't there gets the advice that its meaning, or a slip of the fingers, asks for; never that of another word that looks like it."""

from __future__ import annotations

import pytest

from sealift_core.terminal.suggestions import MEANINGS, suggestion

AGENT = ["init", "sync", "run", "status", "infer", "rollback", "detect", "doctor", "import", "export"]
REPO = ["init", "add", "promote", "refresh", "check", "rotate"]


@pytest.mark.parametrize(
    ("word", "verbs", "advice"),
    [
        ("update", AGENT, "Did you mean 'sync'?"),
        ("install", AGENT, "Did you mean 'sync'?"),
        ("instal", AGENT, "Did you mean 'sync'?"),
        ("ls", AGENT, "Did you mean 'status'?"),
        ("start", AGENT, "Did you mean 'run'?"),
        ("Revert", AGENT, "Did you mean 'rollback'?"),
        ("predict", AGENT, "Did you mean 'infer'?"),
        ("statsu", AGENT, "Did you mean 'status'?"),
        ("promot", REPO, "Did you mean 'promote'?"),
        ("publish", REPO, "Did you mean 'add'?"),
        ("remove", [*REPO, "demote", "withdraw"], "Did you mean 'demote' or 'withdraw'?"),
        ("remove", REPO, None),
        ("delete", REPO, None),
        ("demote", REPO, None),
        ("xyz", AGENT, None),
        ("", AGENT, None),
        ("s" * 10_000, AGENT, None),
    ],
)
def test_the_advice_for_a_verb_that_is_not_there(word: str, verbs: list[str], advice: str | None) -> None:
    assert suggestion(word, verbs) == advice


@pytest.mark.parametrize("meaning", MEANINGS)
def test_a_verb_that_undoes_is_never_offered_for_one_that_does(meaning: tuple[str, ...]) -> None:
    undoing = {"remove", "delete", "demote", "withdraw", "rollback", "revoke"}
    assert not (undoing & set(meaning) and {"promote", "add", "init"} & set(meaning))
