"""Bytes that are no metadata, are too many, or were changed anywhere."""

from __future__ import annotations

import pytest
import tuf.api.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from tuf.api.serialization import DeserializationError

from sealift_core.errors import LimitError, RollbackRefusedError, SealiftError, TrustError
from sealift_core.messages.roles import ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from sealift_runtime.trust import workflow
from sealift_runtime.trust.metadata import MAX_BYTES, translate_tuf_errors
from sealift_runtime.trust.state import TrustState
from support.repositories import Repository, new_signer, resign
from support.trusting import ACCEPT, read


def test_a_file_over_its_bound_is_refused_unread(repository: Repository) -> None:
    with pytest.raises(LimitError, match=r"metadata/root.json"):
        workflow.start(b" " * (MAX_BYTES[ROOT] + 1))


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"\xff", b"{" * 5000, b'{"signed": {}, "signatures": []}'])
def test_what_is_no_metadata_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError, match=r"metadata/root.json: not valid metadata"):
        workflow.start(data)


@pytest.mark.parametrize(("field", "twice"), [(b'"version":', b'"version":99,"version":'), (b'"signed":', b'"signed":null,"signed":')])
def test_metadata_that_says_something_twice_is_refused_whoever_signed_it(repository: Repository, field: bytes, twice: bytes) -> None:
    data = repository.trusted_root()
    assert field in data
    with pytest.raises(TrustError, match=r"metadata/root.json: not valid metadata, caused by: the field '\w+' appears twice"):
        workflow.start(data.replace(field, twice, 1))


@pytest.mark.parametrize(("old", "new"), [(b"T12:00:00Z", b"t12:00:00Z"), (b"T12:00:00Z", b"T12:00:00z"), (b"-01T12", b"- 1T12")])
def test_no_other_way_to_write_an_expiry_passes(repository: Repository, old: bytes, new: bytes) -> None:
    before, expires, after = repository.trusted_root().partition(b'"expires":')
    with pytest.raises(TrustError, match=r"metadata/root\.json"):
        workflow.start(before + expires + after.replace(old, new, 1))


def test_one_roles_metadata_does_not_pass_for_anothers(repository: Repository) -> None:
    state = workflow.start(repository.trusted_root())
    with pytest.raises(TrustError, match="another role's metadata: expected timestamp, found snapshot"):
        workflow.accept_timestamp(state, read(repository, SNAPSHOT, 1))


def test_every_error_of_python_tuf_becomes_ours() -> None:
    foreign = [value for value in vars(tuf.api.exceptions).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(foreign) > 7
    error_types: list[type[Exception]] = [*foreign, DeserializationError, ValueError]
    for error_type in error_types:
        with pytest.raises(TrustError, match=r"metadata/targets.json"), translate_tuf_errors(TARGETS):
            raise error_type.__new__(error_type)


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, TrustState, bytes]]:
    """For each role, the state just before it, and its bytes."""
    repository = Repository(tmp_path_factory.mktemp("tamper") / "repository")
    repository.publish_root()
    state = workflow.start(repository.trusted_root())
    before = [(ROOT, state, read(repository, ROOT, 2))]
    state = workflow.accept_root(*before[-1][1:])
    before.append((TIMESTAMP, state, read(repository, TIMESTAMP, 0)))
    state = workflow.accept_timestamp(*before[-1][1:])
    while following := workflow.next_role(state):
        before.append((following[0], state, read(repository, *following)))
        state = ACCEPT[following[0]](*before[-1][1:])
    return before


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
@given(floor=st.integers(1, 50), version=st.integers(1, 50))
def test_versions_only_ever_go_up(steps: list[tuple[str, TrustState, bytes]], floor: int, version: int) -> None:
    state = TrustState(files=steps[1][1].files, versions={**steps[1][1].versions, TIMESTAMP: floor})
    signer = new_signer()
    root = resign(state.files[ROOT], lambda signed: signed.add_key(signer.public_key, TIMESTAMP), signer)
    state = TrustState(files={ROOT: root}, versions=state.versions)
    data = resign(steps[1][2], lambda signed: setattr(signed, "version", version), signer)
    if version < floor:
        with pytest.raises(RollbackRefusedError):
            workflow.accept_timestamp(state, data)
    else:
        assert workflow.accept_timestamp(state, data).versions[TIMESTAMP] == version


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_raise_anything_but_our_errors(data: bytes) -> None:
    with pytest.raises(SealiftError):
        workflow.start(data)
