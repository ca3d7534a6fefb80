"""Releases and channels: who may sign which, and what a channel points to."""

from __future__ import annotations

import pytest

from sealift_core.errors import DocumentError, IntegrityError, TrustError
from sealift_core.messages.channel import Channel
from sealift_runtime.trust.targets import TrustedTargets
from support.repositories import Repository
from support.trusting import first


def test_a_channel_key_can_make_no_release(repository: Repository) -> None:
    target = next(iter(_with_release(repository).targets.signed.targets.values()))
    repository.channels.signed.targets["releases/linear/9.0.0"] = target
    repository.publish_targets()
    targets = TrustedTargets.of(first(repository))
    assert set(targets.releases) == {"releases/linear/1.0.0"}


def test_the_targets_key_alone_moves_no_channel(repository: Repository) -> None:
    _with_release(repository)
    repository.targets.signed.targets["channels/beta.json"] = repository.channels.signed.targets["channels/stable.json"]
    repository.publish_targets()
    with pytest.raises(TrustError, match="no such channel: expected one of stable, found 'beta'"):
        TrustedTargets.of(first(repository)).channel("beta")


def _with_release(repository: Repository) -> Repository:
    repository.add_release("1.0.0")
    return repository


def _channel(repository: Repository, targets: TrustedTargets) -> bytes:
    return repository.layout.read(targets.channel("stable").digest)


def test_a_channel_points_to_releases_by_digest(repository: Repository) -> None:
    targets = TrustedTargets.of(first(_with_release(repository)))
    version, release = targets.resolve("stable", _channel(repository, targets))["linear"]
    assert version == "1.0.0"
    assert repository.layout.has(release.digest)


def test_a_channel_with_one_unknown_release_is_refused_whole(repository: Repository) -> None:
    _with_release(repository).promote("2.0.0", name="other")
    targets = TrustedTargets.of(first(repository))
    with pytest.raises(
        TrustError,
        match=r"channels/stable.json: the channel names a release that isn't signed by the repository's targets key: found releases/other/2.0.0",
    ):
        targets.resolve("stable", _channel(repository, targets))


def test_other_channel_bytes_than_were_signed_are_refused(repository: Repository) -> None:
    targets = TrustedTargets.of(first(_with_release(repository)))
    with pytest.raises(IntegrityError, match=r"channels/stable.json"):
        targets.resolve("stable", Channel(models={"linear": "0.9.0"}).to_bytes())


def test_document_errors_of_a_signed_channel_name_it(repository: Repository) -> None:
    _with_release(repository)
    repository.channel_models["stable"]["linear"] = "not a version"
    repository._write_channel("stable")
    repository.publish_targets()
    targets = TrustedTargets.of(first(repository))
    with pytest.raises(DocumentError, match=r"channels/stable.json"):
        targets.resolve("stable", _channel(repository, targets))
