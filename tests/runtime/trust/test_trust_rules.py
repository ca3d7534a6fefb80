"""Each numbered rule of the client workflow, on metadata that python-tuf signs for real."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tuf.api.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.serialization import DeserializationError

from sealift_runtime.errors import DocumentError, ExpiredError, IntegrityError, LimitError, RollbackRefusedError, SealiftError, TrustError
from sealift_runtime.exchange.channel import Channel
from sealift_runtime.trust import driver
from sealift_runtime.trust.expiry import check_expiry
from sealift_runtime.trust.metadata import MAX_BYTES, translate_tuf_errors
from sealift_runtime.trust.state import BUILD_TIME, CHANNELS, ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, TrustState
from sealift_runtime.trust.targets import Vouched
from support.repositories import DAY, NOW, Repository, new_signer, resign

MONTH = 30 * DAY
ACCEPT: dict[str, Callable[[TrustState, bytes], TrustState]] = {
    ROOT: driver.accept_root,
    TIMESTAMP: driver.accept_timestamp,
    SNAPSHOT: driver.accept_snapshot,
    TARGETS: driver.accept_targets,
    CHANNELS: driver.accept_channels,
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def read(repository: Repository, role: str, version: int) -> bytes:
    name = "timestamp.json" if role == TIMESTAMP else f"{version}.{role}.json"
    return (repository.metadata / name).read_bytes()


def follow(repository: Repository, state: TrustState) -> TrustState:
    """Everything that the repository has now."""
    while (path := repository.metadata / f"{state.versions[ROOT] + 1}.root.json").exists():
        state = driver.accept_root(state, path.read_bytes())
    state = driver.accept_timestamp(driver.still_trusted(state), read(repository, TIMESTAMP, 0))
    while following := driver.next_role(state):
        state = ACCEPT[following[0]](state, read(repository, *following))
    return state


def first(repository: Repository) -> TrustState:
    return follow(repository, driver.start(repository.trusted_root()))


def test_a_whole_repository_is_trusted(repository: Repository) -> None:
    state = first(repository)
    assert set(state.files) == set(ROLES)
    assert state.signed_time == NOW


def test_rule_1_a_first_root_signs_itself_by_its_own_threshold(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", root_keys=3, root_threshold=2)
    root = repository.trusted_root()
    driver.start(resign(root, lambda _: None, *repository.signers[ROOT][:2]))
    with pytest.raises(TrustError, match=r"metadata/root.json: not enough valid signatures.*1/2 keys"):
        driver.start(resign(root, lambda _: None, repository.signers[ROOT][0]))


def test_rule_2_roots_come_one_by_one(repository: Repository) -> None:
    state = driver.start(repository.trusted_root())
    repository.publish_root()
    repository.publish_root()
    with pytest.raises(TrustError, match="expected version 2, found version 3"):
        driver.accept_root(state, read(repository, ROOT, 3))
    newest = driver.accept_root(driver.accept_root(state, read(repository, ROOT, 2)), read(repository, ROOT, 3))
    with pytest.raises(RollbackRefusedError, match="older root metadata.*expected version 3 or newer, found version 2"):
        driver.accept_root(newest, read(repository, ROOT, 2))


def test_rule_3_a_new_root_is_signed_by_the_old_and_by_itself(repository: Repository) -> None:
    state = driver.start(repository.trusted_root())
    old = repository.signers[ROOT][0]
    repository.replace_key(ROOT)
    new = repository.signers[ROOT][0]
    data = read(repository, ROOT, 2)
    assert driver.accept_root(state, data).versions[ROOT] == 2
    for alone in (old, new):
        with pytest.raises(TrustError, match="not enough valid signatures"):
            driver.accept_root(state, resign(data, lambda _: None, alone))


def test_rule_4_a_new_timestamp_key_ends_a_fast_forward(repository: Repository) -> None:
    repository.timestamp.signed.version = 2**31
    repository.republish_timestamp()
    state = first(repository)
    repository.timestamp.signed.version = 5
    repository.replace_key(TIMESTAMP)
    repository.republish()
    recovered = follow(repository, state)
    assert recovered.versions[TIMESTAMP] == 6


def test_rule_4_without_a_lost_key_the_floors_stay(repository: Repository) -> None:
    repository.timestamp.signed.version = 2**31
    repository.republish_timestamp()
    state = first(repository)
    repository.timestamp.signed.version = 5
    repository.publish_root()
    repository.republish()
    with pytest.raises(RollbackRefusedError, match="older timestamp metadata"):
        follow(repository, state)


def test_rule_5_a_timestamp_by_another_key_is_refused(repository: Repository) -> None:
    state = driver.start(repository.trusted_root())
    with pytest.raises(TrustError, match=r"metadata/timestamp.json: not enough valid signatures"):
        driver.accept_timestamp(state, resign(read(repository, TIMESTAMP, 0), lambda _: None, new_signer()))


def test_rule_6_an_older_timestamp_is_refused_with_both_versions(repository: Repository) -> None:
    old = read(repository, TIMESTAMP, 0)
    repository.republish()
    repository.republish()
    state = first(repository)
    with pytest.raises(RollbackRefusedError, match="older timestamp metadata.*expected version 3 or newer, found version 1"):
        driver.accept_timestamp(state, old)


def test_rule_6_holds_although_the_bytes_were_lost(repository: Repository) -> None:
    old = read(repository, TIMESTAMP, 0)
    repository.republish()
    state = first(repository).without(TIMESTAMP, SNAPSHOT)
    with pytest.raises(RollbackRefusedError):
        driver.accept_timestamp(state, old)


def test_rule_6_the_same_version_changes_nothing(repository: Repository) -> None:
    state = first(repository)
    other = resign(read(repository, TIMESTAMP, 0), lambda signed: setattr(signed, "expires", NOW + MONTH), *repository.signers[TIMESTAMP])
    assert driver.accept_timestamp(state, other) is state


def test_rule_7_a_timestamp_that_names_an_older_snapshot_is_refused(repository: Repository) -> None:
    repository.republish()
    state = first(repository)

    def older(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version = 1

    data = resign(read(repository, TIMESTAMP, 0), older, *repository.signers[TIMESTAMP])
    with pytest.raises(RollbackRefusedError, match="older snapshot metadata.*expected version 2 or newer, found version 1"):
        driver.accept_timestamp(state, data)


def test_rule_8_a_snapshot_of_another_length_is_refused(repository: Repository) -> None:
    repository.timestamp.signed.snapshot_meta.length = 17
    repository.republish_timestamp()
    state = driver.accept_timestamp(driver.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))
    with pytest.raises(TrustError, match=r"metadata/snapshot.json"):
        driver.accept_snapshot(state, read(repository, SNAPSHOT, 1))


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
def test_rules_9_and_13_every_role_is_signed_by_its_own_key(repository: Repository, role: str) -> None:
    state = driver.start(repository.trusted_root())
    state = driver.accept_timestamp(state, read(repository, TIMESTAMP, 0))
    while following := driver.next_role(state):
        if following[0] == role:
            break
        state = ACCEPT[following[0]](state, read(repository, *following))
    others = [signer for other, signers in repository.signers.items() if other != role for signer in signers]
    with pytest.raises(TrustError, match=rf"metadata/{role}.json: not enough valid signatures"):
        ACCEPT[role](state, resign(read(repository, role, 1), lambda _: None, *others))


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
def test_rules_10_and_14_a_role_has_the_version_that_was_named(repository: Repository, role: str) -> None:
    state = first(repository).without(role)
    data = resign(read(repository, role, 1), lambda signed: setattr(signed, "version", 9), *repository.signers[role])
    with pytest.raises(TrustError, match=rf"metadata/{role}.json: another version than was named: expected version 1, found version 9"):
        ACCEPT[role](state, data)


@pytest.mark.parametrize("role", [TARGETS, CHANNELS])
def test_rule_11_a_snapshot_that_names_an_older_role_is_refused(repository: Repository, role: str) -> None:
    repository.publish_targets()
    state = first(repository)
    getattr(repository, role).signed.version = 1
    repository.republish()
    with pytest.raises(RollbackRefusedError, match=rf"metadata/snapshot.json: older {role} metadata.*version 2 or newer, found version 1"):
        follow(repository, state)


@pytest.mark.parametrize("role", [TARGETS, CHANNELS])
def test_rule_11_a_snapshot_must_name_every_role(repository: Repository, role: str) -> None:
    state = driver.accept_timestamp(driver.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))
    data = resign(read(repository, SNAPSHOT, 1), lambda signed: signed.meta.pop(f"{role}.json"), *repository.signers[SNAPSHOT])
    with pytest.raises(TrustError, match=f"a role is missing: expected {role}.json"):
        driver.accept_snapshot(state, data)


def test_rule_12_targets_of_another_hash_are_refused(repository: Repository) -> None:
    repository.republish()
    state = driver.accept_timestamp(driver.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))

    def hashed(signed: Any) -> None:
        signed.meta["targets.json"].hashes = {"sha256": "0" * 64}

    state = driver.accept_snapshot(state, resign(read(repository, SNAPSHOT, 2), hashed, *repository.signers[SNAPSHOT]))
    with pytest.raises(TrustError, match=r"metadata/targets.json: refused"):
        driver.accept_targets(state, read(repository, TARGETS, 1))


def _wider(signed: Any) -> None:
    signed.delegations.roles[CHANNELS].paths = ["*/*"]


def _continuing(signed: Any) -> None:
    signed.delegations.roles[CHANNELS].terminating = False


def _none(signed: Any) -> None:
    signed.delegations = None


@pytest.mark.parametrize("change", [_wider, _continuing, _none])
def test_rule_15_targets_delegates_channels_and_nothing_else(repository: Repository, change: Callable[[Any], None]) -> None:
    state = first(repository).without(TARGETS)
    with pytest.raises(TrustError, match="not the delegations of a Sealift repository"):
        driver.accept_targets(state, resign(read(repository, TARGETS, 1), change, *repository.signers[TARGETS]))


def test_rule_16_what_a_revoked_key_signed_is_trusted_no_more(repository: Repository) -> None:
    state = first(repository)
    repository.replace_key(TARGETS)
    state = driver.still_trusted(driver.accept_root(state, read(repository, ROOT, 2)))
    assert TARGETS not in state.files
    assert CHANNELS not in state.files
    with pytest.raises(TrustError, match=r"metadata/targets.json: not enough valid signatures"):
        driver.accept_targets(state, read(repository, TARGETS, 1))
    repository.publish_targets()
    assert set(follow(repository, state).files) == set(ROLES)


def test_a_channel_key_can_make_no_release(repository: Repository) -> None:
    target = next(iter(_with_release(repository).targets.signed.targets.values()))
    repository.channels.signed.targets["releases/linear/9.0.0"] = target
    repository.publish_targets()
    vouched = Vouched.of(first(repository))
    assert set(vouched.releases) == {"releases/linear/1.0.0"}


def test_the_targets_key_alone_moves_no_channel(repository: Repository) -> None:
    _with_release(repository)
    repository.targets.signed.targets["channels/beta.json"] = repository.channels.signed.targets["channels/stable.json"]
    repository.publish_targets()
    with pytest.raises(TrustError, match="no such channel: expected one of stable, found 'beta'"):
        Vouched.of(first(repository)).channel("beta")


def _with_release(repository: Repository) -> Repository:
    repository.add_release("1.0.0")
    return repository


def _channel(repository: Repository, vouched: Vouched) -> bytes:
    return repository.layout.read(vouched.channel("stable").digest)


def test_a_channel_points_to_releases_by_digest(repository: Repository) -> None:
    vouched = Vouched.of(first(_with_release(repository)))
    version, release = vouched.resolve("stable", _channel(repository, vouched))["linear"]
    assert version == "1.0.0"
    assert repository.layout.has(release.digest)


def test_a_channel_with_one_unknown_release_is_refused_whole(repository: Repository) -> None:
    _with_release(repository).promote("2.0.0", name="other")
    vouched = Vouched.of(first(repository))
    with pytest.raises(TrustError, match=r"channels/stable.json: the channel names a release that nobody vouches for: found releases/other/2.0.0"):
        vouched.resolve("stable", _channel(repository, vouched))


def test_other_channel_bytes_than_were_signed_are_refused(repository: Repository) -> None:
    vouched = Vouched.of(first(_with_release(repository)))
    with pytest.raises(IntegrityError, match=r"channels/stable.json"):
        vouched.resolve("stable", Channel(models={"linear": "0.9.0"}).to_bytes())


def test_nothing_expired_is_fresh(repository: Repository) -> None:
    assert check_expiry(first(repository), NOW, MONTH) is None


@pytest.mark.parametrize(("days", "role"), [(91, TARGETS), (366, ROOT)])
def test_expired_targets_or_root_vouch_for_nothing_new(repository: Repository, days: int, role: str) -> None:
    with pytest.raises(ExpiredError, match=rf"metadata/{role}.json: the metadata is expired"):
        check_expiry(first(repository), NOW + days * DAY, 1000 * DAY)


def test_an_expired_timestamp_is_a_warning_until_the_policy_says_otherwise(repository: Repository) -> None:
    state = first(repository)
    assert "metadata/timestamp.json expired at 2027-01-02" in str(check_expiry(state, NOW + 20 * DAY, MONTH))
    with pytest.raises(ExpiredError, match="stale for longer"):
        check_expiry(state, NOW + 32 * DAY, MONTH)


def test_a_clock_that_stands_still_can_not_hide_time_that_surely_passed(repository: Repository) -> None:
    long_ago = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert driver.start(repository.trusted_root()).time(long_ago, BUILD_TIME) == NOW
    assert TrustState(files={}, versions={}).time(long_ago, BUILD_TIME) == BUILD_TIME
    assert TrustState(files={}, versions={}, seen_time=NOW + DAY).time(NOW, BUILD_TIME) == NOW + DAY


def test_no_file_can_claim_to_be_signed_after_its_expiry(repository: Repository) -> None:
    def ahead(signed: Any) -> None:
        signed.unrecognized_fields["dev.sealift.signed-at"] = "2099-01-01T00:00:00Z"

    with pytest.raises(TrustError, match="signed after its own expiry"):
        driver.start(resign(repository.trusted_root(), ahead, *repository.signers[ROOT]))


def test_a_file_over_its_bound_is_refused_unread(repository: Repository) -> None:
    with pytest.raises(LimitError, match=r"metadata/root.json"):
        driver.start(b" " * (MAX_BYTES[ROOT] + 1))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 5000, b'{"signed": {}, "signatures": []}'])
def test_what_is_no_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match=r"metadata/root.json: not metadata"):
        driver.start(data)


def test_one_roles_metadata_does_not_pass_for_anothers(repository: Repository) -> None:
    state = driver.start(repository.trusted_root())
    with pytest.raises(TrustError, match="another role's metadata: expected timestamp, found snapshot"):
        driver.accept_timestamp(state, read(repository, SNAPSHOT, 1))


def test_every_error_of_python_tuf_becomes_ours() -> None:
    foreign = [value for value in vars(tuf.api.exceptions).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(foreign) > 7
    kinds: list[type[Exception]] = [*foreign, DeserializationError, ValueError]
    for kind in kinds:
        with pytest.raises(TrustError, match=r"metadata/targets.json"), translate_tuf_errors(TARGETS):
            raise kind.__new__(kind)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, TrustState, bytes]]:
    """For each role, the state just before it, and its bytes."""
    repository = Repository(tmp_path_factory.mktemp("tamper") / "repository")
    repository.publish_root()
    state = driver.start(repository.trusted_root())
    found = [(ROOT, state, read(repository, ROOT, 2))]
    state = driver.accept_root(*found[-1][1:])
    found.append((TIMESTAMP, state, read(repository, TIMESTAMP, 0)))
    state = driver.accept_timestamp(*found[-1][1:])
    while following := driver.next_role(state):
        found.append((following[0], state, read(repository, *following)))
        state = ACCEPT[following[0]](*found[-1][1:])
    return found


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_anywhere_passes(steps: list[tuple[str, TrustState, bytes]], data: st.DataObject) -> None:
    role, state, original = data.draw(st.sampled_from(steps), label="role")
    position = data.draw(st.integers(0, len(original) * 8 - 1), label="bit")
    changed = bytearray(original)
    changed[position // 8] ^= 1 << position % 8
    with pytest.raises((TrustError, LimitError)) as caught:
        ACCEPT[role](state, bytes(changed))
    assert f"metadata/{role}.json" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(had=st.integers(1, 50), came=st.integers(1, 50))
def test_versions_only_ever_go_up(steps: list[tuple[str, TrustState, bytes]], had: int, came: int) -> None:
    state = TrustState(files=steps[1][1].files, versions={**steps[1][1].versions, TIMESTAMP: had})
    signer = new_signer()
    root = resign(state.files[ROOT], lambda signed: signed.add_key(signer.public_key, TIMESTAMP), signer)
    state = TrustState(files={ROOT: root}, versions=state.versions)
    data = resign(steps[1][2], lambda signed: setattr(signed, "version", came), signer)
    if came < had:
        with pytest.raises(RollbackRefusedError):
            driver.accept_timestamp(state, data)
    else:
        assert driver.accept_timestamp(state, data).versions[TIMESTAMP] == came


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise_anything_but_our_errors(data: bytes) -> None:
    with pytest.raises(SealiftError):
        driver.start(data)


def test_document_errors_of_a_signed_channel_name_it(repository: Repository) -> None:
    _with_release(repository)
    repository.channel_models["stable"]["linear"] = "not a version"
    repository._write_channel("stable")
    repository.publish_targets()
    vouched = Vouched.of(first(repository))
    with pytest.raises(DocumentError, match=r"channels/stable.json"):
        vouched.resolve("stable", _channel(repository, vouched))
