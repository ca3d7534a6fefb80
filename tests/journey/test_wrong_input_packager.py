"""What ``sealift`` says to a mistake: one message that names it, the documented exit code, and nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support import trained
from support.cli import BIN, Ran, call, run, run_argv
from support.small_disk import small_disk, with_small_files
from support.workshop import assert_refused, refused_as_json, workshop


def sealift(tmp_path: Path, *words: object, env: dict[str, str] | None = None) -> Ran:
    """Run it in ``tmp_path``; ``W:x`` names the workshop's x."""
    work = workshop()
    return call(
        "sealift", *(str(work / word[2:]) if isinstance(word, str) and word.startswith("W:") else word for word in words), cwd=tmp_path, env=env
    )


def pack(tmp_path: Path, *words: object, model: Path | str | None = None, trust: bool = True, env: dict[str, str] | None = None) -> Ran:
    """``sealift pack`` with words added, those that are given twice last."""
    given = {str(word) for word in words}
    fixed: list[object] = ["--name", "cancer", "--version", "1.0.0", "--out", "out"]
    fixed += [] if "--profile" in given else ["--profile", "x86-64-avx2"]
    fixed += ["--trust-pickle"] if trust else []
    return sealift(tmp_path, "pack", model or trained.cancer().model, *fixed, *words, env=env)


