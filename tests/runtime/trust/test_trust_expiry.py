"""What is expired, and what time it surely is."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from sealift_core.clock import BUILD_TIME, format_time
from sealift_core.errors import ExpiredError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.expiry import certain_time, check_expiry, check_root_expiry
from sealift_runtime.trust.state import TrustState
from support.repositories import DAY, NOW, Repository, resign
from support.trusting import MONTH, first, follow

LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def test_nothing_expired_is_fresh(repository: Repository) -> None:
    assert check_expiry(first(repository), NOW, MONTH) is None


@pytest.mark.parametrize(("days", "role"), [(91, TARGETS), (366, ROOT)])
def test_expired_targets_or_root_vouch_for_nothing_new(repository: Repository, days: int, role: str) -> None:
    with pytest.raises(ExpiredError, match=rf"metadata/{role}.json: the metadata has expired"):
        check_expiry(first(repository), NOW + days * DAY, 1000 * DAY)


def test_an_expired_timestamp_is_a_warning_until_the_policy_says_otherwise(repository: Repository) -> None:
    state = first(repository)
    assert "metadata/timestamp.json expired at 2027-01-02" in str(check_expiry(state, NOW + 20 * DAY, MONTH))
    with pytest.raises(ExpiredError, match="the metadata has been expired for longer than limits.stale_days allows"):
        check_expiry(state, NOW + 32 * DAY, MONTH)


def test_a_clock_that_stands_still_can_not_hide_time_that_surely_passed(repository: Repository) -> None:
    long_ago = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert certain_time(workflow.start(repository.trusted_root()), long_ago, BUILD_TIME) == NOW
    assert certain_time(TrustState(files={}, versions={}), long_ago, BUILD_TIME) == BUILD_TIME
    assert certain_time(TrustState(files={}, versions={}, seen_time=NOW + DAY), NOW, BUILD_TIME) == NOW + DAY


def far_ahead(repository: Repository, role: str) -> None:
    """What a thief of one key signs, or a publisher whose clock is wrong: the role's newest metadata says a far future."""
    far = NOW + 40_000 * DAY
    metadata: Metadata[Any] = getattr(repository, role)
    metadata.signed.expires = far + DAY
    metadata.signed.unrecognized_fields["dev.sealift.signed-at"] = format_time(far)
    metadata.signatures.clear()
    metadata.sign(repository.signers[role][0])
    name = "timestamp.json" if role == TIMESTAMP else f"{metadata.signed.version}.{role}.json"
    (repository.metadata / name).write_bytes(metadata.to_bytes())


@pytest.mark.parametrize("roles", [[TIMESTAMP], [SNAPSHOT], [TARGETS], [CHANNELS], [CHANNELS, TIMESTAMP], [TARGETS, CHANNELS, SNAPSHOT, TIMESTAMP]])
@pytest.mark.parametrize("clock", [NOW, LONG_AGO])
def test_no_role_below_root_can_move_a_device_to_a_time_at_which_something_is_expired(
    repository: Repository, roles: list[str], clock: datetime.datetime
) -> None:
    repository.publish_targets()
    for role in roles:
        far_ahead(repository, role)
    state = first(repository)
    assert check_expiry(state, certain_time(state, clock, LONG_AGO), datetime.timedelta(0)) is None
    check_root_expiry(state, certain_time(state, clock, LONG_AGO))


def test_what_a_thief_of_timestamp_said_is_forgotten_by_the_next_metadata(repository: Repository) -> None:
    far_ahead(repository, TIMESTAMP)
    state = first(repository)
    for _ in range(3):
        repository.now += DAY
        repository.publish_targets()
        state = follow(repository, state)
        assert check_expiry(state, certain_time(state, LONG_AGO, LONG_AGO), datetime.timedelta(0)) is None


def test_a_root_that_was_signed_by_a_wrong_clock_is_corrected_by_the_next(repository: Repository) -> None:
    repository.now += 40_000 * DAY
    repository.publish_root()
    state = first(repository)
    with pytest.raises(ExpiredError):
        check_expiry(state, certain_time(state, NOW, LONG_AGO), MONTH)
    repository.now = NOW
    repository.publish_root()
    state = follow(repository, state)
    assert certain_time(state, NOW, LONG_AGO) < NOW + 2 * DAY
    assert check_expiry(state, certain_time(state, NOW, LONG_AGO), datetime.timedelta(0)) is None


def test_an_honest_signing_time_is_taken_as_certain_by_a_device_without_a_clock(repository: Repository) -> None:
    repository.now += 3 * DAY
    repository.publish_targets()
    assert certain_time(first(repository), LONG_AGO, LONG_AGO) == NOW + 3 * DAY


def test_no_file_can_claim_to_be_signed_after_its_expiry(repository: Repository) -> None:
    def ahead(signed: Any) -> None:
        signed.unrecognized_fields["dev.sealift.signed-at"] = "2099-01-01T00:00:00Z"

    with pytest.raises(TrustError, match="signed after its own expiry"):
        workflow.start(resign(repository.trusted_root(), ahead, *repository.signers[ROOT]))
