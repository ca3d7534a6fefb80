"""install.sh and the vendor's key: what isn't signed by it is never run, whatever else on the medium was made to fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec

from sealift_core.signing.keys import PrivateKey
from sealift_packager.cli.kit import kit as kit_command
from sealift_packager.cli.repo import repo
from support.models import make_bundle, make_release
from support.wheels import AGENT, write_agent_wheels, write_wheel

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="install.sh checks signatures with openssl")
NOBODY = 65534
#: What install.sh says once every check of the medium has passed, on a machine without Python.
CHECKED = "there is no python3 on this machine"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor's workplace: a repository, wheels, a key and its public half."""

    folder: Path
    key: PrivateKey

    def kit(self, out: Path, key: Path | None = None) -> Path:
        words = ["build", "--repo", str(self.folder / "repo"), "--out", str(out), "--wheels", str(self.folder / "wheels"), "--json"]
        result = CliRunner().invoke(kit_command, [*words, *(["--key", str(key)] if key else [])], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        signed_by = json.loads(result.stdout[result.stdout.index("{") :])["signed_by"]
        assert (signed_by is not None) == (key is not None)
        return out


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Vendor:
    folder = tmp_path_factory.mktemp("vendor")
    make_bundle(folder / "bundle")
    make_release(folder / "layout", folder / "bundle")
    directory = str(folder / "repo")
    for words in (["init", directory], ["add", directory, str(folder / "layout")], ["promote", directory, "linear", "1.0.0", "--channel", "stable"]):
        assert CliRunner().invoke(repo, words, catch_exceptions=False).exit_code == 0
    write_agent_wheels(folder / "wheels")
    return Vendor(folder=folder, key=keys(folder, "vendor"))


def keys(folder: Path, name: str, key: PrivateKey | None = None) -> PrivateKey:
    key = key or PrivateKey.generate()
    key.save(folder / f"{name}.pem")
    (folder / f"{name}.pub").write_bytes(key.public_key.pem())
    return key


@pytest.fixture(scope="module")
def signed(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vendor.kit(tmp_path_factory.mktemp("signed") / "kit", vendor.folder / "vendor.pem")


@pytest.fixture
def medium(signed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(signed, tmp_path / "kit")


def install(
    medium: Path, tmp_path: Path, *words: str | Path, path: str | None = None, user: int | None = None, python: str = "no-such-python"
) -> subprocess.CompletedProcess[str]:
    """Run install.sh; without a Python it comes as far as `CHECKED`, which saves the time of an installation."""
    keep = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    network = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    env = {**keep, **network, "PATH": path or os.environ["PATH"], "PYTHON": python, "AGENT_CALLS": str(tmp_path / "calls")}
    command = ["sh", str(medium / "install.sh"), "--prefix", str(tmp_path / "agent"), *(str(word) for word in words)]
    return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120, user=user)


def make_sums_fit(medium: Path) -> None:
    """What somebody does who changes a medium and knows the format."""
    paths = sorted(path for path in medium.rglob("*") if path.is_file() and not path.name.startswith("SHA256SUMS"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(medium).as_posix()}\n" for path in paths]
    (medium / "SHA256SUMS").write_text("".join(lines))


def assert_nothing_ran(result: subprocess.CompletedProcess[str], tmp_path: Path, message: str) -> None:
    assert result.returncode == 1
    assert re.search(message, result.stderr), result.stderr
    assert "nothing was installed" in result.stderr
    assert not (tmp_path / "agent").exists()
    assert not (tmp_path / "calls").exists()


@pytest.mark.long
def test_a_kit_that_the_key_signed_is_installed_and_the_key_is_kept(vendor: Vendor, medium: Path, tmp_path: Path) -> None:
    result = install(medium, tmp_path, "--key", vendor.folder / "vendor.pub", python=sys.executable)
    assert result.returncode == 0, result.stderr
    assert "warning" not in result.stderr
    assert (tmp_path / "agent/kit-key.pub").read_bytes() == vendor.key.public_key.pem()
    assert not list((tmp_path / "agent").rglob(".wheels*"))
    assert json.loads((tmp_path / "calls").read_text())[0] == "init"


def test_a_p384_key_signs_as_well(vendor: Vendor, tmp_path: Path) -> None:
    keys(tmp_path, "p384", PrivateKey(ec.generate_private_key(ec.SECP384R1())))
    kit = vendor.kit(tmp_path / "kit", tmp_path / "p384.pem")
    assert "openssl dgst -sha384" in (kit / "README.txt").read_text()
    assert CHECKED in install(kit, tmp_path, "--key", tmp_path / "p384.pub").stderr


@pytest.mark.parametrize("change", ["wheel", "requirements", "installer", "extra wheel", "root", "sums alone"])
def test_a_medium_that_was_changed_and_made_to_fit_is_refused(vendor: Vendor, medium: Path, tmp_path: Path, change: str) -> None:
    if change == "wheel":
        next((medium / "wheels").glob("sealift*")).unlink()
        write_wheel(medium / "wheels", "sealift-runtime", "9.9.9", {"recording_agent.py": AGENT + "# changed\n"})
    elif change == "extra wheel":
        write_wheel(medium / "wheels", "sealift-runtime", "10.0.0", {})
    elif change == "sums alone":
        (medium / "SHA256SUMS").write_text((medium / "SHA256SUMS").read_text() + f"{'0' * 64}  extra\n")
    else:
        name = {"requirements": f"requirements-3.{sys.version_info.minor}.txt", "installer": "install.sh", "root": "root.json"}[change]
        (medium / name).write_bytes((medium / name).read_bytes() + b"\n# changed\n")
    if change != "sums alone":
        make_sums_fit(medium)
    assert_nothing_ran(install(medium, tmp_path, "--key", vendor.folder / "vendor.pub"), tmp_path, "isn't signed by the key")


def test_sums_without_a_signature_are_refused_where_a_key_is_given(vendor: Vendor, medium: Path, tmp_path: Path) -> None:
    (medium / "SHA256SUMS.sig").unlink()
    assert_nothing_ran(install(medium, tmp_path, "--key", vendor.folder / "vendor.pub"), tmp_path, "this kit isn't signed, but it must be")


def test_another_vendors_kit_is_refused(vendor: Vendor, tmp_path: Path) -> None:
    keys(tmp_path, "other")
    kit = vendor.kit(tmp_path / "kit", tmp_path / "other.pem")
    assert_nothing_ran(install(kit, tmp_path, "--key", vendor.folder / "vendor.pub"), tmp_path, "isn't signed by the key")


@pytest.mark.parametrize("given", ["vendor.pem", "missing.pub"])
def test_a_key_that_is_none_is_named(vendor: Vendor, medium: Path, tmp_path: Path, given: str) -> None:
    result = install(medium, tmp_path, "--key", vendor.folder / given)
    assert result.returncode == 1
    assert re.search(r"isn't a public key in PEM form|no such key file", result.stderr)
    assert not (tmp_path / "agent").exists()


def test_without_a_key_it_says_what_that_leaves_open(medium: Path, tmp_path: Path) -> None:
    result = install(medium, tmp_path)
    assert "warning: no --key was given, so only damage is ruled out" in result.stderr
    assert "Pass --key FILE" in result.stderr
    assert CHECKED in result.stderr


def test_an_agent_installed_with_a_key_takes_no_other_kits(vendor: Vendor, medium: Path, tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    shutil.copy(vendor.folder / "vendor.pub", tmp_path / "agent/kit-key.pub")
    assert CHECKED in install(medium, tmp_path).stderr, "the key is known by now"
    unsigned = install(vendor.kit(tmp_path / "unsigned"), tmp_path)
    assert unsigned.returncode == 1
    assert "kit-key.pub (kept from an earlier --key); nothing was installed" in unsigned.stderr
    keys(tmp_path, "new")
    renewed = vendor.kit(tmp_path / "renewed", tmp_path / "new.pem")
    assert CHECKED not in install(renewed, tmp_path).stderr
    assert CHECKED in install(renewed, tmp_path, "--key", tmp_path / "new.pub").stderr


def test_a_machine_without_openssl_is_told_so(vendor: Vendor, medium: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "sha256sum", "dirname", "mktemp", "find", "head", "cp", "rm", "grep", "cut", "uname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    result = install(medium, tmp_path, "--key", vendor.folder / "vendor.pub", path=str(tools))
    assert result.returncode == 1
    assert "openssl is missing" in result.stderr
    assert not (tmp_path / "agent").exists()


def test_the_commands_of_the_readme_check_the_signature(vendor: Vendor, medium: Path) -> None:
    shutil.copy(vendor.folder / "vendor.pub", medium)
    lines = [line.strip() for line in (medium / "README.txt").read_text().splitlines()]
    command = next(line for line in lines if line.startswith("openssl"))
    assert subprocess.run(command, shell=True, cwd=medium, capture_output=True, text=True, check=False).stdout == "Verified OK\n"
    assert f"sha256sum vendor.pub      {vendor.key.public_key.fingerprint}" in lines


@pytest.mark.parametrize("fault", ["link", "pipe", "folder link"])
@pytest.mark.parametrize("name", ["root.json", "wheels", "repository/metadata/timestamp.json", "SHA256SUMS"])
def test_what_is_no_file_keeps_nobody_waiting(medium: Path, tmp_path: Path, name: str, fault: str) -> None:
    (medium / name).rename(tmp_path / "away")
    if fault == "link":
        (medium / name).symlink_to("/dev/zero")
    elif fault == "pipe":
        os.mkfifo(medium / name)
    else:
        (medium / name).symlink_to(tmp_path / "away")
    assert_nothing_ran(install(medium, tmp_path), tmp_path, f"{name} is neither a file nor a folder")


def test_an_endless_file_is_refused_before_it_is_read(medium: Path, tmp_path: Path) -> None:
    os.truncate(next((medium / "wheels").glob("onnx*")), 10**12)
    assert_nothing_ran(install(medium, tmp_path), tmp_path, r"onnxruntime-.*is larger than any file of this kit")


def test_a_file_name_is_never_an_option(medium: Path, tmp_path: Path) -> None:
    (medium / "-delete").write_text("")
    assert CHECKED in install(medium, tmp_path).stderr
    assert (medium / "root.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; the other tests run as whoever runs them")
def test_who_is_not_root_has_the_same_checks(vendor: Vendor, medium: Path, tmp_path: Path) -> None:
    site = Path("/tmp") / f"sealift-site-{os.getpid()}"  # the folders of tests are their owner's alone
    try:
        shutil.copytree(medium, site / "kit")
        shutil.copy(vendor.folder / "vendor.pub", site)
        (site / "home").mkdir()
        os.chown(site / "home", NOBODY, NOBODY)
        site.chmod(0o755)
        words = ("--key", site / "vendor.pub")
        assert CHECKED in install(site / "kit", site / "home", *words, user=NOBODY).stderr
        write_wheel(site / "kit/wheels", "sealift-runtime", "10.0.0", {})
        make_sums_fit(site / "kit")
        assert_nothing_ran(install(site / "kit", site / "home", *words, user=NOBODY), site / "home", "isn't signed by the key")
    finally:
        shutil.rmtree(site, ignore_errors=True)
