"""What others wrote into a release, a profile or a file is shown by ``sealift``, and steers nobody's terminal."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corpus.texts import MARKUP, NASTY
from sealift_core.bundle.evaluation import CandidateRecord, Evaluation
from sealift_core.bundle.manifest import BundleManifest
from sealift_core.terminal.printable import printable
from sealift_packager.cli.console import plain_console
from sealift_packager.cli.progress import TerminalProgress
from sealift_packager.cli.tables import candidates_table
from sealift_packager.report.page import page
from support.cli import Ran, call
from support.models import make_bundle, make_manifest, make_profile, make_release, shared_key

EVIL = "calm\x1b[2J\x9b31m\u202e\u2066\nerror: forged\r\x07[red]x[/red]"
SHOWN = "calm\\x1b[2J\\x9b31m\\u202e\\u2066\\nerror: forged\\r\\x07[red]x[/red]"


def is_printable(text: str) -> bool:
    return printable(text, lines=True) == text


def record(name: str, size_bytes: int, reason: str, *, chosen: bool = False) -> CandidateRecord:
    return CandidateRecord(
        name=name, precision=name, size_bytes=size_bytes, accuracy=None, measurement=None, speedup=None, chosen=chosen, reason=reason
    )


def evil_evaluation(manifest: BundleManifest) -> Evaluation:
    records = (record(f"fp32{EVIL}", 9000, EVIL, chosen=True), record(f"int8{EVIL}", 5000, EVIL), record(f"fp16{EVIL}", 0, EVIL))
    return dataclasses.replace(manifest.evaluation, candidates=records, measured=EVIL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, a bundle, and a bundle that differs, all with evil texts wherever text is free."""
    folder = tmp_path_factory.mktemp("evil")
    plain = make_manifest()
    changes: dict[str, Any] = {
        "description": EVIL,
        "license": EVIL,
        "profile": make_profile(summary=EVIL),
        "evaluation": evil_evaluation(plain),
        "owners": dataclasses.replace(plain.owners, model=EVIL),
    }
    make_bundle(folder / "bundle", **changes)
    make_bundle(folder / "other", **(changes | {"description": f"{EVIL} other", "license": ""}))
    make_release(folder / "layout", folder / "bundle")
    (folder / "key.pub").write_bytes(shared_key().public_key.pem())
    return folder


def sealift(*words: object) -> Ran:
    done = call("sealift", *words)
    assert is_printable(done.out + done.err)
    assert not re.search(r"^error: forged", done.out + done.err, re.MULTILINE)
    return done


@pytest.mark.parametrize("what", ["layout", "bundle"])
def test_inspect_shows_a_bundle_s_texts_as_text(place: Path, what: str) -> None:
    done = sealift("inspect", place / what).ok()
    assert f"linear 1.0.0 for any-cpu ({SHOWN})" in done.out
    assert json.loads(sealift("inspect", place / what, "--json").ok().out)[0]["manifest"]["description"] == EVIL


def test_explain_says_each_sentence_on_one_line(place: Path) -> None:
    lines = sealift("explain", place / "layout").ok().out.splitlines()
    assert lines[0] == f"linear 1.0.0 ships fp32{SHOWN} for any-cpu ({SHOWN}), because it is {SHOWN}."


def test_diff_shows_both_values_as_text(place: Path) -> None:
    done = sealift("diff", place / "bundle", place / "other")
    assert done.code == 8
    assert "bundle.json  $.license" in done.out
    assert all(re.match(r"(bundle\.json|MODEL_CARD\.md|model\.sig)  |    [ab]: ", line) for line in done.out.splitlines())


def test_verify_names_a_file_that_does_not_belong_there_on_one_line(place: Path, tmp_path: Path) -> None:
    sealift("verify", place / "layout", "--public-key", place / "key.pub").ok()
    shutil.copytree(place / "bundle", tmp_path / "bundle")
    (tmp_path / "bundle" / "x\x1b[2J\nerror: forged").write_text("")
    done = sealift("verify", tmp_path / "bundle", "--public-key", place / "key.pub")
    assert done.code in (3, 4)
    assert len(done.err.splitlines()) == 1


