"""The client workflow's rules, each a function from a state and some bytes to the next state, or an error.

Numbers in brackets are the steps of the TUF specification, section 5. The floor of a role is the highest version that verified metadata named.

Root (`start`, `accept_root`)
    1. The first root is signed by its own threshold of keys; whoever enrols the device vouches for it. [5.2]
    2. A next root has the trusted root's version plus one. [5.3.5]
    3. It is signed by the threshold of the trusted root and by its own. [5.3.4]
    4. If it no longer lists a key of timestamp or snapshot, their metadata and all floors below root are dropped, so
       that a thief of that key who signed a huge version number can't lock the device out. [5.3.11] Not where the device had that root before
       (`restore`): the floors are newer then.
    5. Where a device lost its newest root, it comes back to that version before anything else is looked at (`check_root_floor`).

Timestamp (`accept_timestamp`)
    6. Signed by root's threshold. [5.4.2]
    7. Its version isn't below the floor; if it is the trusted version, the trusted file stays. [5.4.3.1]
    8. The snapshot version that it names isn't below the floor. [5.4.3.2]

Snapshot (`accept_snapshot`)
    9. Its length and hashes are those that timestamp names, where it does. [5.5.2]
    10. Signed by root's threshold. [5.5.3]
    11. Its version is the one that timestamp names. [5.5.4]
    12. It names targets and channels, each at a version that isn't below the floor. [5.5.5]

Targets (`accept_targets`) and channels (`accept_channels`)
    13. Length and hashes are those that snapshot names, where it does. [5.6.2]
    14. Signed by the threshold of root (targets), or of targets (channels). [5.6.3]
    15. The version is the one that snapshot names. [5.6.4]
    16. Targets delegates exactly the role channels, for ``channels/*`` and nothing else, terminating: a channel key
        can't make a release, and nobody else can move a channel.

Whenever root or targets change (`still_trusted`)
    17. What was trusted before stays so only if the keys that are listed now signed it: a revoked key's work is dropped
        and must come anew. Floors stay. [5.4 to 5.6 load local metadata under the newest root]

The time that surely passed
    18. Snapshot, targets and channels count as signed no later than timestamp, which is signed after them. How far that is believed, `expiry` says.

Expiry is judged apart from all this, in `expiry`: at this point an expired file is still of use, to refuse older ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from tuf.api.metadata import DelegatedRole, MetaFile, Root, Signed, Snapshot, Targets, Timestamp

from sealift_core.errors import LimitError, RollbackRefusedError, TrustError
from sealift_core.messages.roles import CHANNELS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust.metadata import ROLE_TYPES, File, check_signatures, parse, translate_tuf_errors, where
from sealift_runtime.trust.state import TrustState

S = TypeVar("S", bound=Signed)

CHANNEL_PATHS: Final = ["channels/*"]


def start(root: bytes) -> TrustState:
    """Trust in a first root, which was given by hand: rule 1."""
    file = parse(Root, ROOT, root)
    check_signatures(file, file.signed)  # 1
    state = TrustState(files={}, versions={})
    return state.with_file(ROOT, root, {ROOT: file.signed.version}, file.signed_at)


def accept_root(state: TrustState, data: bytes) -> TrustState:
    """The state with the next root: rules 2 to 4."""
    old, file = trusted(Root, ROOT, state), parse(Root, ROOT, data)
    if file.signed.version != old.signed.version + 1:  # 2
        _refuse_older(state, ROOT, file.signed.version)
        expected, actual = f"version {old.signed.version + 1}", f"version {file.signed.version}"
        raise TrustError("the root doesn't follow the trusted one", where=where(ROOT), expected=expected, found=actual)
    check_signatures(file, old.signed)  # 3
    check_signatures(file, file.signed)
    floor = state.versions[ROOT]
    if _removed_a_key(old.signed, file.signed) and file.signed.version > floor:  # 4
        state = _recovered(state)
    return state.with_file(ROOT, data, {ROOT: max(floor, file.signed.version)}, file.signed_at)


def restore(lost: TrustState, first: bytes, following: Iterable[bytes]) -> TrustState:
    """The state ``lost``, whose root is damaged, with a root again: from the first one through those that follow, as far as they lead.

    Floors stay. Raises `TrustError` or `LimitError` if the first one isn't a root.
    """
    state = start(first)
    for data in following:
        with contextlib.suppress(TrustError, LimitError):
            state = accept_root(state, data)
    version = trusted(Root, ROOT, state).signed.version
    versions = {**lost.versions, ROOT: max(version, lost.versions.get(ROOT, version))}
    return dataclasses.replace(lost, files={**lost.files, ROOT: state.files[ROOT]}, versions=versions)


def check_root_floor(state: TrustState) -> None:
    """Raise `RollbackRefusedError` if the trusted root is older than one that the device had: rule 5."""
    _refuse_older(state, ROOT, trusted(Root, ROOT, state).signed.version)


def accept_timestamp(state: TrustState, data: bytes) -> TrustState:
    """The state with a newer timestamp, or the same state for the same version: rules 6 to 8."""
    file = parse(Timestamp, TIMESTAMP, data)
    check_signatures(file, trusted(Root, ROOT, state).signed)  # 6
    _refuse_older(state, TIMESTAMP, file.signed.version)  # 7
    if file.signed.version == state.versions.get(TIMESTAMP) and TIMESTAMP in state.files:
        return state
    named = file.signed.snapshot_meta.version
    _refuse_older(state, SNAPSHOT, named, by=TIMESTAMP)  # 8
    return state.with_file(TIMESTAMP, data, {TIMESTAMP: file.signed.version, SNAPSHOT: named}, file.signed_at)


def accept_snapshot(state: TrustState, data: bytes) -> TrustState:
    """The state with the snapshot that timestamp names: rules 9 to 12, and 18."""
    named = trusted(Timestamp, TIMESTAMP, state).signed.snapshot_meta
    with translate_tuf_errors(SNAPSHOT):
        named.verify_length_and_hashes(data)  # 9
    file = parse(Snapshot, SNAPSHOT, data)
    check_signatures(file, trusted(Root, ROOT, state).signed)  # 10
    _check_version(file, named)  # 11
    versions = {name.removesuffix(".json"): meta.version for name, meta in file.signed.meta.items()}
    for role in (TARGETS, CHANNELS):  # 12
        if role not in versions:
            raise TrustError("a role is missing", where=where(SNAPSHOT), expected=f"{role}.json")
        _refuse_older(state, role, versions[role], by=SNAPSHOT)
    floors = {role: versions[role] for role in (TARGETS, CHANNELS)}
    return state.with_file(SNAPSHOT, data, {SNAPSHOT: file.signed.version, **floors}, _believed(state, file))


def accept_targets(state: TrustState, data: bytes) -> TrustState:
    """The state with the targets that snapshot names: rules 13 to 16, and 18."""
    file = _named(state, TARGETS, data)
    check_signatures(file, trusted(Root, ROOT, state).signed)  # 14
    _check_version(file, snapshot_names(state, TARGETS))  # 15
    channels_delegation(file.signed)  # 16
    return still_trusted(state.with_file(TARGETS, data, {}, _believed(state, file)))


def accept_channels(state: TrustState, data: bytes) -> TrustState:
    """The state with the channels that snapshot names: rules 13 to 15, and 18."""
    file = _named(state, CHANNELS, data)
    check_signatures(file, trusted(Targets, TARGETS, state).signed)  # 14
    _check_version(file, snapshot_names(state, CHANNELS))  # 15
    return state.with_file(CHANNELS, data, {}, _believed(state, file))


#: What accepts each role's bytes, in the order of the workflow.
ACCEPT: Final[Mapping[str, Callable[[TrustState, bytes], TrustState]]] = {
    TIMESTAMP: accept_timestamp,
    SNAPSHOT: accept_snapshot,
    TARGETS: accept_targets,
    CHANNELS: accept_channels,
}


def still_trusted(state: TrustState) -> TrustState:
    """The state without what its root and its targets no longer vouch for: rule 17."""
    for role in (TIMESTAMP, SNAPSHOT, TARGETS, CHANNELS):
        delegator = (Targets, TARGETS) if role == CHANNELS else (Root, ROOT)
        if role in state.files and not (delegator[1] in state.files and _holds(state, role, *delegator)):
            state = state.without(role)  # 17
    return state


def next_role(state: TrustState) -> tuple[str, int] | None:
    """The role, after timestamp, whose bytes are missing or not the version that is named, and that version; or None."""
    named = trusted(Timestamp, TIMESTAMP, state).signed.snapshot_meta.version
    if _differs(state, SNAPSHOT, named):
        return SNAPSHOT, named
    for role in (TARGETS, CHANNELS):
        named = snapshot_names(state, role).version
        if _differs(state, role, named):
            return role, named
    return None


def snapshot_names(state: TrustState, role: str) -> MetaFile:
    """What the trusted snapshot says of a role: its version, maybe its length and hashes."""
    return trusted(Snapshot, SNAPSHOT, state).signed.meta[f"{role}.json"]


def trusted(role_type: type[S], role: str, state: TrustState) -> File[S]:
    """A role's verified metadata; `TrustError` if the state has none."""
    if role not in state.files:
        raise TrustError("this device has no trusted metadata of this role yet", where=where(role), advice="Run sealift-agent sync first.")
    return parse(role_type, role, state.files[role])


