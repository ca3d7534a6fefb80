"""What a kit holds, what is refused, and that a medium is whole or absent."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.errors import DiskFullError, IntegrityError
from sealift_core.messages.channel import Channel
from sealift_core.messages.kit import KitContents
from sealift_core.signing.keys import PrivateKey
from sealift_packager.errors import KitError, OutputError
from sealift_packager.kit.build import Kit, KitRequest, build_kit, check_fat_names
from sealift_packager.kit.selection import choose_releases
from sealift_packager.kit.wheels import WheelRequest
from sealift_packager.repository import channels, publisher
from sealift_packager.repository.intake import check_release
from sealift_packager.repository.keyring import KeyRing
from sealift_packager.repository.publisher import Repository
from sealift_packager.repository.roles import Expiry
from sealift_packager.repository.status import repository_status
from support.models import make_bundle, make_profile, make_release
from support.odd_files import replace_file
from support.small_disk import small_disk
from support.wheels import write_agent_wheels

NOW = datetime.datetime(2026, 1, 31, 12, 0, 0, tzinfo=datetime.UTC)
KEY = PrivateKey.generate()
CHANNELS = {"stable": Channel(models={"a": "1.0.0", "b": "2.0.0"}), "beta": Channel(models={"a": "1.1.0"}), "empty": Channel(models={})}
PUBLISHED = [("a", "1.0.0"), ("a", "1.1.0"), ("b", "2.0.0")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository of three releases, its keys, and wheels."""
    folder = tmp_path_factory.mktemp("site")
    repository, ring = publisher.init(folder / "repo", folder / "keys", expiry=Expiry(), now=NOW), KeyRing(folder / "keys")
    for name, version, model in (("a", "1.0.0", "linear"), ("a", "1.1.0", "linear"), ("b", "2.0.0", "pair")):
        parts = [folder / f"{name}-{version}-{profile}" for profile in ("one", "two")]
        for part, profile in zip(parts, ("one", "two"), strict=True):
            make_bundle(part, model=model, name=name, version=version, profile=make_profile(profile))
        make_release(folder / f"{name}-{version}", *parts)
        publisher.add(repository, check_release(folder / f"{name}-{version}", None), ring, expiry=Expiry(), now=NOW)
    for name, version, channel in (("a", "1.0.0", "stable"), ("b", "2.0.0", "stable"), ("a", "1.1.0", "beta")):
        channels.promote(repository, name, version, channel, ring, expiry=Expiry(), now=NOW, new=True)
    publisher.refresh(repository, ring, ("root",), expiry=Expiry(), now=NOW)
    write_agent_wheels(folder / "wheels")
    return folder


def build(site: Path, out: Path, *channels: str, models: tuple[str, ...] = (), version: str | None = None, now: datetime.datetime = NOW) -> Kit:
    wheels = WheelRequest(folder=site / "wheels")
    request = KitRequest(repository=site / "repo", out=out, channels=channels or ("stable",), wheels=wheels, models=models, version=version, key=KEY)
    return build_kit(request, now=now)


def test_a_kit_names_the_key_of_the_site_s_hub(site: Path, tmp_path: Path) -> None:
    wheels = WheelRequest(folder=site / "wheels")
    made = build_kit(KitRequest(repository=site / "repo", out=tmp_path / "kit", channels=("stable",), wheels=wheels, hub_key="5" * 64), now=NOW)
    assert f"hub_key='{'5' * 64}'" in (made.directory / "install.sh").read_text()
    with pytest.raises(KitError, match="--hub-key: not the fingerprint of a key: expected 64 hex digits, as `sealift-hub init` prints them"):
        build_kit(KitRequest(repository=site / "repo", out=tmp_path / "other", channels=("stable",), wheels=wheels, hub_key="x"), now=NOW)


