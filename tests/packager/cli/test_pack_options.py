"""sealift.toml, --locked, the cache and the report, as a user meets them."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sealift_core.errors import DocumentError, SealiftError
from sealift_packager.cli import cli
from sealift_packager.cli.config import read_config
from sealift_packager.cli.pack import pack as pack_command
from sealift_packager.errors import PackagerError
from support import trained

TOML = """
[pack]
model = "cancer.joblib"
name = "cancer"
version = "1.0.0"
profile = ["arm64-dotprod", "x86-64-avx2"]
out = "release"
data = "cancer.csv"
target = "diagnosis"
trust-pickle = true
seed = 3
max-drop = 0.02
report = "report"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its data and a sealift.toml."""
    (tmp_path / "cancer.joblib").write_bytes(trained.cancer().model.read_bytes())
    (tmp_path / "cancer.csv").write_bytes(trained.cancer().data.read_bytes())
    (tmp_path / "sealift.toml").write_text(TOML)
    monkeypatch.setenv("SEALIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path


def sealift(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)])


@pytest.mark.long
def test_pack_does_what_a_trusted_file_says_and_the_command_line_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    done = sealift("pack", "--trust-project", "--json", "--version", "2.0.0")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["version"] == "2.0.0"
    assert {bundle["profile"] for bundle in result["bundles"]} == {"arm64-dotprod", "x86-64-avx2"}
    assert {"release", "report", "sealift.lock", "cache"} <= {path.name for path in project.iterdir()}
    facts = json.loads((project / "report" / "report.json").read_text())
    check_page((project / "report" / "report.html").read_text(), facts)
    from_elsewhere = sealift("pack", "--config", project / "sealift.toml", "--force", "--locked", "--version", "2.0.0", "--json")
    assert json.loads(from_elsewhere.stdout)["digest"] == result["digest"]
    assert sealift("diff", project / "release", project / "release").exit_code == 0
    explanation = sealift("explain", project / "release", "--profile", "arm64-dotprod")
    assert "for arm64-dotprod" in explanation.output
    assert "was not chosen" in explanation.output


class Page(HTMLParser):
    """What a page has: its tags, and what it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def check_page(text: str, facts: dict[str, Any]) -> None:
    """It loads nothing, draws plots, and says what the facts say."""
    page = Page(text)
    assert all(link.startswith("#") for link in page.links)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("svg") >= 5
    for profile in facts["profiles"]:
        assert profile["profile"] in text
        assert sum(candidate["chosen"] for candidate in profile["candidates"]) == 1
        assert profile["why"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pack]\nmax_drop = 1", "Did you mean 'max-drop'?"),
        ("[pack]\nprofil = []", "Did you mean 'profile'?"),
        ("[pak]\n", "Did you mean 'pack'?"),
        ("[pack]\nseed = '3'", "seed: wrong type"),
        ("[pack]\nforce = 1", "force: wrong type"),
        ("[pack]\nprofile = 'x'", "profile: wrong type"),
        ("[pack]\nconfig = 'x'", "unknown field"),
        ("[pack", "not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_config(text.encode(), Path("sealift.toml"), pack_command.params)
    assert message in str(error.value)


@pytest.mark.long
def test_two_models_packed_into_one_folder_have_a_lock_each(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "sealift.toml").unlink()
    monkeypatch.chdir(project)
    words = ["cancer.joblib", "--trust-pickle", "--version", "1.0.0", "--profile", "arm64-dotprod", "--json"]
    done = [sealift("pack", *words, "--name", name, "--out", f"releases/{name}") for name in ("cancer", "churn")]
    assert [json.loads(run.stdout)["lock"] for run in done] == [str(project / "releases" / name) for name in ("cancer.lock", "churn.lock")]
    assert json.loads(sealift("pack", *words, "--name", "churn", "--out", "releases/churn", "--force", "--locked").stdout) == json.loads(
        done[1].stdout
    )


def test_every_option_can_stand_in_the_file_and_paths_are_meant_from_its_folder() -> None:
    text = b"[pack]\nkey = 'k.pem'\nmetric = 'mine.py:score'\nprofile = ['a', './b.toml']\njson = true"
    values = read_config(text, Path("/x/sealift.toml"), pack_command.params)
    assert values == {"key": "/x/k.pem", "metric": "/x/mine.py:score", "profiles": ["a", "/x/b.toml"], "as_json": True}


def test_a_named_file_that_is_not_there_and_a_missing_option_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(sealift("pack", "--config", tmp_path / "none.toml").exception, PackagerError)
    (tmp_path / "sealift.toml").write_text("[pack]\nname = 'a'\n")
    done = sealift("pack")
    assert done.exit_code == 2
    assert "MODEL" in done.output


def test_locked_without_a_lock_is_an_error(project: Path) -> None:
    done = sealift("pack", "--config", project / "sealift.toml", "--locked")
    assert isinstance(done.exception, SealiftError)
    assert "sealift.lock" in str(done.exception)


def test_no_cache_keeps_nothing(project: Path) -> None:
    done = sealift("pack", "--config", project / "sealift.toml", "--no-cache", "--profile", "arm64-dotprod")
    assert done.exit_code == 0
    assert not (project / "cache").exists()