def channels_delegation(targets: Targets) -> DelegatedRole:
    """The one delegation of targets; `TrustError` unless it is as rule 16 says."""
    roles = list((targets.delegations.roles or {}).values()) if targets.delegations else []
    if len(roles) != 1 or roles[0].name != CHANNELS or roles[0].paths != CHANNEL_PATHS or not roles[0].terminating:
        actual = ", ".join(f"{role.name} {role.paths}" for role in roles) or "none"
        raise TrustError(
            "not the delegations of a Sealift repository", where=where(TARGETS), expected=f"{CHANNELS} {CHANNEL_PATHS}, terminating", found=actual
        )
    return roles[0]


def _holds(state: TrustState, role: str, delegator_type: type[Root | Targets], delegator: str) -> bool:
    try:
        check_signatures(trusted(ROLE_TYPES[role], role, state), trusted(delegator_type, delegator, state).signed)
    except TrustError:
        return False
    return True


def _differs(state: TrustState, role: str, version: int) -> bool:
    return role not in state.files or trusted(ROLE_TYPES[role], role, state).signed.version != version


def _believed(state: TrustState, file: File[S]) -> datetime.datetime | None:
    """When a file was signed, as far as timestamp bears it out: rule 18."""
    latest = trusted(Timestamp, TIMESTAMP, state).signed_at
    return min(file.signed_at, latest) if file.signed_at and latest else None


