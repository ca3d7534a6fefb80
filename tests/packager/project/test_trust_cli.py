"""A project file that nobody named, in a folder that somebody else made, does no harm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealift_core.signing.keys import PrivateKey
from sealift_core.terminal.logging_options import NAMES as LOGGING
from sealift_packager.cli.config import key_of
from sealift_packager.cli.pack import pack as pack_command
from sealift_packager.project.unasked import HARMLESS
from support import trained
from support.cli import Ran, call, run
from support.workshop import assert_refused, refused_as_json

#: What is harmless, and packs.
HARMLESS_TOML = """
[pack]
model = "net.onnx"
name = "net"
version = "1.0.0"
profile = ["arm64-dotprod"]
out = "release"
data = "net.npz"
target = "{target}"
metric = "accuracy"
max-drop = 0.05
no-cache = true
"""

#: A function that leaves a trace wherever it is imported from.
TRACE = "open('was-run', 'w').close()\ndef rows():\n    raise SystemExit\ndef score(a, b):\n    return 0.0\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a model, its data, a key, a module, and a sealift.toml that asks for nothing dangerous."""
    what = trained.onnx_net()
    (tmp_path / "net.onnx").write_bytes(what.model.read_bytes())
    (tmp_path / "net.npz").write_bytes(what.data.read_bytes())
    PrivateKey.generate().save(tmp_path / "key.pem")
    (tmp_path / "evil.py").write_text(TRACE)
    (tmp_path / "sealift.toml").write_text(HARMLESS_TOML.format(target=what.target))
    return tmp_path


def sealift(checkout: Path, *words: object) -> Ran:
    return call("sealift", *words, cwd=checkout)


def set_line(checkout: Path, line: str) -> None:
    """Put a setting into the table, instead of the one of its key."""
    key = line.split(" =", maxsplit=1)[0]
    kept = [text_line for text_line in (checkout / "sealift.toml").read_text().splitlines() if not text_line.startswith(f"{key} =")]
    (checkout / "sealift.toml").write_text("\n".join([*kept, line]) + "\n")


def test_harmless_settings_of_a_file_that_nobody_named_are_taken(checkout: Path) -> None:
    assert sealift(checkout, "pack", "--json").ok().json["name"] == "net"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("trust-pickle = true", "trust-pickle"),
        ('key = "key.pem"', "key"),
        ("force = true", "force"),
        ("locked = true", "locked"),
        ("no-sandbox = true", "no-sandbox"),
        ('factory = "evil.py:rows"', "factory"),
        ('metric = "evil.py:score"', "metric (may name a function)"),
        ('metric = "evil:score"', "metric (may name a function)"),
        ('data = "evil.py:rows"', "data (may name a function)"),
        ('data = "evil:rows"', "data (may name a function)"),
        ('golden-from = "evil:rows"', "golden-from (may name a function)"),
        ('measure-on = ["http://10.0.0.1:8470"]', "measure-on"),
        ('passphrase-file = ["word"]', "passphrase-file"),
        ('out = "../release"', "out (a path outside the folder)"),
        ('out = "/tmp/release"', "out (a path outside the folder)"),
        ('lock = "../sealift.lock"', "lock (a path outside the folder)"),
        ('report = ".."', "report (a path outside the folder)"),
        ('model = "/etc/hostname"', "model (a path outside the folder)"),
        ('golden-from = "../private.csv"', "golden-from (a path outside the folder)"),
        ('profile = ["arm64-dotprod", "../mine.toml"]', "profile (a path outside the folder)"),
        ('out = "link/release"', "out (a path outside the folder)"),
    ],
)
def test_a_setting_that_could_do_harm_is_refused_by_its_name(checkout: Path, line: str, message: str) -> None:
    (checkout / "link").symlink_to("/tmp")
    set_line(checkout, line)
    done = sealift(checkout, "pack")
    assert_refused(
        done, 3, "error: sealift.toml: this project file was found, not named", f"found {message}. ", "--config sealift.toml", "--trust-project"
    )
    assert not (checkout / "was-run").exists()
    assert not (checkout / "release").exists()


def test_all_refused_settings_are_named_at_once_and_as_json(checkout: Path) -> None:
    set_line(checkout, 'key = "key.pem"')
    set_line(checkout, "force = true")
    assert "found key, force." in refused_as_json(sealift(checkout, "pack", "--json"), 3, "UntrustedProjectError")


