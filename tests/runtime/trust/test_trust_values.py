"""What each step leaves behind, value by value, and where each bound lies."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from tuf.api.metadata import TargetFile, Targets

from sealift_core.bundle.layout import INDEX_TYPE
from sealift_core.bundle.limits import LIMITS
from sealift_core.errors import DocumentError, ExpiredError, IntegrityError, LimitError, RollbackRefusedError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.expiry import certain_time, check_expiry, check_root_expiry
from sealift_runtime.trust.metadata import MAX_BYTES, ROLE_TYPES, parse
from sealift_runtime.trust.state import TrustState
from sealift_runtime.trust.targets import CHANNEL_TYPE, TrustedTargets
from support.repositories import DAY, NOW, Repository, new_signer, resign
from support.trusting import ACCEPT, MONTH, first, read

SECOND = datetime.timedelta(seconds=1)
LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def before(repository: Repository, role: str) -> TrustState:
    """The state just before a role's metadata is accepted."""
    state = workflow.start(repository.trusted_root())
    if role == TIMESTAMP:
        return state
    state = workflow.accept_timestamp(state, read(repository, TIMESTAMP, 0))
    while (following := workflow.next_role(state)) and following[0] != role:
        state = ACCEPT[following[0]](state, read(repository, *following))
    return state