def _named(state: TrustState, role: str, data: bytes) -> File[Targets]:
    with translate_tuf_errors(role):
        snapshot_names(state, role).verify_length_and_hashes(data)  # 13
    return parse(Targets, role, data)


def _check_version(file: File[S], named: MetaFile) -> None:
    if file.signed.version != named.version:
        expected, actual = f"version {named.version}", f"version {file.signed.version}"
        raise TrustError("the version isn't the one that was named", where=where(file.role), expected=expected, found=actual)


def _refuse_older(state: TrustState, role: str, version: int, *, by: str = "") -> None:
    floor = state.versions.get(role, 0)
    if version < floor:
        raise RollbackRefusedError(
            f"the {role} metadata is older than what this device already trusts",
            where=where(by or role),
            expected=f"version {floor} or newer",
            found=f"version {version}",
            advice="The repository or medium is out of date, or someone replays old metadata.",
        )


def _removed_a_key(old: Root, new: Root) -> bool:
    return any(set(old.roles[role].keyids) - set(new.roles[role].keyids) for role in (TIMESTAMP, SNAPSHOT))


def _recovered(state: TrustState) -> TrustState:
    """Only root stays: bytes, version floor, signing time."""
    file = trusted(Root, ROOT, state)
    fresh = TrustState(files={}, versions={}, seen_time=state.seen_time)
    return fresh.with_file(ROOT, state.files[ROOT], {ROOT: file.signed.version}, file.signed_at)
