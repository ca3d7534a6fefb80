"""Pure: other keys and thresholds for roles, as the next root and targets say them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

from securesystemslib.signer import Key
from tuf.api.metadata import Signed

from sealift_core.messages.roles import CHANNELS, ROOT, TARGETS
from sealift_packager.errors import RepositoryError
from sealift_packager.repository.drafts import Delegator, check_threshold, short, still_holds
from sealift_packager.repository.metadata import RepositoryMetadata
from sealift_packager.repository.roles import ROLES

#: Of a key's id, so that it names one key.
LEAST_DIGITS = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What changes of a role: keys that come, ids of keys that go, another threshold (None: the same)."""

    role: str
    add: tuple[Key, ...] = ()
    remove: tuple[str, ...] = ()
    threshold: int | None = None


def keys_of(current: RepositoryMetadata, role: str) -> tuple[list[str], int]:
    """The ids of a role's keys, and its threshold."""
    delegated = _delegator(current, role).get_delegated_role(role)
    return list(delegated.keyids), delegated.threshold


def find_key(current: RepositoryMetadata, role: str, text: str) -> str:
    """The id of the one key of a role whose id begins so; `RepositoryError` names those that there are."""
    keyids, _ = keys_of(current, role)
    matches = [keyid for keyid in keyids if keyid.startswith(text) and len(text) >= LEAST_DIGITS]
    if len(matches) != 1:
        expected = f"the id, or its first {LEAST_DIGITS} digits or more, of {', '.join(map(short, keyids))}"
        raise RepositoryError(f"no key of the role {role}", where=role, expected=expected, found=repr(text), advice="See `sealift repo status`.")
    return matches[0]


def roles_with(current: RepositoryMetadata, text: str) -> dict[str, str]:
    """The roles that a key signs for, with its whole id; `RepositoryError` if there is none."""
    all_keyids = {keyid for role in ROLES for keyid in keys_of(current, role)[0]}
    matches = {keyid for keyid in all_keyids if keyid.startswith(text) and len(text) >= LEAST_DIGITS}
    if len(matches) != 1:
        expected = f"the id, or its first {LEAST_DIGITS} digits or more, of {', '.join(map(short, sorted(all_keyids)))}"
        raise RepositoryError("no key of this repository", where="KEYID", expected=expected, found=repr(text), advice="See `sealift repo status`.")
    keyid = matches.pop()
    return {role: keyid for role in ROLES if keyid in keys_of(current, role)[0]}


def rotated(current: RepositoryMetadata, changes: Sequence[KeyChange]) -> dict[str, Signed]:
    """What root, targets and channels say after some changes.

    1. The keys of root, targets, snapshot and timestamp stand in root; those of channels in targets.
    2. Targets and channels whose signatures no longer count are to be signed anew, with nothing else changed.

    Raises `RepositoryError` where a key is there already, isn't there, or a threshold can't be met.
    """
    root, targets = copy.deepcopy(current.root.signed), copy.deepcopy(current.targets.signed)
    for change in changes:  # 1
        _apply(targets if change.role == CHANNELS else root, change)
    roles = {change.role for change in changes}
    changed: dict[str, Signed] = {}
    if roles - {CHANNELS}:
        changed[ROOT] = root
    if CHANNELS in roles or not still_holds(root, TARGETS, current.targets):  # 2
        changed[TARGETS] = targets
    if not still_holds(targets, CHANNELS, current.channels):
        changed[CHANNELS] = copy.deepcopy(current.channels.signed)
    return changed


def _delegator(current: RepositoryMetadata, role: str) -> Delegator:
    return current.targets.signed if role == CHANNELS else current.root.signed


def _apply(delegator: Delegator, change: KeyChange) -> None:
    role, delegated = change.role, delegator.get_delegated_role(change.role)
    for key in change.add:
        if key.keyid in delegated.keyids:
            raise RepositoryError("the role has this key already", where=role, found=short(key.keyid))
        delegator.add_key(key, role)
    for keyid in dict.fromkeys(change.remove):
        delegator.revoke_key(keyid, role)
    delegated.threshold = delegated.threshold if change.threshold is None else change.threshold
    check_threshold(role, len(delegated.keyids), delegated.threshold)
