from __future__ import annotations

import dataclasses
import datetime

import pytest

from sealift_core.messages.health import ModelSigns, Signs, Trouble, assess

NOW = datetime.datetime(2027, 1, 1, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
WELL = Signs(now=NOW, last_seen=NOW - HOUR, crashes=[NOW - HOUR] * 2, models=[ModelSigns(name="a", requests=1000, failures=4, condition="current")])


def test_a_device_that_is_well_has_no_problems() -> None:
    assert assess(WELL) == ()
    assert assess(Signs(now=NOW)) == (), "what isn't known is no problem"


@pytest.mark.parametrize(
    ("changes", "trouble", "words"),
    [
        ({"conflict": "two stories"}, Trouble.CONFLICT, "Its reports conflict: two stories."),
        ({"gap": "report 3 is missing"}, Trouble.GAP, "Its reports can't be taken: report 3 is missing."),
        ({"crashes": [NOW - n * HOUR for n in range(3)]}, Trouble.CRASH_LOOP, "The agent crashed 3 times in 24 hours."),
        ({"models": [ModelSigns(name="a", absent="damaged.")]}, Trouble.ABSENT, "Not serving: a (damaged)."),
        ({"not_taken": "another key."}, Trouble.NOT_TAKEN, "Its reports aren't taken: another key."),
        ({"spool_full": True}, Trouble.SPOOL_FULL, "No more reports fit into its spool: windows are merged, and events wait."),
        ({"models": [ModelSigns(name="a", requests=495, failures=5)]}, Trouble.FAILURES, "Failing: a (5 of 500 requests)."),
        ({"models": [ModelSigns(name="a", condition="rejected")]}, Trouble.REFUSED, "The channel's release is refused: a (rejected)."),
        ({"models": [ModelSigns(name="a", condition="rolled back")]}, Trouble.REFUSED, "The channel's release is refused: a (rolled back)."),
        ({"models": [ModelSigns(name="a", condition="held up")]}, Trouble.HELD_UP, "The update is held up: a."),
        ({"last_seen": NOW - 25 * HOUR}, Trouble.SILENT, "It didn't report for more than a day."),
        ({"clock": "It is ahead."}, Trouble.CLOCK, "It is ahead."),
    ],
)
def test_each_trouble_is_named_alone_with_its_words(changes: dict[str, object], trouble: Trouble, words: str) -> None:
    [problem] = assess(dataclasses.replace(WELL, **changes))  # type: ignore[arg-type]
    assert (problem.trouble, problem.sentence) == (trouble, words)


@pytest.mark.parametrize(
    "changes",
    [
        {"crashes": [NOW - 25 * HOUR] * 9},
        {"models": [ModelSigns(name="a", requests=0, failures=4)]},
        {"models": [ModelSigns(name="a", requests=1000, failures=9)]},
        {"models": [ModelSigns(name="a", condition=condition) for condition in ("current", "on probation", "updating", "not in the channel", "")]},
        {"last_seen": NOW - 23 * HOUR},
    ],
)
def test_what_is_no_trouble(changes: dict[str, object]) -> None:
    assert assess(dataclasses.replace(WELL, **changes)) == ()  # type: ignore[arg-type]


def test_the_most_urgent_comes_first_and_many_models_are_counted() -> None:
    models = [ModelSigns(name=f"m{number}", condition="held up") for number in range(9)]
    problems = assess(dataclasses.replace(WELL, models=models, clock="It is ahead.", gap="report 3 is missing"))
    assert [problem.trouble for problem in problems] == [Trouble.GAP, Trouble.HELD_UP, Trouble.CLOCK]
    assert [problem.severe for problem in problems] == [True, False, False]
    assert problems[1].sentence == "The update is held up: m0, m1, m2, m3, m4 and 4 more."
