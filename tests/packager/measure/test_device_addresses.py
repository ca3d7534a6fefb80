"""Which device measures which profile, as the command line and the project file name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_core.errors import SealiftError
from sealift_packager.errors import PackagerError
from sealift_packager.measure.device_address import DeviceAddress, device_for, notes_on_unused
from sealift_packager.project.file import read_project
from sealift_packager.project.job import PackJob

DEVICE = "0123abcd" * 8


def test_a_project_file_names_devices_too(tmp_path: Path) -> None:
    text = f'[defaults]\nversion = "1.0.0"\nprofile = ["x86-64-avx2"]\nmeasure-on = ["http://pi:8470#{DEVICE}"]\n[models.net]\nmodel = "net.onnx"\n'
    (tmp_path / "project.toml").write_text(text)
    jobs = read_project(tmp_path / "project.toml")
    assert PackJob.from_json(jobs[0].to_json()).measure_on == (f"http://pi:8470#{DEVICE}",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"http://10.0.0.7:8470#{DEVICE}", DeviceAddress(url="http://10.0.0.7:8470", device=DEVICE)),
        (f"pi=https://pi.example/agent/#{DEVICE}", DeviceAddress(url="https://pi.example/agent", device=DEVICE, profile="pi")),
    ],
)
def test_an_address_is_read(text: str, expected: DeviceAddress) -> None:
    assert DeviceAddress.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.7:8470", "not the address of an agent"),
        ("http://host?x", "not the address of an agent"),
        ("http://host", "the device's full id is missing"),
        ("http://host#", "the device's full id is missing"),
        ("http://host#nothex", "the device's full id is missing"),
        (f"http://host#{DEVICE[:-1]}", "the device's full id is missing"),
        (f"http://host#{DEVICE}0", "the device's full id is missing"),
        (f"http://host#{DEVICE.upper()}", "the device's full id is missing"),
    ],
)
def test_an_address_without_the_whole_id_of_the_device_is_refused(text: str, message: str) -> None:
    with pytest.raises(PackagerError, match=message):
        DeviceAddress.parse(text)


def test_a_profile_goes_to_its_own_device_and_to_a_shared_one_only_if_this_machine_can_not() -> None:
    for_all, for_a = DeviceAddress(url="http://all", device=DEVICE), DeviceAddress(url="http://a", device=DEVICE, profile="a")
    assert device_for([for_all, for_a], "a", measured_here=True) == for_a
    assert device_for([for_all, for_a], "b", measured_here=True) is None
    assert device_for([for_all, for_a], "b", measured_here=False) == for_all
    assert device_for([], "b", measured_here=False) is None


def test_a_device_that_measures_nothing_is_named_with_what_would_make_it() -> None:
    for_all, for_a = DeviceAddress(url="http://all", device=DEVICE), DeviceAddress(url="http://a", device=DEVICE, profile="a")
    assert notes_on_unused([for_all, for_a], {"a": True, "b": False}) == ()
    assert [text.split()[0] for text in notes_on_unused([for_all, for_a], {"a": True})] == ["http://all"]
    assert notes_on_unused([for_all], {"b": True})[0].endswith(f"--measure-on b=http://all#{DEVICE}.")


@pytest.mark.parametrize("text", ["http://me:s3cret@pi:8470", "pi=https://s3cret@pi.example/agent/", "http://pi:8470?s3cret"])
def test_a_password_in_an_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SealiftError) as caught:
        DeviceAddress.parse(text)
    assert "s3cret" not in str(caught.value)
