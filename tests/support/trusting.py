"""A client that takes a repository's metadata step by step, as the workflow asks for it."""

from __future__ import annotations

from collections.abc import Callable

from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.state import TrustState
from support.repositories import DAY, Repository

MONTH = 30 * DAY
ACCEPT: dict[str, Callable[[TrustState, bytes], TrustState]] = {
    ROOT: workflow.accept_root,
    TIMESTAMP: workflow.accept_timestamp,
    SNAPSHOT: workflow.accept_snapshot,
    TARGETS: workflow.accept_targets,
    CHANNELS: workflow.accept_channels,
}


def read(repository: Repository, role: str, version: int) -> bytes:
    name = "timestamp.json" if role == TIMESTAMP else f"{version}.{role}.json"
    return (repository.metadata / name).read_bytes()


def follow(repository: Repository, state: TrustState) -> TrustState:
    """Everything that the repository has now."""
    while (path := repository.metadata / f"{state.versions[ROOT] + 1}.root.json").exists():
        state = workflow.accept_root(state, path.read_bytes())
    state = workflow.accept_timestamp(workflow.still_trusted(state), read(repository, TIMESTAMP, 0))
    while following := workflow.next_role(state):
        state = ACCEPT[following[0]](state, read(repository, *following))
    return state


def first(repository: Repository) -> TrustState:
    return follow(repository, workflow.start(repository.trusted_root()))
