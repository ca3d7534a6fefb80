#!/usr/bin/env bash
# An Arm Python with numpy and onnxruntime in a folder, for `sealift pack` to compute int8 accuracy under qemu-aarch64 on a machine that isn't Arm.
# Needs Debian (apt-get, dpkg-deb) and a Python with pip and onnxruntime; changes nothing outside of the folder, and needs no root.
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 FOLDER [PYTHON]" >&2; exit 2; }
target=$1
python=${2:-python3}
for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || { echo "error: there is no $program: make the folder on a Debian machine and copy it" >&2; exit 6; }
done
version=$("$python" -c 'import importlib.metadata; print(importlib.metadata.version("onnxruntime"))')

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.partial.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root apt=$work/apt
mkdir -p "$root" "$apt/lists/partial" "$apt/cache/archives/partial"
: > "$apt/status"

# An apt of its own, for arm64, with nothing installed: it fetches Python and all that it needs, and installs none of it.
own_apt() {
    apt-get -qq -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=true "$@"
}
own_apt update
own_apt install --yes --download-only --no-install-recommends python3-minimal libpython3-stdlib libstdc++6 >/dev/null
for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done

# The same onnxruntime as here, so that what differs is the processor alone.
minor=$(readlink "$root/usr/bin/python3" | tr -dc '0-9.')
platforms=(--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64)
"$python" -m pip download --quiet --disable-pip-version-check --only-binary=:all: --no-deps "${platforms[@]}" --implementation cp \
    --python-version "$minor" --dest "$work/wheels" numpy "onnxruntime==$version"
packages=$root/usr/local/lib/python$minor/dist-packages
mkdir -p "$packages"
for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$packages"; done

# onnxruntime counts and names processors by these; the emulator passes on this machine's, which make no sense on Arm.
mkdir -p "$root/sys/devices/system/cpu" "$root/proc"
echo 0 | tee "$root/sys/devices/system/cpu/possible" > "$root/sys/devices/system/cpu/present"
printf '%s\n' 'processor : 0' 'Features : fp asimd' 'CPU implementer : 0x41' 'CPU architecture: 8' 'CPU variant : 0x0' 'CPU part : 0xd08' \
    'CPU revision : 0' '' > "$root/proc/cpuinfo"

rm -rf "$target"
mv "$root" "$target"
echo "export SEALIFT_ARM64_ROOT=$(realpath "$target")"
