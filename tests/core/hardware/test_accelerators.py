"""What computes beside the processor, found below made-up roots."""

from __future__ import annotations

from pathlib import Path

from sealift_core.hardware.accelerators import find_accelerators


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_machine_without_any_has_none(tmp_path: Path) -> None:
    assert find_accelerators(tmp_path) == frozenset()


def test_a_jetson_is_known_by_its_device_tree(tmp_path: Path) -> None:
    put(tmp_path / "proc/device-tree/compatible", b"nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0")
    assert find_accelerators(tmp_path) == {"nvidia-jetson"}


def test_another_board_is_no_jetson(tmp_path: Path) -> None:
    put(tmp_path / "proc/device-tree/compatible", b"raspberrypi,5-model-b\0brcm,bcm2712\0")
    assert find_accelerators(tmp_path) == frozenset()


def test_an_nvidia_gpu_needs_its_driver_and_a_device(tmp_path: Path) -> None:
    put(tmp_path / "proc/driver/nvidia/version", b"NVRM version: NVIDIA UNIX x86_64 Kernel Module\n")
    assert find_accelerators(tmp_path) == frozenset()
    put(tmp_path / "dev/nvidia0", b"")
    assert find_accelerators(tmp_path) == {"nvidia-gpu"}


def test_an_intel_gpu_is_a_render_device_of_intel(tmp_path: Path) -> None:
    put(tmp_path / "sys/class/drm/renderD128/device/vendor", b"0x1002\n")
    assert find_accelerators(tmp_path) == frozenset()
    put(tmp_path / "sys/class/drm/renderD129/device/vendor", b"0x8086\n")
    assert find_accelerators(tmp_path) == {"intel-gpu"}
