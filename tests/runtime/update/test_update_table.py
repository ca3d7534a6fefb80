"""The transition table is whole, the database holds it, and every state has its step."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_core.errors import (
    DiskFullError,
    DocumentError,
    EngineError,
    HardwareError,
    IntegrityError,
    LimitError,
    MemoryShortageError,
    SandboxError,
    SealiftError,
    SelfTestError,
    SignatureError,
    StoreError,
    TransportError,
    UnsupportedSchemaError,
    UpdateError,
)
from sealift_core.messages.histogram import BUCKETS
from sealift_core.messages.report import Event
from sealift_runtime.engine.selftest import Failure
from sealift_runtime.update import ledger, schema
from sealift_runtime.update.encoding import update_from_json, update_to_json
from sealift_runtime.update.records import Probation, RefusedRelease, ServingCounters, Update
from sealift_runtime.update.state import StateDatabase
from sealift_runtime.update.steps import STEPS
from sealift_runtime.update.table import ATTEMPTS, TABLE, Ground, State, check_transition, ground_of, retry_after_s

NOW = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
RELEASE = Digest.of(b"release")


def update(state: State = State.CHECKING) -> Update:
    return Update(name="linear", version="1.0.0", state=state, release=RELEASE, release_size=100)


@pytest.fixture
def state(tmp_path: Path) -> StateDatabase:
    return StateDatabase(tmp_path / "state.sqlite")


def reachable(start: State) -> set[State]:
    states, waiting = {start}, [start]
    while waiting:
        for following in TABLE[waiting.pop()].next:
            if following not in states:
                states.add(following)
                waiting.append(following)
    return states


def test_the_table_has_a_row_for_each_state() -> None:
    assert set(TABLE) == set(State)


def test_every_state_can_be_reached_from_checking() -> None:
    assert reachable(State.CHECKING) == set(State)


@pytest.mark.parametrize("start", State)
def test_from_every_state_the_update_can_come_to_rest(start: State) -> None:
    assert any(TABLE[state].rest for state in reachable(start))


@pytest.mark.parametrize("start", State)
def test_a_crash_leads_back_to_the_state_or_on_to_the_next(start: State) -> None:
    assert TABLE[start].crash in (start, *TABLE[start].next)


def test_every_state_but_those_of_rest_has_a_step() -> None:
    assert set(STEPS) == {state for state in State if not TABLE[state].rest}


def test_the_new_bundle_serves_only_after_its_self_test() -> None:
    for state, rule in TABLE.items():
        for following in rule.next:
            if rule.serves == "old" and TABLE[following].serves != "old":
                assert state is State.SELF_TESTING


@pytest.mark.parametrize("before", State)
@pytest.mark.parametrize("after", State)
def test_exactly_the_transitions_of_the_table_are_allowed(before: State, after: State) -> None:
    if after in TABLE[before].next:
        check_transition(before, after)
    else:
        with pytest.raises(UpdateError, match=f"update in {before}: no such transition.*found {after}"):
            check_transition(before, after)


def test_the_database_refuses_what_the_table_lacks(state: StateDatabase) -> None:
    state.put(update())
    state.enter(update(State.FETCHING))
    with pytest.raises(UpdateError, match="no such transition"):
        state.enter(update(State.ACTIVATING))
    assert state.update("linear") == update(State.FETCHING)


def test_what_is_written_together_is_kept_together(state: StateDatabase) -> None:
    with pytest.raises(RuntimeError), state.transaction():
        state.put(update())
        state.record("found", now=NOW)
        raise RuntimeError
    assert state.updates() == []
    assert state.events() == []


def test_a_full_disk_is_called_that_and_what_was_begun_is_undone(state: StateDatabase) -> None:
    pages = state._connection.execute("PRAGMA page_count").fetchone()[0]
    state._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFullError, match=r"state\.sqlite: the disk is full"), state.transaction():
        state.put(update())
        for _ in range(20):
            state.record("found", detail="d" * 2000, now=NOW)
    assert state.updates() == []
    state._connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    state.put(update())
    assert state.updates() == [update()]


def test_another_process_sees_only_what_is_complete(state: StateDatabase, tmp_path: Path) -> None:
    reader = StateDatabase(tmp_path / "state.sqlite")
    with state.transaction():
        state.record("found", now=NOW)
        assert reader.events() == []
    assert [event.kind for event in reader.events()] == ["found"]
    reader.close()


def test_a_database_of_another_version_is_refused(tmp_path: Path) -> None:
    StateDatabase(tmp_path / "state.sqlite").close()
    connection = schema.connect(tmp_path / "state.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="the database was written by another version of Sealift: expected 1, found 99"):
        StateDatabase(tmp_path / "state.sqlite")


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database, " * 100)
    with pytest.raises(StoreError, match=r"state\.sqlite: the database can't be used"):
        StateDatabase(tmp_path / "state.sqlite")


def test_refusals_and_settings_are_remembered_and_forgotten(state: StateDatabase) -> None:
    refusal = RefusedRelease(release=RELEASE, name="linear", version="1.0.0", reason="wrong outputs")
    state.refuse(refusal)
    state.set_setting("key", "value")
    assert (state.refusals(), state.setting("key")) == ([refusal], "value")
    state.forgive("linear")
    state.set_setting("key", None)
    assert (state.refusals(), state.setting("key")) == ([], None)


def test_events_are_numbered_and_can_be_read_from_any_number_on(state: StateDatabase) -> None:
    for kind in ("a", "b", "c"):
        state.record(kind, model="m", version="1.0.0", detail="d" * 5000, now=NOW)
    assert [event.number for event in state.events(1)] == [2, 3]
    assert len(state.events()[0].detail) == 2000
    state.verify_ledger()


@given(kinds=st.lists(st.text(max_size=5), min_size=2, max_size=6), data=st.data())
def test_a_ledger_with_anything_missing_or_changed_is_found_out(kinds: list[str], data: st.DataObject) -> None:
    events, previous = [], ledger.START
    for number, kind in enumerate(kinds, 1):
        event = Event(number=number, time=NOW, kind=kind)
        previous = ledger.chain(event, previous)
        events.append((event, previous))
    ledger.verify(events, where="ledger")
    at = data.draw(st.integers(0, len(events) - 2))
    with pytest.raises(IntegrityError, match="gap"):
        ledger.verify([*events[:at], *events[at + 1 :]], where="ledger")
    changed = Event(number=at + 1, time=NOW, kind=events[at][0].kind + "x")
    with pytest.raises(IntegrityError, match=f"event {at + 1}: the ledger was changed"):
        ledger.verify([*events[:at], (changed, events[at][1]), *events[at + 1 :]], where="ledger")


counts = st.integers(0, 10**9)
counters = st.builds(
    ServingCounters,
    requests=counts,
    failures=counts,
    nonfinite=counts,
    latency_counts=st.lists(counts, min_size=BUCKETS, max_size=BUCKETS).map(tuple),
)
probations = st.builds(Probation, started=st.just(NOW), deadline=st.just(NOW), start=counters, before=st.none() | counters)


@given(st.none() | probations, st.sampled_from(State), st.text(max_size=50), st.none() | st.just(RELEASE))
def test_an_update_comes_out_of_the_database_as_it_went_in(probation: Probation | None, state: State, reason: str, bundle: Digest | None) -> None:
    written = Update(
        name="m", version="1.0.0", state=state, release=RELEASE, release_size=1, bundle=bundle, attempts=2, probation=probation, reason=reason
    )
    assert update_from_json(update_to_json(written)) == written


@pytest.mark.parametrize(
    ("error", "ground"),
    [
        (DocumentError("x"), Ground.CONTENT),
        (UnsupportedSchemaError("x"), Ground.CONTENT),
        (IntegrityError("x"), Ground.CONTENT),
        (SignatureError("x"), Ground.CONTENT),
        (LimitError("x"), Ground.CONTENT),
        (HardwareError("x"), Ground.MACHINE),
        (EngineError("x"), Ground.SERVING),
        *((SelfTestError("x", failure=failure), Ground.SELF_TEST) for failure in Failure if failure not in (Failure.OUTPUTS, Failure.DOCUMENT)),
        (SelfTestError("x"), Ground.SELF_TEST),
        (SelfTestError("x", failure=Failure.OUTPUTS), Ground.ANSWERS),
        (SelfTestError("x", failure=Failure.DOCUMENT), Ground.CONTENT),
        (MemoryShortageError("x"), None),
        (SandboxError("x"), None),
        (DiskFullError("x"), None),
        (StoreError("x"), None),
        (TransportError("x"), None),
        (UpdateError("x"), None),
    ],
    ids=lambda value: getattr(value, "failure", "") or type(value).__name__,
)
def test_what_an_error_may_say_of_a_release(error: SealiftError, ground: Ground | None) -> None:
    assert ground_of(error) is ground


def test_wrong_answers_and_content_refuse_at_once_and_what_may_pass_after_three_attempts() -> None:
    assert ATTEMPTS == 3
    assert TABLE[State.SELF_TESTING].refuses == {Ground.ANSWERS: 1, Ground.CONTENT: 1, Ground.SELF_TEST: 3, Ground.ENDLESS: 3}
    assert TABLE[State.ACTIVATING].refuses == {Ground.SERVING: 3}
    for rule in TABLE.values():
        for ground, attempts in rule.refuses.items():
            assert (attempts > 1) == (ground in (Ground.SELF_TEST, Ground.ENDLESS, Ground.SERVING))
    assert {state for state in State if TABLE[state].refuses} == {State.CHECKING, State.VERIFYING, State.SELF_TESTING, State.ACTIVATING}


@pytest.mark.parametrize(
    ("hindrances", "first_s", "longest_s", "rest_s"),
    [(0, 10, 900, 10), (1, 10, 900, 10), (2, 10, 900, 20), (3, 10, 900, 40), (7, 10, 900, 640), (8, 10, 900, 900), (10**6, 10, 900, 900)],
)
def test_each_rest_is_twice_as_long_up_to_a_bound(hindrances: int, first_s: float, longest_s: float, rest_s: float) -> None:
    rest = retry_after_s(hindrances, first_s, longest_s)
    assert (rest, type(rest)) == (rest_s, float)


def test_a_poll_that_is_rarer_than_the_bound_stays_as_rare() -> None:
    assert [retry_after_s(count, 3600, 900) for count in (1, 2, 50)] == [3600.0] * 3
    assert retry_after_s(31, 1e-6, 1e9) == pytest.approx(1e-6 * 2**30)
    assert retry_after_s(40, 1e-6, 1e9) == pytest.approx(1e-6 * 2**30)
