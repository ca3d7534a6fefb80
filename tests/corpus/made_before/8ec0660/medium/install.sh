#!/bin/sh
# Installs the Sealift agent from this medium; asks nothing of any network. Before anything of the medium is run, its signature is
# checked against a key that isn't on it, and all of it against SHA256SUMS. What is installed afterwards are copies that were checked, so a
# medium that changes its mind gains nothing. Running it again does no harm.
set -eu

runtime_version='0.1.0'
pythons='3.11'
machines=''
channel='stable'
signed='yes'
largest_bytes='1048576'
prefix=
home=
key=
copies=

usage() {
    cat <<END
Usage: sh install.sh --prefix DIR [--key FILE] [--home DIR] [--channel NAME]

  --prefix DIR    where the agent is installed (a Python virtual environment is made there)
  --key FILE      the vendor's public key, which reached you by another way than this medium; the kit must be signed by it.
                  It is kept in DIR/kit-key.pub, and newer kits must be signed by it as well
  --home DIR      where the agent keeps its state (default: the agent's own)
  --channel NAME  the channel that this machine follows (default: $channel)

Needs: sha256sum, openssl for --key, and Python $pythons with venv. PYTHON=/path/to/python chooses one.
END
}

die() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

value() {
    [ "$#" -ge 2 ] || die "$1 needs a value"
    printf '%s' "$2"
}

# A shell reads a script as it runs it; as one function it is read before anything is done.
main() {
    parse "$@"
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    cd -- "$here"
    work=$(mktemp -d) || die 'mktemp can make no folder for temporary files'
    trap 'rm -rf "$work" ${copies:+"$copies"}' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    check_files
    check_signature
    check_digests
    check_machine
    install_agent
    initialise
}

parse() {
    while [ "$#" -gt 0 ]; do
        case $1 in
            --prefix) prefix=$(value "$@"); shift 2 ;;
            --key) key=$(value "$@"); shift 2 ;;
            --home) home=$(value "$@"); shift 2 ;;
            --channel) channel=$(value "$@"); shift 2 ;;
            -h | --help) usage; exit 0 ;;
            *) usage >&2; die "unknown option: $1" ;;
        esac
    done
    [ -n "$prefix" ] || { usage >&2; die 'say where to install: --prefix DIR'; }
    case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac
    case $home in '' | /*) ;; *) home=$(pwd)/$home ;; esac
    case $key in '' | /*) ;; *) key=$(pwd)/$key ;; esac
}

# 1. Only plain files, none larger than this kit's largest: no link, pipe or device that would be read, and no endless file.
check_files() {
    command -v sha256sum >/dev/null 2>&1 || die 'sha256sum is missing (it is part of coreutils and of busybox)'
    [ -e SHA256SUMS ] || die 'SHA256SUMS is missing: this is not a whole kit'
    for name in *; do
        [ "$name" = sealift-reports ] || set -- "$@" "./$name"
    done
    odd=$(find "$@" ! -type f ! -type d -print 2>/dev/null | head -n 1)
    [ -z "$odd" ] || die "$odd is neither a file nor a folder; nothing was installed"
    odd=$(find SHA256SUMS* install.sh root.json requirements-*.txt repository wheels -type f -size +"${largest_bytes}"c -print | head -n 1)
    [ -z "$odd" ] || die "$odd is larger than any file of this kit; nothing was installed"
    cp -- SHA256SUMS root.json requirements-*.txt "$work" || die 'this is not a whole kit; nothing was installed'
}

# 2. SHA256SUMS is the vendor's.
check_signature() {
    kept=
    if [ -z "$key" ] && [ -f "$prefix/kit-key.pub" ]; then key=$prefix/kit-key.pub; kept=' (kept from an earlier --key)'; fi
    if [ -z "$key" ]; then
        if [ "$signed" = yes ]; then advice='Give --key FILE, the public key of the vendor, to rule that out.'; else advice="This kit isn't signed."; fi
        echo "install.sh: warning: no --key was given, so only damage is ruled out: whoever could write to this medium may have changed the agent. $advice" >&2
        return
    fi
    [ -f "$key" ] || die "$key: no such key file"
    [ -f SHA256SUMS.sig ] || die "this kit isn't signed, but it must be by the key $key$kept; nothing was installed"
    command -v openssl >/dev/null 2>&1 ||
        die "openssl is missing, so the signature can't be checked; install it, or check SHA256SUMS on another machine (see README.txt)"
    cp -- "$key" "$work/kit-key.pub"
    cp -- SHA256SUMS.sig "$work"
    openssl pkey -pubin -in "$work/kit-key.pub" -noout -text >"$work/key.txt" 2>/dev/null || die "$key isn't a public key in PEM form"
    hash=sha256
    if grep -q secp384r1 "$work/key.txt"; then hash=sha384; fi
    openssl dgst "-$hash" -verify "$work/kit-key.pub" -signature "$work/SHA256SUMS.sig" "$work/SHA256SUMS" >/dev/null 2>&1 ||
        die "this kit isn't signed by the key $key$kept, or SHA256SUMS was changed; nothing was installed"
}

# 3. The medium is whole: every file has its listed digest, nothing that is used was added, and the copies are what was signed.
check_digests() {
    if ! report=$(LC_ALL=C sha256sum -c "$work/SHA256SUMS" 2>&1); then
        printf '%s\n' "$report" | grep -v ': OK$' >&2 || true
        die 'the medium is damaged or was changed; nothing was installed. Make or copy it anew.'
    fi
    for file in install.sh root.json requirements-*.txt repository/metadata/timestamp.json wheels/*; do
        cut -c 67- "$work/SHA256SUMS" | grep -qxF -e "$file" || die "$file isn't listed in SHA256SUMS; nothing was installed"
    done
    grep -E '^[0-9a-f]{64}  (root\.json|requirements-[0-9.]+\.txt)$' "$work/SHA256SUMS" >"$work/copied"
    (cd -- "$work" && LC_ALL=C sha256sum -c copied >/dev/null 2>&1) || die 'the medium changed while it was read; nothing was installed'
}

# 4. This machine fits: its architecture, and a Python that the wheels are for.
check_machine() {
    machine=$(uname -m)
    case " ${machines:-$machine} " in
        *" $machine "*) ;;
        *) die "this kit is for $machines, but this machine is $machine; build one with --platform for it" ;;
    esac
    python=
    others=
    names=${PYTHON:-}
    if [ -z "$names" ]; then
        for version in $pythons; do names="$names python$version"; done
        names="$names python3"
    fi
    for name in $names; do
        command -v "$name" >/dev/null 2>&1 || continue
        version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        case " $pythons " in
            *" $version "*) python=$name; chosen=$version; break ;;
            *) others="$others, $name is $version" ;;
        esac
    done
    if [ -z "$python" ] && [ -z "$others" ]; then die "there is no python3 on this machine; install Python $pythons"; fi
    [ -n "$python" ] || die "this kit needs Python $pythons, but ${others#, }; install that Python, or build a kit with --python-version"
    # -P: whoever runs this may stand in a folder where anybody can put a venv.py.
    "$python" -P -c 'import ensurepip, venv' 2>/dev/null ||
        die "$python can't make virtual environments; install its venv package (on Debian and Ubuntu: python3-venv)"
}

# 5. The agent, in a virtual environment of its own, from copies of the wheels.
install_agent() {
    if [ -e "$prefix" ] && [ ! -f "$prefix/pyvenv.cfg" ] && [ -n "$(ls -A "$prefix")" ]; then
        die "$prefix is taken by something else; choose another --prefix"
    fi
    umask=$(umask)
    umask 022
    if [ ! -x "$prefix/bin/python" ]; then
        "$python" -P -m venv "$prefix" || die "the virtual environment can't be made in $prefix"
    fi
    copies=$(mktemp -d "$prefix/.wheels.XXXXXX") || die "$prefix can't be written"
    cut -c 67- "$work/SHA256SUMS" | grep -E '^wheels/[^/]+\.whl$' >"$work/wheels"
    while IFS= read -r file; do cp -- "$file" "$copies"; done <"$work/wheels"
    # pip takes nothing but the listed digests, whatever else is there.
    PIP_CONFIG_FILE=/dev/null "$prefix/bin/python" -P -m pip --isolated --disable-pip-version-check --quiet install --no-index \
        --find-links "$copies" --only-binary :all: --require-hashes --upgrade -r "$work/requirements-$chosen.txt" ||
        die "pip can't install the agent in $prefix; if that was made with another Python, remove it and try again"
}

# 6. What this machine trusts, once, and whose kits it takes from now on.
initialise() {
    if [ -f "$work/kit-key.pub" ]; then cp -- "$work/kit-key.pub" "$prefix/kit-key.pub"; fi
    umask "$umask"
    if [ -f "$prefix/sealift-initialised" ]; then
        echo "The agent was initialised before; its keys, trust and state stay as they are."
    else
        "$prefix/bin/sealift-agent" init --repo "$here/repository" --root "$work/root.json" --channel "$channel" ${home:+--home "$home"} ||
            die 'the agent is installed, but could not be initialised'
        : >"$prefix/sealift-initialised"
    fi
    home_words=
    [ -z "$home" ] || home_words=" --home '$home'"
    cat <<END
Sealift agent $runtime_version is installed in $prefix.
Next: $prefix/bin/sealift-agent import '$here'$home_words
Then: $prefix/bin/sealift-agent run$home_words
END
}

main "$@"