def table(tmp_path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The holdout file with its lines changed."""
    path = tmp_path / "holdout.csv"
    path.write_text("\n".join(change(trained.cancer().data.read_text().splitlines())) + "\n")
    return path


def test_a_model_file_that_is_missing(tmp_path: Path) -> None:
    assert_refused(
        pack(tmp_path, model="no.joblib"), 3, "error: no.joblib: no such model file: expected scikit-learn (joblib, pickle, skops)", "found nothing"
    )


def test_a_pickle_that_nobody_trusts(tmp_path: Path) -> None:
    message = "reading a joblib or pickle file runs the code in it. If you trust the file's source, pass --trust-pickle."
    assert_refused(pack(tmp_path, trust=False), 3, message)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "cut.joblib").write_bytes(trained.cancer().model.read_bytes()[:500])
    assert_refused(
        pack(tmp_path, model="cut.joblib"), 3, "cut.joblib: can't be unpickled", "expected a complete joblib or pickle file. The file may be cut off"
    )


def test_a_profile_that_nobody_knows_gets_the_nearest(tmp_path: Path) -> None:
    message = "error: x86-64-avx: no such hardware profile: expected one of arm64-baseline,"
    assert_refused(pack(tmp_path, "--profile", "x86-64-avx"), 3, message, "Did you mean 'x86-64-avx2'?")
    assert_refused(sealift(tmp_path, "profiles", "show", "x86-64-avx"), 3, message, "Did you mean 'x86-64-avx2'?")
    assert_refused(sealift(tmp_path, "profiles", "check", "./no.toml"), 3, "error: no.toml: the profile can't be read (No such file or directory)")


def test_a_column_that_is_misspelt_gets_the_nearest(tmp_path: Path) -> None:
    data = table(tmp_path, lambda lines: [lines[0].replace("mean radius", "mean radios"), *lines[1:]])
    message = "found missing mean radius; unexpected mean radios. mean radius: Did you mean 'mean radios'?\n"
    assert_refused(
        pack(tmp_path, "--data", data, "--target", "diagnosis"),
        3,
        "holdout.csv: the columns are not those of the model's inputs: expected mean radius, ",
        message,
    )


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    data = table(tmp_path, lambda lines: [line.partition(",")[2] for line in lines])
    assert_refused(pack(tmp_path, "--data", data, "--target", "diagnosis"), 3, "(30 in all), found missing mean radius\n")


def test_a_target_that_is_misspelt_gets_the_nearest(tmp_path: Path) -> None:
    assert_refused(pack(tmp_path, "--data", trained.cancer().data, "--target", "diagnosi"), 3, "no such target", "Did you mean 'diagnosis'?")


def test_text_where_numbers_are_needed_is_named(tmp_path: Path) -> None:
    data = table(tmp_path, lambda lines: [lines[0], "x," + lines[1].partition(",")[2], *lines[2:]])
    message = "the source model fails on the holdout: it takes numbers, not text: expected numbers, found mean radius: 'x' in row 0, among numbers. "
    assert_refused(pack(tmp_path, "--data", data, "--target", "diagnosis"), 3, message)


def test_data_without_rows(tmp_path: Path) -> None:
    data = table(tmp_path, lambda lines: lines[:1])
    assert_refused(pack(tmp_path, "--data", data, "--target", "diagnosis"), 3, "holdout.csv: the data has no rows: expected at least one row")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--data", "no.csv"],
            "error: no.csv: no such data file: expected a file ending in .npz, .csv, .tsv, .jsonl, .parquet, .feather or .arrow ",
        ),
        (["--metric", "accurracy", "--data", "no.csv"], "error: --metric: no such metric: expected accuracy, f1, auc,"),
        (["--max-drop", "-1", "--data", "no.csv"], "error: --max-drop: not a budget: expected a number from 0 up, found -1.0"),
        (["--key", "no.pem"], "error: no.pem: the key file can't be read (No such file or directory)"),
        (["--key", "W:bundle.pem.pub"], "not a PEM private key. This is a public key. Pass the private key."),
        (
            ["--key", "W:secret.pem"],
            "the key is encrypted and needs a passphrase. Pass --passphrase-file, set SEALIFT_KEY_PASSPHRASE, or run the command in a terminal.",
        ),
    ],
)
def test_an_option_of_pack_that_is_wrong(tmp_path: Path, words: list[str], message: str) -> None:
    assert_refused(pack(tmp_path, *words), 3, message)
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_that_is_wrong(tmp_path: Path) -> None:
    assert_refused(pack(tmp_path, "--key", "W:secret.pem", env={"SEALIFT_KEY_PASSPHRASE": "wrong"}), 3, "secret.pem: the passphrase is wrong")


def test_an_output_place_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    assert_refused(
        pack(tmp_path),
        6,
        "error: out: there is a file or folder at the output path already. Choose another --out, or pass --force to replace an earlier release.",
    )
    assert (tmp_path / "out" / "mine").read_text() == "kept"


def test_another_key_than_the_signers(tmp_path: Path) -> None:
    assert_refused(
        sealift(tmp_path, "verify", "W:release", "--public-key", "W:other.pem.pub"), 4, "the release was signed with another key: expected "
    )
    message = "another key signed it."
    assert_refused(
        sealift(tmp_path, "verify", "W:release-bundle", "--public-key", "W:other.pem.pub"), 4, "model.sig: the signature doesn't match", message
    )
    assert_refused(
        sealift(tmp_path, "verify", "W:release", "--public-key", "W:bundle.pem"), 3, "This is a private key. Pass its public half (the .pub file)."
    )
    assert_refused(
        sealift(tmp_path, "repo", "add", "W:repo", "W:next", "--public-key", "W:other.pem.pub"), 4, "the release was signed with another key"
    )


def test_one_changed_byte_is_named(tmp_path: Path) -> None:
    shutil.copytree(workshop() / "release", tmp_path / "release")
    blob = max((tmp_path / "release" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[5] ^= 1
    blob.write_bytes(data)
    for words in (["verify", "release", "--public-key", "W:bundle.pem.pub"], ["unpack", "release", "u", "--profile", "any-cpu"]):
        assert_refused(sealift(tmp_path, *words), 4, f"{blob.name}: the content was changed: expected sha256:{blob.name}, found")
    blob.unlink()
    assert_refused(sealift(tmp_path, "repo", "add", "W:repo", "release"), 4, f"{blob.name}: a blob is missing")
    assert not (tmp_path / "u").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["inspect", "nowhere"],
            3,
            "error: nowhere: not the output of a sealift command: expected a release (a directory with oci-layout) or a bundle",
        ),
        (["inspect", "W:release", "--profile", "any-cp"], 3, "expected one of any-cpu, found 'any-cp'. Did you mean 'any-cpu'?"),
        (["verify", "nowhere", "--public-key", "W:bundle.pem.pub"], 3, "error: nowhere: not the output of a sealift command"),
        (["unpack", "W:release", "u", "--profile", "any-cp"], 3, "the release has no bundle for this profile: expected one of any-cpu"),
        (["keys", "generate", "W:bundle.pem"], 6, "a file with this name exists, and keys are never overwritten. Choose another name."),
        (["keys", "generate", "k", "--passphrase-file", "no"], 3, "error: no: the passphrase file can't be read (No such file or directory)"),
        (["repo", "init", "W:repo"], 6, "there is a repository in this folder already. Its keys stay as they are; nothing was changed."),
        (
            ["repo", "init", "r", "--expires", "roo=3"],
            3,
            "no such role: expected one of root, targets, channels, snapshot, timestamp. Did",
        ),
        (["repo", "add", "nowhere", "W:next"], 3, "error: nowhere: not a repository. Make one with `sealift repo init`."),
        (["repo", "add", "W:repo", "nowhere"], 3, "error: nowhere: not a release: expected a directory that `sealift pack` wrote."),
        (["repo", "add", "W:repo", "W:next", "--keys", "none"], 3, "error: none/targets.pem: the key of the role targets is missing."),
        (["repo", "promote", "W:repo", "linera", "1.0.0", "--channel", "stable"], 3, "no such model in this repository: expected one of linear"),
        (["repo", "promote", "W:repo", "linear", "1.0.9", "--channel", "stable"], 3, "linear 1.0.9: no such version in this repository"),
        (["repo", "refresh", "W:repo", "--keys", "none"], 3, "error: none/snapshot.pem: the key of the role snapshot is missing."),
        (["repo", "status", "nowhere"], 3, "error: nowhere: not a repository. Make one with `sealift repo init`."),
        (["kit", "build", "--repo", "nowhere", "--out", "kit"], 3, "error: nowhere: not a repository."),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_one_mistake_of_each_command(tmp_path: Path, words: list[str], code: int, message: str) -> None:
    assert_refused(sealift(tmp_path, *words), code, message)
    assert list(tmp_path.iterdir()) == []


def test_a_channel_that_is_misspelt_gets_the_nearest(tmp_path: Path) -> None:
    done = sealift(tmp_path, "kit", "build", "--repo", "W:repo", "--out", "kit", "--channel", "stabel")
    assert_refused(done, 3, "error: stabel: no such channel in the repository: expected one of stable. Did you mean 'stable'?")


def test_errors_are_json_for_machines(tmp_path: Path) -> None:
    assert "no.joblib" in refused_as_json(pack(tmp_path, "--json", model="no.joblib"), 3, "SourceModelError")
    assert "--name" in refused_as_json(sealift(tmp_path, "pack", "x", "--json"), 2, "MissingParameter")
    assert "no-such" in refused_as_json(sealift(tmp_path, "inspect", "x", "--no-such", "--json"), 2, "NoSuchOption")


@pytest.mark.long
def test_packing_on_a_full_disk_leaves_nothing_and_works_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        words = ["--name", "net", "--version", "1.0.0", "--profile", "arm64-dotprod", "--out", disk.directory / "out"]
        for free_kb in (0, 24):
            disk.leave(free_kb)
            assert_refused(
                run("sealift", "pack", trained.onnx_net().model, *words),
                6,
                "the disk is full (No space left on device). Free some space and try again",
            )
            assert disk.names() == set()
        disk.clear()
        run("sealift", "pack", trained.onnx_net().model, *words).ok()


def test_packing_under_a_limit_on_file_sizes_leaves_nothing(tmp_path: Path) -> None:
    words = ["pack", trained.onnx_net().model, "--name", "net", "--version", "1.0.0", "--profile", "arm64-dotprod", "--out", tmp_path / "out"]
    done = run_argv(with_small_files(8, BIN / "sealift", *words))
    assert_refused(done, 6, "the file is too large for this file system")
    assert list(tmp_path.iterdir()) == []


def test_a_repository_on_a_full_disk_stays_whole_and_takes_the_release_once_there_is_room(tmp_path: Path) -> None:
    work = workshop()
    with small_disk(tmp_path / "disk") as disk:
        place = disk.directory / "repo"
        disk.leave(44)
        assert_refused(call("sealift", "repo", "init", place), 6, "the disk is full (No space left on device)")
        assert disk.names() == set()
        disk.clear()
        call("sealift", "repo", "init", place).ok()
        for free_kb in (0, 12):
            disk.leave(free_kb)
            words = "the disk is full (No space left on device)" if free_kb else "too little free space: expected "
            assert_refused(call("sealift", "repo", "add", place, work / "release"), 6, words)
            assert call("sealift", "repo", "status", place, "--json").ok().json["releases"] == []
            assert_refused(call("sealift", "unpack", work / "release", disk.directory / "u", "--profile", "any-cpu"), 6, "the disk is full")
            assert not [name for name in disk.names() if "partial" in name]
        disk.clear()
        call("sealift", "repo", "add", place, work / "release").ok()
        assert len(call("sealift", "repo", "status", place, "--json").ok().json["releases"]) == 1
