"""Each numbered rule of the client workflow, on metadata that python-tuf signs for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealift_core.errors import RollbackRefusedError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.state import ROLES
from support.repositories import NOW, Repository, new_signer, resign
from support.trusting import ACCEPT, MONTH, first, follow, read


def test_a_whole_repository_is_trusted(repository: Repository) -> None:
    state = first(repository)
    assert set(state.files) == set(ROLES)
    assert state.signed_time == NOW


def test_rule_1_a_first_root_signs_itself_by_its_own_threshold(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository", root_keys=3, root_threshold=2)
    root = repository.trusted_root()
    workflow.start(resign(root, lambda _: None, *repository.signers[ROOT][:2]))
    with pytest.raises(TrustError, match=r"metadata/root.json: not enough valid signatures.*1/2 keys"):
        workflow.start(resign(root, lambda _: None, repository.signers[ROOT][0]))


def test_rule_2_roots_come_one_by_one(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    repository.publish_root()
    repository.publish_root()
    with pytest.raises(TrustError, match="expected version 2, found version 3"):
        workflow.accept_root(state, read(repository, ROOT, 3))
    newest = workflow.accept_root(workflow.accept_root(state, read(repository, ROOT, 2)), read(repository, ROOT, 3))
    with pytest.raises(
        RollbackRefusedError, match="the root metadata is older than what this device already trusts.*expected version 3 or newer, found version 2"
    ):
        workflow.accept_root(newest, read(repository, ROOT, 2))


def test_rule_3_a_new_root_is_signed_by_the_old_and_by_itself(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    old = repository.signers[ROOT][0]
    repository.replace_key(ROOT)
    new = repository.signers[ROOT][0]
    data = read(repository, ROOT, 2)
    assert workflow.accept_root(state, data).versions[ROOT] == 2
    for alone in (old, new):
        with pytest.raises(TrustError, match="not enough valid signatures"):
            workflow.accept_root(state, resign(data, lambda _: None, alone))


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
    with pytest.raises(RollbackRefusedError, match="the timestamp metadata is older than what this device already trusts"):
        follow(repository, state)


def test_rule_5_a_timestamp_by_another_key_is_refused(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    with pytest.raises(TrustError, match=r"metadata/timestamp.json: not enough valid signatures"):
        workflow.accept_timestamp(state, resign(read(repository, TIMESTAMP, 0), lambda _: None, new_signer()))


def test_rule_6_an_older_timestamp_is_refused_with_both_versions(repository: Repository) -> None:
    old = read(repository, TIMESTAMP, 0)
    repository.republish()
    repository.republish()
    state = first(repository)
    with pytest.raises(
        RollbackRefusedError,
        match="the timestamp metadata is older than what this device already trusts.*expected version 3 or newer, found version 1",
    ):
        workflow.accept_timestamp(state, old)


def test_rule_6_holds_although_the_bytes_were_lost(repository: Repository) -> None:
    old = read(repository, TIMESTAMP, 0)
    repository.republish()
    state = first(repository).without(TIMESTAMP, SNAPSHOT)
    with pytest.raises(RollbackRefusedError):
        workflow.accept_timestamp(state, old)


def test_rule_6_the_same_version_changes_nothing(repository: Repository) -> None:
    state = first(repository)
    other = resign(read(repository, TIMESTAMP, 0), lambda signed: setattr(signed, "expires", NOW + MONTH), *repository.signers[TIMESTAMP])
    assert workflow.accept_timestamp(state, other) is state


def test_rule_7_a_timestamp_that_names_an_older_snapshot_is_refused(repository: Repository) -> None:
    repository.republish()
    state = first(repository)

    def older(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version = 1

    data = resign(read(repository, TIMESTAMP, 0), older, *repository.signers[TIMESTAMP])
    with pytest.raises(
        RollbackRefusedError,
        match="the snapshot metadata is older than what this device already trusts.*expected version 2 or newer, found version 1",
    ):
        workflow.accept_timestamp(state, data)


def test_rule_8_a_snapshot_of_another_length_is_refused(repository: Repository) -> None:
    repository.timestamp.signed.snapshot_meta.length = 17
    repository.republish_timestamp()
    state = workflow.accept_timestamp(workflow.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))
    with pytest.raises(TrustError, match=r"metadata/snapshot.json"):
        workflow.accept_snapshot(state, read(repository, SNAPSHOT, 1))


@pytest.mark.parametrize("role", [SNAPSHOT, TARGETS, CHANNELS])
def test_rules_9_and_13_every_role_is_signed_by_its_own_key(repository: Repository, role: str) -> None:
    state = workflow.start(repository.trusted_root())
    state = workflow.accept_timestamp(state, read(repository, TIMESTAMP, 0))
    while following := workflow.next_role(state):
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
    with pytest.raises(TrustError, match=rf"metadata/{role}.json: the version isn't the one that was named: expected version 1, found version 9"):
        ACCEPT[role](state, data)


@pytest.mark.parametrize("role", [TARGETS, CHANNELS])
def test_rule_11_a_snapshot_that_names_an_older_role_is_refused(repository: Repository, role: str) -> None:
    repository.publish_targets()
    state = first(repository)
    getattr(repository, role).signed.version = 1
    repository.republish()
    with pytest.raises(
        RollbackRefusedError,
        match=rf"metadata/snapshot.json: the {role} metadata is older than what this device already trusts.*version 2 or newer, found version 1",
    ):
        follow(repository, state)


@pytest.mark.parametrize("role", [TARGETS, CHANNELS])
def test_rule_11_a_snapshot_must_name_every_role(repository: Repository, role: str) -> None:
    state = workflow.accept_timestamp(workflow.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))
    data = resign(read(repository, SNAPSHOT, 1), lambda signed: signed.meta.pop(f"{role}.json"), *repository.signers[SNAPSHOT])
    with pytest.raises(TrustError, match=f"a role is missing: expected {role}.json"):
        workflow.accept_snapshot(state, data)


def test_rule_12_targets_of_another_hash_are_refused(repository: Repository) -> None:
    repository.republish()
    state = workflow.accept_timestamp(workflow.start(repository.trusted_root()), read(repository, TIMESTAMP, 0))

    def hashed(signed: Any) -> None:
        signed.meta["targets.json"].hashes = {"sha256": "0" * 64}

    state = workflow.accept_snapshot(state, resign(read(repository, SNAPSHOT, 2), hashed, *repository.signers[SNAPSHOT]))
    with pytest.raises(TrustError, match=r"metadata/targets.json: the metadata is invalid, caused by: Observed hash"):
        workflow.accept_targets(state, read(repository, TARGETS, 1))


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
        workflow.accept_targets(state, resign(read(repository, TARGETS, 1), change, *repository.signers[TARGETS]))


def test_rule_16_what_a_revoked_key_signed_is_trusted_no_more(repository: Repository) -> None:
    state = first(repository)
    repository.replace_key(TARGETS)
    state = workflow.still_trusted(workflow.accept_root(state, read(repository, ROOT, 2)))
    assert TARGETS not in state.files
    assert CHANNELS not in state.files
    with pytest.raises(TrustError, match=r"metadata/targets.json: not enough valid signatures"):
        workflow.accept_targets(state, read(repository, TARGETS, 1))
    repository.publish_targets()
    assert set(follow(repository, state).files) == set(ROLES)
