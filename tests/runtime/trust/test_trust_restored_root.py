"""A root that was lost is found again along the chain of roots, and nothing older than before is trusted by that."""

from __future__ import annotations

import dataclasses

import pytest

from sealift_core.errors import LimitError, RollbackRefusedError, TrustError
from sealift_core.messages.roles import ROOT, SNAPSHOT, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.metadata import MAX_BYTES
from sealift_runtime.trust.state import TrustState
from support.repositories import Repository
from support.trusting import first, follow, read


@pytest.fixture
def followed(repository: Repository) -> TrustState:
    """All that a device trusts whose root is the third."""
    repository.publish_root()
    repository.publish_root()
    return first(repository)


def without_root(state: TrustState) -> TrustState:
    return dataclasses.replace(state, files={role: data for role, data in state.files.items() if role != ROOT})


def chain(repository: Repository, *versions: int) -> list[bytes]:
    return [read(repository, ROOT, version) for version in versions]


def test_the_chain_leads_to_the_root_that_was_lost(repository: Repository, followed: TrustState) -> None:
    restored = workflow.restore(without_root(followed), repository.trusted_root(), chain(repository, 2, 3))
    assert restored == followed
    workflow.check_root_floor(restored)


def test_a_chain_that_breaks_leads_as_far_as_it_goes_and_the_floor_stays(repository: Repository, followed: TrustState) -> None:
    restored = workflow.restore(without_root(followed), repository.trusted_root(), chain(repository, 2))
    assert restored.files[ROOT] == read(repository, ROOT, 2)
    assert restored.versions == followed.versions
    with pytest.raises(RollbackRefusedError, match="the root metadata is older than what this device already trusts.*expected version 3 or newer"):
        workflow.check_root_floor(restored)
    workflow.check_root_floor(workflow.accept_root(restored, read(repository, ROOT, 3)))


@pytest.mark.parametrize("damaged", [b"not a root", b"{}", b" " * (MAX_BYTES[ROOT] + 1)], ids=["text", "empty", "too large"])
def test_what_is_no_root_in_the_chain_is_passed_over(repository: Repository, followed: TrustState, damaged: bytes) -> None:
    assert workflow.restore(without_root(followed), repository.trusted_root(), [damaged, *chain(repository, 2, 2, 3)]) == followed
    with pytest.raises((TrustError, LimitError)):
        workflow.restore(without_root(followed), damaged, chain(repository, 2, 3))


def test_a_root_above_all_that_was_known_is_the_new_floor(repository: Repository, followed: TrustState) -> None:
    unknown = dataclasses.replace(without_root(followed), versions={role: at for role, at in followed.versions.items() if role != ROOT})
    assert workflow.restore(unknown, repository.trusted_root(), chain(repository, 2)).versions == {**followed.versions, ROOT: 2}
    lower = dataclasses.replace(without_root(followed), versions={**followed.versions, ROOT: 1})
    assert workflow.restore(lower, repository.trusted_root(), chain(repository, 2, 3)).versions[ROOT] == 3


def test_what_is_trusted_beside_the_root_is_as_it_was(repository: Repository, followed: TrustState) -> None:
    restored = workflow.restore(without_root(followed), repository.trusted_root(), [])
    assert {role: data for role, data in restored.files.items() if role != ROOT} == without_root(followed).files
    assert (restored.versions, restored.signed_time) == (followed.versions, followed.signed_time)


def test_a_lost_key_of_a_root_that_was_followed_before_ends_no_floor_once_more(repository: Repository) -> None:
    state = first(repository)
    repository.replace_key(TIMESTAMP)
    repository.republish()
    followed = follow(repository, state)
    floors = {TIMESTAMP: followed.versions[TIMESTAMP] + 7, SNAPSHOT: followed.versions[SNAPSHOT] + 7}
    raised = dataclasses.replace(followed, versions={**followed.versions, **floors})
    back = dataclasses.replace(raised, files={**raised.files, ROOT: repository.trusted_root()})
    assert workflow.accept_root(back, read(repository, ROOT, 2)).versions == raised.versions