def test_a_repository_s_status_has_one_line_for_each_thing(place: Path, tmp_path: Path) -> None:
    repository = tmp_path / "re\x1b[31mpo\nerror: forged"
    assert "re\\x1b[31mpo\\nerror: forged" in sealift("repo", "init", repository).ok().out
    sealift("repo", "add", repository, place / "layout").ok()
    sealift("repo", "promote", repository, "linear", "1.0.0", "--channel", "stable").ok()
    assert len(sealift("repo", "status", repository).ok().out.splitlines()) == 11
    sealift("repo", "status", tmp_path / "no\x1b[31mne")


def test_a_profile_s_summary_is_shown_on_one_line(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "corpus" / "profiles" / "good.toml").read_text(encoding="utf-8")
    summary = EVIL.encode("unicode_escape").decode().replace("\\x", "\\u00")
    (tmp_path / "evil.toml").write_text(re.sub(r"^summary = .*$", lambda _: f'summary = "{summary}"', text, flags=re.MULTILINE), encoding="utf-8")
    done = sealift("profiles", "show", tmp_path / "evil.toml").ok()
    assert done.out.splitlines()[0].endswith(f": {SHOWN}")
    sealift("profiles", "check", tmp_path / "evil.toml")


def test_a_wrong_value_in_a_profile_is_quoted_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad\x1b[31m.toml").write_text('name = "\\u001b[2J\\nx"\n"\\u202e" = 1', encoding="utf-8")
    done = sealift("profiles", "check", tmp_path / "bad\x1b[31m.toml")
    assert done.code == 3
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("name", [name for name in NASTY if "half" not in name])
def test_a_member_of_an_archive_is_named_as_text(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr(f"{NASTY[name][0]}.npy".replace("\0", ""), b"no array")
    (tmp_path / "model.onnx").write_bytes(b"")
    words = ["--name", "m", "--version", "1.0.0", "--profile", "x86-64-avx2", "--out", tmp_path / "out", "--data", tmp_path / "data.npz"]
    done = sealift("pack", tmp_path / "model.onnx", *words)
    assert done.code == 3
    assert len(done.err.splitlines()) == 1


def test_the_words_of_a_command_line_are_quoted_without_their_controls(tmp_path: Path) -> None:
    assert sealift("inspect", "--\x1b[31m").code == 2
    assert sealift("insp\x1b[31mect").code == 2
    assert sealift("keys", "generate", tmp_path / "a\x1b[31mb").ok().out.startswith(f"{tmp_path}/a\\x1b[31mb\n")


@pytest.mark.parametrize("text", [*MARKUP, *(text for text, _ in NASTY.values())])
@pytest.mark.parametrize("width", [80, 150])
def test_the_table_of_candidates_shows_markup_as_text_and_stays_a_table(text: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    manifest = make_manifest()
    records = (record("fp32", 9000, text, chosen=True), record("int8", 0, text))
    shown = dataclasses.replace(manifest, evaluation=dataclasses.replace(manifest.evaluation, candidates=records))
    lines = candidates_table(shown)
    assert all(printable(line) == line for line in lines)
    squeezed = re.sub(r"[\s│]", "", "".join(lines))
    assert re.sub(r"\s", "", printable(text)) in squeezed


@pytest.mark.parametrize("text", [*MARKUP, EVIL])
def test_progress_shows_a_title_as_text(text: str) -> None:
    stream = io.StringIO()
    progress = TerminalProgress(plain_console(stream, width=200))
    with progress.stage(text):
        pass
    progress.cached(text)
    assert is_printable(stream.getvalue())
    assert [line.startswith(f"✓ {printable(text)} ") for line in stream.getvalue().splitlines()] == [True, True]


def test_the_report_s_page_shows_an_evil_name_as_text() -> None:
    candidate = {
        "name": EVIL, "precision": EVIL, "chosen": True, "reason": EVIL, "size_bytes": 1, "accuracy": None, "latency_ms": None, "speedup": None,
        "throughput": None, "peak_memory_bytes": None, "load_time_ms": None,
        "node_errors": [{"node": f"<script>{EVIL}", "relative_squared_error": 0.1, "reverted": False}],
    }  # fmt: skip
    profile = {"profile": EVIL, "summary": EVIL, "measured": EVIL, "why": [EVIL, EVIL], "candidates": [candidate]}
    facts = {
        "name": EVIL, "version": EVIL, "description": EVIL, "created": "now", "digest": "d", "signed_by": None, "notes": [EVIL],
        "source": {"framework": EVIL, "digest": "d"}, "tools": {EVIL: EVIL}, "profiles": [profile, profile],
    }  # fmt: skip
    text = page(facts)
    assert is_printable(text)
    assert "<script" not in text