def test_a_kit_has_all_that_a_site_needs_and_nothing_else(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit")
    requirements = f"requirements-3.{sys.version_info.minor}.txt"
    names = {"README.txt", "SHA256SUMS", "SHA256SUMS.sig", "install.sh", "repository", requirements, "root.json", "wheels"}
    assert {path.name for path in kit.directory.iterdir()} == names
    assert kit.selection.releases == (("a", "1.0.0"), ("b", "2.0.0"))
    assert (kit.directory / "root.json").read_bytes() == (site / "repo/metadata/root.json").read_bytes()
    assert not any(path.is_symlink() for path in kit.directory.rglob("*"))
    assert kit.files == sum(1 for path in kit.directory.rglob("*") if path.is_file())
    assert kit.size_bytes == sum(path.stat().st_size for path in kit.directory.rglob("*") if path.is_file())
    assert kit.warnings == ()


def test_every_other_file_is_in_sha256sums(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit")
    lines = [line.split("  ", 1) for line in (kit.directory / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    files = [path for path in kit.directory.rglob("*") if path.is_file()]
    digests = {path.relative_to(kit.directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert kit.sums.hex == digests.pop("SHA256SUMS")
    digests.pop("SHA256SUMS.sig")
    assert listed == digests


def test_the_repository_on_it_is_valid_and_has_only_the_blobs_of_its_releases(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit", models=("b",))
    copied = Repository(kit.directory / "repository")
    releases = {(release.name, release.version): release.missing_blobs for release in repository_status(copied, NOW).releases}
    assert releases[("b", "2.0.0")] == ()
    assert releases[("a", "1.0.0")]
    assert copied.read_metadata().roles().keys() == Repository(site / "repo").read_metadata().roles().keys()
    assert (copied.directory / "metadata/1.root.json").is_file()
    assert all(Digest.of_file(path).hex == path.name for path in copied.layout.blobs.iterdir())
    assert [entry.annotations["org.opencontainers.image.ref.name"] for entry in copied.layout.index()] == ["b:2.0.0"]
    said = KitContents.parse((copied.directory / "kit.json").read_bytes(), where="kit.json")
    assert said == KitContents(channels=("stable",), releases=(("b", "2.0.0"),))
    assert kit.selection.left_out == (("a", "1.0.0"),)


def test_blobs_are_copies_and_not_links(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit")
    assert all(path.stat().st_nlink == 1 for path in kit.directory.rglob("*") if path.is_file())


def test_a_kit_can_be_built_from_the_repository_of_a_kit(site: Path, tmp_path: Path) -> None:
    first = build(site, tmp_path / "first")
    wheels = WheelRequest(folder=first.directory / "wheels")
    request = KitRequest(repository=first.directory / "repository", out=tmp_path / "second", channels=("stable",), wheels=wheels, key=KEY)
    build_kit(request, now=NOW)
    assert (tmp_path / "second/SHA256SUMS").read_bytes() == (tmp_path / "first/SHA256SUMS").read_bytes()


def test_a_place_that_is_taken_is_refused_and_left_alone(site: Path, tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "photo.jpg").write_bytes(b"")
    with pytest.raises(OutputError, match="there is a file or folder at the kit.s path already"):
        build(site, tmp_path / "kit")
    assert [path.name for path in (tmp_path / "kit").iterdir()] == ["photo.jpg"]


def test_a_kit_can_be_built_at_the_root_of_an_empty_stick_which_can_be_neither_renamed_nor_replaced(site: Path, tmp_path: Path) -> None:
    expected = build(site, tmp_path / "kit")
    with small_disk(tmp_path / "stick", megabytes=64) as stick:
        (stick.directory / "System Volume Information").mkdir()
        made = build(site, stick.directory)
        assert (made.sums, made.files) == (expected.sums, expected.files)
        names = {path.name for path in stick.directory.iterdir()}
        assert names == {path.name for path in (tmp_path / "kit").iterdir()} | {"System Volume Information"}


def test_a_build_at_the_root_of_a_stick_that_fails_leaves_it_empty(site: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    with small_disk(tmp_path / "stick") as stick:
        request = KitRequest(repository=site / "repo", out=stick.directory, channels=("stable",), wheels=WheelRequest(folder=tmp_path / "wheels"))
        with pytest.raises(KitError, match="a wheel is missing"):
            build_kit(request, now=NOW)
        assert stick.names() == set()


def test_blobs_that_do_not_fit_on_the_medium_are_refused_before_the_first_is_copied(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Descriptor] = []
    monkeypatch.setattr(OciLayout, "copy_blob", lambda _, descriptor, __: copied.append(descriptor))
    with small_disk(tmp_path / "stick") as stick:
        stick.leave(8)
        with pytest.raises(DiskFullError, match="too little free space"):
            build(site, stick.directory / "kit")
        assert (copied, stick.names()) == ([], set())


def test_a_build_that_fails_leaves_nothing(site: Path, tmp_path: Path) -> None:
    request = KitRequest(repository=site / "repo", out=tmp_path / "kit", channels=("stable",), wheels=WheelRequest(folder=tmp_path))
    with pytest.raises(KitError, match="a wheel is missing"):
        build_kit(request, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_blob_never_gets_onto_a_medium(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site / "repo", tmp_path / "repo")
    victim = max((tmp_path / "repo/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    request = KitRequest(repository=tmp_path / "repo", out=tmp_path / "kit", channels=("stable", "beta"), wheels=WheelRequest(folder=site / "wheels"))
    with pytest.raises(IntegrityError, match="the content was changed"):
        build_kit(request, now=NOW)
    assert not (tmp_path / "kit").exists()


def test_metadata_that_soon_expires_gives_a_warning(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit", now=NOW + datetime.timedelta(days=29))
    assert kit.warnings == ("The repository's timestamp metadata: expires soon; `sealift repo refresh` signs it again.",)


def test_a_kit_without_a_signature_gives_a_warning(site: Path, tmp_path: Path) -> None:
    request = KitRequest(repository=site / "repo", out=tmp_path / "kit", channels=("stable",), wheels=WheelRequest(folder=site / "wheels"))
    assert build_kit(request, now=NOW).warnings == ("The kit isn't signed. Pass --key, so that the site can tell whether the agent was changed.",)
    assert not (tmp_path / "kit/SHA256SUMS.sig").exists()


def test_the_signature_over_sha256sums_is_by_the_key(site: Path, tmp_path: Path) -> None:
    kit = build(site, tmp_path / "kit")
    assert kit.signed_by == KEY.public_key
    KEY.public_key.verify((kit.directory / "SHA256SUMS.sig").read_bytes(), (kit.directory / "SHA256SUMS").read_bytes(), where="kit")


@pytest.mark.parametrize("fault", ["link", "pipe", "folder"])
def test_a_wheel_that_is_no_file_is_refused(site: Path, tmp_path: Path, fault: str) -> None:
    shutil.copytree(site / "wheels", tmp_path / "wheels")
    wheel = next((tmp_path / "wheels").glob("onnxruntime-*.whl"))
    replace_file(wheel, fault, tmp_path / "away")
    request = KitRequest(repository=site / "repo", out=tmp_path / "kit", channels=("stable",), wheels=WheelRequest(folder=tmp_path / "wheels"))
    with pytest.raises(IntegrityError, match=r"onnxruntime-.*not a regular file"):
        build_kit(request, now=NOW)
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize("size", [1, 10**12])
def test_a_blob_of_another_size_is_not_read(site: Path, tmp_path: Path, size: int) -> None:
    shutil.copytree(site / "repo", tmp_path / "repo")
    victim = max((tmp_path / "repo/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    os.truncate(victim, size)
    request = KitRequest(repository=tmp_path / "repo", out=tmp_path / "kit", channels=("stable", "beta"), wheels=WheelRequest(folder=site / "wheels"))
    with pytest.raises(IntegrityError, match=rf"the content was changed.*{size} bytes.*sealift repo add"):
        build_kit(request, now=NOW)


@pytest.mark.parametrize(
    ("requested", "models", "version", "expected"),
    [
        (["stable"], [], None, (("a", "1.0.0"), ("b", "2.0.0"))),
        (["stable", "beta"], [], None, (("a", "1.0.0"), ("a", "1.1.0"), ("b", "2.0.0"))),
        (["stable"], ["b"], None, (("b", "2.0.0"),)),
        (["stable"], ["a"], "1.1.0", (("a", "1.0.0"), ("a", "1.1.0"))),
        (["stable"], ["a"], "1.0.0", (("a", "1.0.0"),)),
        (["beta"], ["b"], "2.0.0", (("b", "2.0.0"),)),
    ],
)
def test_channels_models_and_a_version_choose_releases(
    requested: list[str], models: list[str], version: str | None, expected: tuple[tuple[str, str], ...]
) -> None:
    assert choose_releases(PUBLISHED, CHANNELS, requested, models, version) == expected


@pytest.mark.parametrize(
    ("requested", "models", "version", "message"),
    [
        (["stabel"], [], None, "stabel: no such channel.*Did you mean 'stable'"),
        (["empty"], [], None, "point to nothing"),
        (["stable"], ["bb"], None, "no channel points to this model"),
        (["stable"], ["a"], "1.2.0", "a 1.2.0: no such release.*Did you mean 'a 1.1.0'|Did you mean 'a 1.0.0'"),
        (["stable"], [], "1.1.0", "--version needs exactly one --model"),
        (["stable"], ["a", "b"], "1.1.0", "--version needs exactly one --model"),
    ],
)
def test_what_is_not_there_can_not_be_chosen(requested: list[str], models: list[str], version: str | None, message: str) -> None:
    with pytest.raises(KitError, match=message):
        choose_releases(PUBLISHED, CHANNELS, requested, models, version)


@pytest.mark.parametrize("path", ["a:b", "x/con", "x/NUL.txt", "trailing.", "trailing ", "star*", "tab\t", "a" * 256])
def test_a_name_that_fat_can_not_hold_is_refused(path: str) -> None:
    with pytest.raises(KitError, match="isn't allowed on FAT"):
        check_fat_names([path])


def test_names_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(KitError, match="can.t tell two file names apart"):
        check_fat_names(["wheels/A.whl", "wheels/a.whl"])


@settings(max_examples=30)  # names by an expression are slow to draw
@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9_+-]{0,20}\.(whl|json)", fullmatch=True), unique=True))
def test_the_names_that_kits_have_are_accepted(names: list[str]) -> None:
    with contextlib.suppress(KitError):
        check_fat_names(names)
        return
    assert any(name.split(".")[0] in {"con", "prn", "aux", "nul"} or name[:3] in {"com", "lpt"} for name in names)
