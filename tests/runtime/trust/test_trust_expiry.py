"""What is expired, and what time it surely is."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from sealift_core.clock import format_time
from sealift_core.errors import ExpiredError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS
from sealift_runtime.trust import workflow
from sealift_runtime.trust.expiry import check_expiry
from sealift_runtime.trust.state import BUILD_TIME, TrustState
from support.repositories import DAY, NOW, Repository, resign
from support.trusting import MONTH, first


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
    assert workflow.start(repository.trusted_root()).time(long_ago, BUILD_TIME) == NOW
    assert TrustState(files={}, versions={}).time(long_ago, BUILD_TIME) == BUILD_TIME
    assert TrustState(files={}, versions={}, seen_time=NOW + DAY).time(NOW, BUILD_TIME) == NOW + DAY


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
def test_nobody_but_timestamp_and_root_can_move_a_device_to_a_far_future(repository: Repository, role: str) -> None:
    far = NOW + 40_000 * DAY
    roles: dict[str, Metadata[Any]] = {SNAPSHOT: repository.snapshot, TARGETS: repository.targets, CHANNELS: repository.channels}
    metadata = roles[role]
    repository.publish_targets()
    metadata.signed.expires = far + DAY
    metadata.signed.unrecognized_fields["dev.sealift.signed-at"] = format_time(far)
    metadata.signatures.clear()
    metadata.sign(repository.signers[role][0])
    name = f"{metadata.signed.version}.{role}.json"
    (repository.metadata / name).write_bytes(metadata.to_bytes())
    state = first(repository)
    assert state.time(NOW, BUILD_TIME) == NOW
    assert check_expiry(state, NOW, MONTH) is None


def test_no_file_can_claim_to_be_signed_after_its_expiry(repository: Repository) -> None:
    def ahead(signed: Any) -> None:
        signed.unrecognized_fields["dev.sealift.signed-at"] = "2099-01-01T00:00:00Z"

    with pytest.raises(TrustError, match="signed after its own expiry"):
        workflow.start(resign(repository.trusted_root(), ahead, *repository.signers[ROOT]))
