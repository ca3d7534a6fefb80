"""`sealift profiles`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sealift_core.hardware.machine import detect_machine
from sealift_core.terminal import commandline
from sealift_packager.cli.profiles import profiles

CORPUS = Path(__file__).parents[2] / "corpus" / "profiles"


def output(*arguments: str) -> str:
    result = CliRunner().invoke(profiles, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def exit_status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        commandline.run(profiles, list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_list_names_every_profile_with_its_summary() -> None:
    assert "x86-64-avx512-vnni  x86-64 with AVX-512" in output("list")
    assert [profile["name"] for profile in json.loads(output("list", "--json"))][:2] == ["arm64-baseline", "arm64-dotprod"]


def test_show_prints_a_profile() -> None:
    assert "required flags  asimd asimddp" in output("show", "arm64-dotprod")
    assert json.loads(output("show", "arm64-dotprod", "--json"))["cpu"]["arch"] == "aarch64"


def test_detect_says_what_this_machine_is_and_which_profile_it_gets() -> None:
    detected = json.loads(output("detect", "--json"))
    assert detected["machine"]["arch"] == detect_machine().arch
    assert detected["chosen"] in {fit["profile"] for fit in detected["fits"] if fit["fits"]}
    text = output("detect")
    assert f"Profile: {detected['chosen']}, the most specific one that fits." in text
    assert "does not fit" in text


def test_check_accepts_a_good_file_and_all_shipped_profiles() -> None:
    assert output("check", str(CORPUS / "good.toml")).startswith("good: ")
    assert len(json.loads(output("check", "--json"))) == 10


def test_check_of_a_broken_file_exits_with_3_and_names_the_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("check", str(CORPUS / "misspelt-value.toml")) == 3
    assert "int8.weight: not a known value" in capsys.readouterr().err


def test_check_of_a_profile_that_does_not_fit_exits_with_6_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    foreign = "arm64-baseline" if detect_machine().arch == "x86_64" else "x86-64-baseline"
    assert exit_status("check", foreign) == 6
    captured = capsys.readouterr()
    assert "is needed." in captured.out
    assert "this machine doesn't fit the profile" in captured.err


def test_an_unknown_name_exits_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status("show", "x86-64-avx512vnni", "--json") == 3
    assert "Did you mean 'x86-64-avx512-vnni'?" in json.loads(capsys.readouterr().err)["error"]