@pytest.mark.parametrize("consent", [("--config", "sealift.toml"), ("--trust-project",)])
def test_the_same_file_makes_every_setting_once_it_is_named_or_trusted(checkout: Path, consent: tuple[str, ...]) -> None:
    set_line(checkout, 'key = "key.pem"')
    assert sealift(checkout, "pack", *consent, "--json").ok().json["signed_by"] == PrivateKey.load(checkout / "key.pem").public_key.fingerprint


def test_a_file_can_not_trust_itself(checkout: Path) -> None:
    set_line(checkout, "trust-project = true")
    assert_refused(sealift(checkout, "pack"), 3, "trust-project: unknown field")
    assert_refused(sealift(checkout, "pack", "--config", "sealift.toml"), 3, "trust-project: unknown field")


def test_a_misspelt_setting_is_still_called_misspelt(checkout: Path) -> None:
    set_line(checkout, "max_drop = 1")
    assert_refused(sealift(checkout, "pack"), 3, "Did you mean 'max-drop'?")


def test_every_option_is_refused_unless_it_is_on_the_list() -> None:
    dangerous = {key_of(parameter) for parameter in pack_command.params if parameter.name not in LOGGING} - set(HARMLESS)
    assert dangerous == {
        "config",
        "trust-project",
        "key",
        "passphrase-file",
        "trust-pickle",
        "factory",
        "force",
        "locked",
        "measure-on",
        "no-sandbox",
    }


def test_the_installed_command_imports_nothing_of_an_untrusted_folder(checkout: Path) -> None:
    for name in ("numpy", "click", "json", "onnx", "sitecustomize", "conftest"):
        (checkout / f"{name}.py").write_text(TRACE)
    set_line(checkout, 'metric = "evil:score"')
    assert run("sealift", "pack", cwd=checkout).code == 3
    set_line(checkout, 'metric = "accuracy"')
    run("sealift", "pack", cwd=checkout).ok()
    assert not (checkout / "was-run").exists()


@pytest.fixture
def project(checkout: Path) -> Path:
    """The same folder with a project.toml."""
    target = trained.onnx_net().target
    (checkout / "project.toml").write_text(
        f'[defaults]\nversion = "1.0.0"\nprofile = ["arm64-dotprod"]\n[models.net]\nmodel = "net.onnx"\ndata = "net.npz"\ntarget = "{target}"\n'
    )
    return checkout


def test_build_takes_harmless_settings_of_a_project_file_that_nobody_named(project: Path) -> None:
    assert sealift(project, "build", "--no-cache", "--json").ok().json[0]["error"] is None


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ("defaults", "trust-pickle = true", "trust-pickle"),
        ("defaults", 'key = "key.pem"', "key"),
        ("models.net", 'metric = "evil.py:score"', "metric (may name a function)"),
        ("models.net", 'measure-on = ["http://10.0.0.1:8470"]', "measure-on"),
        ("defaults", 'locks = "/tmp/locks"', "locks (a path outside the folder)"),
        ("defaults", 'out = ".."', "out (a path outside the folder)"),
    ],
)
def test_build_refuses_the_others_until_the_file_is_named(project: Path, table: str, line: str, message: str) -> None:
    file = project / "project.toml"
    file.write_text(file.read_text().replace(f"[{table}]\n", f"[{table}]\n{line}\n"))
    done = sealift(project, "build")
    assert_refused(
        done, 3, "error: project.toml: models.net: this project file was found, not named", f"found {message}. ", "sealift build project.toml"
    )
    assert not (project / "was-run").exists()
    assert not (project / "releases").exists()


@pytest.mark.parametrize(("link", "message"), [("releases", "out"), ("locks", "locks")])
def test_build_follows_no_link_of_the_folder_out_of_it(project: Path, link: str, message: str) -> None:
    (project / link).symlink_to("/tmp")
    assert_refused(sealift(project, "build"), 3, f"found {message} (a path outside the folder)")


@pytest.mark.parametrize("consent", ["project.toml", "--trust-project"])
def test_build_takes_them_from_a_named_or_trusted_file(project: Path, consent: str) -> None:
    file = project / "project.toml"
    file.write_text(file.read_text().replace("[defaults]\n", '[defaults]\nkey = "key.pem"\n'))
    done = sealift(project, "build", consent, "--no-cache", "--json").ok()
    assert json.loads(done.out)[0]["error"] is None