def signed_at(moment: datetime.datetime) -> Callable[[Any], None]:
    def change(signed: Any) -> None:
        signed.unrecognized_fields["dev.sealift.signed-at"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    return change


def unsaid(signed: Any) -> None:
    del signed.unrecognized_fields["dev.sealift.signed-at"]


# What a step leaves behind


def test_a_first_root_is_all_that_is_known_after_enrolment(repository: Repository) -> None:
    root = repository.trusted_root()
    assert workflow.start(root) == TrustState(files={ROOT: root}, versions={ROOT: 1}, signed_time=NOW)


def test_every_step_adds_its_bytes_and_the_versions_that_it_names(repository: Repository) -> None:
    repository.publish_targets()
    repository.republish()
    had = {ROOT: 1}
    added = {TIMESTAMP: {TIMESTAMP: 3, SNAPSHOT: 3}, SNAPSHOT: {TARGETS: 2, CHANNELS: 2}, TARGETS: {}, CHANNELS: {}}
    state = workflow.start(repository.trusted_root())
    for role, versions in added.items():
        data = read(repository, role, {SNAPSHOT: 3}.get(role, 2))
        following = ACCEPT[role](state, data)
        had = {**had, **versions}
        assert following == TrustState(files={**state.files, role: data}, versions=had, signed_time=NOW)
        state = following


def test_a_next_root_takes_the_place_of_the_one_before_and_nothing_else_changes(repository: Repository) -> None:
    state = dataclasses.replace(first(repository), seen_time=NOW + DAY)
    repository.now = NOW + SECOND
    repository.publish_root()
    data = read(repository, ROOT, 2)
    expected = dataclasses.replace(state, files={**state.files, ROOT: data}, versions={**state.versions, ROOT: 2}, signed_time=NOW + SECOND)
    assert workflow.accept_root(state, data) == expected


@pytest.mark.parametrize("role", [TIMESTAMP, SNAPSHOT])
def test_a_lost_key_of_timestamp_or_snapshot_leaves_the_root_and_the_time_that_was_seen(repository: Repository, role: str) -> None:
    state = dataclasses.replace(first(repository), seen_time=NOW + DAY, signed_time=NOW + 5 * DAY)
    repository.replace_key(role)
    data = read(repository, ROOT, 2)
    assert workflow.accept_root(state, data) == TrustState(files={ROOT: data}, versions={ROOT: 2}, signed_time=NOW, seen_time=NOW + DAY)


@pytest.mark.parametrize("role", [TARGETS, ROOT])
def test_a_lost_key_of_another_role_drops_no_floor(repository: Repository, role: str) -> None:
    state = first(repository)
    repository.replace_key(role)
    assert workflow.accept_root(state, read(repository, ROOT, 2)).versions == {**state.versions, ROOT: 2}


def test_a_key_that_is_added_to_timestamp_drops_nothing(repository: Repository) -> None:
    state = first(repository)
    repository.root.signed.add_key(new_signer().public_key, TIMESTAMP)
    repository.publish_root()
    assert workflow.accept_root(state, read(repository, ROOT, 2)).versions == {**state.versions, ROOT: 2}


def test_the_same_root_again_is_not_the_next_one(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    with pytest.raises(
        TrustError, match=r"metadata/root\.json: the root doesn't follow the trusted one: expected version 2, found version 1"
    ) as error:
        workflow.accept_root(state, repository.trusted_root())
    assert not isinstance(error.value, RollbackRefusedError)


# Versions and what is missing


def test_a_timestamp_of_the_version_had_is_taken_where_its_bytes_were_lost(repository: Repository) -> None:
    state = first(repository)
    assert workflow.accept_timestamp(state.without(TIMESTAMP), read(repository, TIMESTAMP, 0)) == state


def test_a_newer_timestamp_may_name_the_snapshot_that_is_there(repository: Repository) -> None:
    state = first(repository)
    repository.republish_timestamp()
    newer = workflow.accept_timestamp(state, read(repository, TIMESTAMP, 0))
    assert newer.versions == {**state.versions, TIMESTAMP: 2}
    assert workflow.next_role(newer) is None


def test_an_older_snapshot_is_refused_in_the_name_of_the_timestamp_that_names_it(repository: Repository) -> None:
    repository.republish()
    state = first(repository)

    def older(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version = 1

    with pytest.raises(RollbackRefusedError, match=r"^metadata/timestamp\.json: the snapshot metadata is older"):
        workflow.accept_timestamp(state, resign(read(repository, TIMESTAMP, 0), older, *repository.signers[TIMESTAMP]))
    with pytest.raises(RollbackRefusedError, match=r"^metadata/timestamp\.json: the timestamp metadata is older"):
        workflow.accept_timestamp(
            state, resign(read(repository, TIMESTAMP, 0), lambda signed: setattr(signed, "version", 1), *repository.signers[TIMESTAMP])
        )


def test_what_is_missing_or_of_another_version_is_asked_for_in_order(repository: Repository) -> None:
    state = first(repository)
    assert workflow.next_role(state) is None
    assert workflow.next_role(state.without(CHANNELS)) == (CHANNELS, 1)
    assert workflow.next_role(state.without(CHANNELS, TARGETS)) == (TARGETS, 1)
    assert workflow.next_role(state.without(CHANNELS, TARGETS, SNAPSHOT)) == (SNAPSHOT, 1)
    repository.publish_targets()
    state = workflow.accept_timestamp(state, read(repository, TIMESTAMP, 0))
    assert workflow.next_role(state) == (SNAPSHOT, 2)
    state = workflow.accept_snapshot(state, read(repository, SNAPSHOT, 2))
    assert workflow.next_role(state) == (TARGETS, 2)
    state = workflow.accept_targets(state, read(repository, TARGETS, 2))
    assert workflow.next_role(state) == (CHANNELS, 2)


@pytest.mark.parametrize("role", [ROOT, TIMESTAMP, SNAPSHOT, TARGETS, CHANNELS])
def test_metadata_that_was_never_fetched_is_named(role: str) -> None:
    with pytest.raises(
        TrustError, match=rf"metadata/{role}\.json: this device has no trusted metadata of this role yet.*Run sealift-agent sync first"
    ):
        workflow.trusted(ROLE_TYPES[role], role, TrustState(files={}, versions={}))


def test_what_a_revoked_key_signed_goes_and_its_floor_stays(repository: Repository) -> None:
    state = first(repository)
    repository.replace_key(TARGETS)
    state = workflow.accept_root(state, read(repository, ROOT, 2))
    left = workflow.still_trusted(state)
    assert left == state.without(TARGETS, CHANNELS)
    assert left.versions == state.versions


def test_channels_go_with_the_targets_that_vouch_for_their_key(repository: Repository) -> None:
    state = first(repository)
    assert workflow.still_trusted(state) == state
    assert workflow.still_trusted(state.without(TARGETS)) == state.without(TARGETS, CHANNELS)


def test_targets_with_another_key_for_channels_drop_the_channels(repository: Repository) -> None:
    state = first(repository)
    signer = new_signer()

    def rekeyed(signed: Targets) -> None:
        assert signed.delegations is not None
        signed.delegations.keys = {signer.public_key.keyid: signer.public_key}
        assert signed.delegations.roles is not None
        signed.delegations.roles[CHANNELS].keyids = [signer.public_key.keyid]

    data = resign(read(repository, TARGETS, 1), rekeyed, *repository.signers[TARGETS])
    assert set(workflow.accept_targets(state.without(TARGETS), data).files) == {ROOT, TIMESTAMP, SNAPSHOT, TARGETS}


# The delegation


def renamed(signed: Any) -> None:
    role = signed.delegations.roles.pop(CHANNELS)
    role.name = "other"
    signed.delegations.roles["other"] = role


def doubled(signed: Any) -> None:
    role = signed.delegations.roles[CHANNELS]
    other = type(role)("other", role.keyids, 1, terminating=True, paths=["releases/*"])
    signed.delegations.roles["other"] = other


def another_path_more(signed: Any) -> None:
    signed.delegations.roles[CHANNELS].paths = ["channels/*", "releases/*"]


def emptied(signed: Any) -> None:
    signed.delegations.roles = {}


DELEGATIONS = {
    "other ['channels/*']": renamed,
    "channels ['channels/*'], other ['releases/*']": doubled,
    "channels ['channels/*', 'releases/*']": another_path_more,
    "none": emptied,
}


@pytest.mark.parametrize(("found", "change"), DELEGATIONS.items(), ids=DELEGATIONS)
def test_other_delegations_than_the_one_are_refused_and_named(repository: Repository, found: str, change: Callable[[Any], None]) -> None:
    state = first(repository).without(TARGETS)
    with pytest.raises(TrustError, match=r"metadata/targets\.json: not the delegations of a Sealift repository") as error:
        workflow.accept_targets(state, resign(read(repository, TARGETS, 1), change, *repository.signers[TARGETS]))
    assert error.value.found == found
    assert error.value.expected == "channels ['channels/*'], terminating"


def test_the_one_delegation_is_given_out(repository: Repository) -> None:
    delegation = workflow.channels_delegation(repository.targets.signed)
    assert (delegation.name, delegation.paths, delegation.keyids) == (CHANNELS, ["channels/*"], [repository.signers[CHANNELS][0].public_key.keyid])


# Lengths and hashes


@pytest.mark.parametrize("role", [TARGETS, CHANNELS])
def test_rule_12_length_and_hash_hold_where_they_are_named(repository: Repository, role: str) -> None:
    data = read(repository, role, 1)
    state = before(repository, SNAPSHOT)
    for length, accepted in ((len(data), True), (len(data) - 1, False)):

        def named(signed: Any, length: int = length) -> None:
            signed.meta[f"{role}.json"].length = length

        after = workflow.accept_snapshot(state, resign(read(repository, SNAPSHOT, 1), named, *repository.signers[SNAPSHOT]))
        if role == CHANNELS:
            after = workflow.accept_targets(after, read(repository, TARGETS, 1))
        if accepted:
            assert ACCEPT[role](after, data).files[role] == data
        else:
            with pytest.raises(TrustError, match=rf"metadata/{role}\.json: the metadata is invalid"):
                ACCEPT[role](after, data)


@pytest.mark.parametrize("role", list(MAX_BYTES))
def test_a_file_of_the_most_bytes_is_read_and_one_more_is_too_many(repository: Repository, role: str) -> None:
    data = read(repository, role, 1)
    largest = data + b" " * (MAX_BYTES[role] - len(data))
    assert parse(ROLE_TYPES[role], role, largest).data == largest
    with pytest.raises(
        LimitError, match=rf"metadata/{role}\.json: too large: expected at most {MAX_BYTES[role]} bytes, found {MAX_BYTES[role] + 1} bytes"
    ):
        parse(ROLE_TYPES[role], role, largest + b" ")


# Signatures


def test_a_signature_in_upper_case_is_refused_though_it_checks(repository: Repository) -> None:
    fields = json.loads(repository.trusted_root())
    fields["signatures"][0]["sig"] = fields["signatures"][0]["sig"].upper()
    keyid = fields["signatures"][0]["keyid"]
    with pytest.raises(
        TrustError, match=rf"metadata/root\.json: a signature isn't in canonical form: expected lower-case hex, found by key {keyid[:16]}…"
    ):
        workflow.start(json.dumps(fields).encode())


def test_a_signature_that_is_no_text_is_refused(repository: Repository) -> None:
    fields = json.loads(repository.trusted_root())
    fields["signatures"][0]["sig"] = 17
    with pytest.raises(TrustError, match=r"metadata/root\.json: a signature isn't a string"):
        workflow.start(json.dumps(fields).encode())


# Time


def test_a_signing_time_that_is_none_is_refused(repository: Repository) -> None:
    def sometime(signed: Any) -> None:
        signed.unrecognized_fields["dev.sealift.signed-at"] = "yesterday"

    with pytest.raises(TrustError, match=r"metadata/root\.json: dev\.sealift\.signed-at: not a time: expected like 2026-01-31T12:00:00Z"):
        workflow.start(resign(repository.trusted_root(), sometime, *repository.signers[ROOT]))


def test_metadata_may_be_signed_at_its_very_expiry_and_not_after(repository: Repository) -> None:
    expires = NOW + 365 * DAY
    assert workflow.start(resign(repository.trusted_root(), signed_at(expires), *repository.signers[ROOT])).signed_time == expires
    with pytest.raises(TrustError, match="signed after its own expiry: found 2028-01-01T12:00:01Z"):
        workflow.start(resign(repository.trusted_root(), signed_at(expires + SECOND), *repository.signers[ROOT]))


def test_metadata_that_does_not_say_when_it_was_signed_moves_no_time(repository: Repository) -> None:
    assert workflow.start(resign(repository.trusted_root(), unsaid, *repository.signers[ROOT])).signed_time == LONG_AGO


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
@pytest.mark.parametrize(("said", "believed"), [(NOW - DAY, NOW), (NOW + DAY, NOW + DAY), (NOW + 2 * DAY, NOW + DAY)])
def test_rule_17_a_signing_time_counts_as_far_as_timestamp_bears_it_out(
    repository: Repository, role: str, said: datetime.datetime, believed: datetime.datetime
) -> None:
    state = before(repository, role)
    timestamp = resign(state.files[TIMESTAMP], signed_at(NOW + DAY), *repository.signers[TIMESTAMP])
    state = dataclasses.replace(state, files={**state.files, TIMESTAMP: timestamp})
    assert ACCEPT[role](state, resign(read(repository, role, 1), signed_at(said), *repository.signers[role])).signed_time == believed


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
def test_rule_17_without_a_time_in_timestamp_no_other_is_believed(repository: Repository, role: str) -> None:
    state = before(repository, role)
    timestamp = resign(state.files[TIMESTAMP], unsaid, *repository.signers[TIMESTAMP])
    state = dataclasses.replace(state, files={**state.files, TIMESTAMP: timestamp})
    assert ACCEPT[role](state, resign(read(repository, role, 1), signed_at(NOW + DAY), *repository.signers[role])).signed_time == NOW
    assert ACCEPT[role](state, resign(read(repository, role, 1), unsaid, *repository.signers[role])).signed_time == NOW


@pytest.mark.parametrize(("role", "days"), [(ROOT, 365), (TARGETS, 90), (CHANNELS, 90)])
def test_metadata_has_expired_at_the_very_moment_of_its_expiry(repository: Repository, role: str, days: int) -> None:
    state = first(repository)
    expires = NOW + days * DAY

    def later(signed: Any) -> None:
        signed.expires = NOW + 1000 * DAY

    files = {other: data if other == role else resign(data, later, *repository.signers[other]) for other, data in state.files.items()}
    state = dataclasses.replace(state, files=files)
    assert check_expiry(state, expires - SECOND, MONTH) is None
    with pytest.raises(
        ExpiredError, match=rf"metadata/{role}\.json: the metadata has expired: expected an expiry after .*, found {expires:%Y-%m-%dT%H:%M:%SZ}"
    ):
        check_expiry(state, expires, MONTH)


def test_the_root_alone_is_judged_once_it_is_the_newest(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    check_root_expiry(state, NOW + 365 * DAY - SECOND)
    with pytest.raises(ExpiredError, match=r"metadata/root\.json: the metadata has expired"):
        check_root_expiry(state, NOW + 365 * DAY)


def test_stale_metadata_is_a_warning_up_to_the_very_end_of_what_the_policy_allows(repository: Repository) -> None:
    state, expires = first(repository), NOW + DAY
    assert check_expiry(state, expires - SECOND, MONTH) is None
    assert check_expiry(state, expires, MONTH) == (
        "metadata/timestamp.json expired at 2027-01-02T12:00:00Z: this may not be the newest state of the repository"
    )
    assert check_expiry(state, expires + MONTH, MONTH) is not None
    with pytest.raises(ExpiredError, match=r"metadata/timestamp\.json: .*expected at most 30 days.*found 30 days, 0:00:01 past 2027-01-02T12:00:00Z"):
        check_expiry(state, expires + MONTH + SECOND, MONTH)


def test_of_two_stale_files_the_one_that_expired_first_is_named(repository: Repository) -> None:
    state = first(repository)

    def later(signed: Any) -> None:
        signed.expires = NOW + 30 * DAY

    timestamp = resign(state.files[TIMESTAMP], later, *repository.signers[TIMESTAMP])
    state = dataclasses.replace(state, files={**state.files, TIMESTAMP: timestamp})
    assert check_expiry(state, NOW + 7 * DAY - SECOND, MONTH) is None
    assert str(check_expiry(state, NOW + 40 * DAY, 90 * DAY)).startswith("metadata/snapshot.json expired at 2027-01-08T12:00:00Z")


def test_the_time_is_the_latest_of_all_that_surely_passed() -> None:
    moments = [NOW + number * DAY for number in range(4)]
    for latest in range(4):
        clock, build, signed, seen = (moments[(number + latest) % 4] for number in range(4))
        assert certain_time(TrustState(files={}, versions={}, signed_time=signed, seen_time=seen), clock, build) == moments[3]


# Releases and channels


def target(path: str, **changes: Any) -> TargetFile:
    fields: dict[str, Any] = {"length": 5, "hashes": {"sha256": "ab" * 32}, "path": path}
    return TargetFile(**{**fields, **changes})


def test_releases_and_channels_are_descriptors_of_their_own_types(repository: Repository) -> None:
    repository.targets.signed.targets = {"releases/linear/1.0.0": target("releases/linear/1.0.0"), "other/x": target("other/x")}
    repository.channels.signed.targets = {"channels/stable.json": target("channels/stable.json", length=7), "other/x": target("other/x")}
    repository.publish_targets()
    found = TrustedTargets.of(first(repository))
    assert list(found.releases) == ["releases/linear/1.0.0"]
    assert list(found.channels) == ["channels/stable.json"]
    release, channel = found.release("linear", "1.0.0"), found.channel("stable")
    assert (release.media_type, str(release.digest), release.size_bytes) == (INDEX_TYPE, f"sha256:{'ab' * 32}", 5)
    assert (channel.media_type, str(channel.digest), channel.size_bytes) == (CHANNEL_TYPE, f"sha256:{'ab' * 32}", 7)


def test_a_release_that_there_is_not_is_named(repository: Repository) -> None:
    with pytest.raises(TrustError, match=r"metadata/targets\.json: the repository has no such release: expected releases/linear/1\.0\.0"):
        TrustedTargets.of(first(repository)).release("linear", "1.0.0")


def test_a_channel_that_there_is_not_gets_the_nearest_name_or_none(repository: Repository) -> None:
    with pytest.raises(TrustError, match=r"metadata/channels\.json: the repository has no such channel: expected one of none, found 'stable'"):
        TrustedTargets.of(first(repository)).channel("stable")
    names = ("stable", "beta")
    repository.channels.signed.targets = {f"channels/{name}.json": target(f"channels/{name}.json") for name in names}
    repository.publish_targets()
    found = TrustedTargets.of(first(repository))
    with pytest.raises(TrustError, match=r"expected one of beta, stable, found 'stabel'\. Did you mean 'stable'\?"):
        found.channel("stabel")


def test_a_name_that_no_channel_can_have_finds_none(repository: Repository) -> None:
    repository.channels.signed.targets = {"channels/../x.json": target("channels/../x.json")}
    repository.publish_targets()
    with pytest.raises(TrustError, match="the repository has no such channel"):
        TrustedTargets.of(first(repository)).channel("../x")


def test_a_target_without_a_sha256_is_refused(repository: Repository) -> None:
    repository.targets.signed.targets = {"releases/linear/1.0.0": target("releases/linear/1.0.0", hashes={"md5": "ab", "sha512": "cd"})}
    repository.publish_targets()
    with pytest.raises(IntegrityError, match=r"metadata/targets\.json: releases/linear/1\.0\.0: the target has no SHA-256 digest: found md5, sha512"):
        TrustedTargets.of(first(repository))


def test_a_target_of_the_most_bytes_is_taken_and_one_more_is_too_many(repository: Repository) -> None:
    most = LIMITS.oci_document_bytes
    repository.channels.signed.targets = {"channels/stable.json": target("channels/stable.json", length=most)}
    repository.publish_targets()
    assert TrustedTargets.of(first(repository)).channel("stable").size_bytes == most
    repository.channels.signed.targets = {"channels/stable.json": target("channels/stable.json", length=most + 1)}
    repository.publish_targets()
    with pytest.raises(
        TrustError, match=rf"metadata/channels\.json: channels/stable\.json: the target is too large: expected at most {most} bytes, found {most + 1}"
    ):
        TrustedTargets.of(first(repository))


def test_a_digest_that_is_none_is_refused_where_it_stands(repository: Repository) -> None:
    repository.targets.signed.targets = {"releases/linear/1.0.0": target("releases/linear/1.0.0", hashes={"sha256": "AB" * 32})}
    repository.publish_targets()
    with pytest.raises(DocumentError, match=r"metadata/targets\.json: releases/linear/1\.0\.0: not a digest"):
        TrustedTargets.of(first(repository))


# What would pass unnoticed


def test_what_metadata_costs_to_parse_is_bounded_before_it_is_parsed() -> None:
    with pytest.raises(LimitError, match=r"^metadata/targets\.json"):
        parse(ROLE_TYPES[TARGETS], TARGETS, b"[" * (2**20 + 1))


def test_a_newer_timestamp_moves_the_time_that_surely_passed(repository: Repository) -> None:
    state = first(repository)
    repository.now = NOW + DAY
    repository.republish_timestamp()
    assert workflow.accept_timestamp(state, read(repository, TIMESTAMP, 0)).signed_time == NOW + DAY


def test_rule_8_a_snapshot_of_the_length_and_hash_that_are_named_is_taken(repository: Repository) -> None:
    data = read(repository, SNAPSHOT, 1)
    named = repository.timestamp.signed.snapshot_meta
    named.length, named.hashes = len(data), {"sha256": hashlib.sha256(data).hexdigest()}
    repository.republish_timestamp()
    assert before(repository, SNAPSHOT).files.keys() == {ROOT, TIMESTAMP}
    assert workflow.accept_snapshot(before(repository, SNAPSHOT), data).files[SNAPSHOT] == data


def test_a_lost_key_does_not_take_back_the_time_at_which_the_root_before_was_signed(repository: Repository) -> None:
    state = first(repository)
    repository.now = NOW - DAY
    repository.replace_key(TIMESTAMP)
    assert workflow.accept_root(state, read(repository, ROOT, 2)).signed_time == NOW
