#!/bin/sh
# Installs the peers of `make bench` that cannot be in .venv: grove, whose dependencies conflict
# with helr's, and the Rust helr, if cargo is installed.
set -eu
cd "$(dirname "$0")/.."
peers=.venv/peers
mkdir -p "$peers"

if [ ! -x "$peers/grove/bin/grove" ]; then
    "${PYTHON:-python3}" -m venv "$peers/grove"
    "$peers/grove/bin/python" -m pip install -q grove==2.2.0 || {
        rm -rf "$peers/grove"
        echo "bench-peers: could not install grove; make bench works without it" >&2
    }
fi
[ ! -x "$peers/grove/bin/grove" ] || echo "bench-peers: grove is in $peers/grove"

if [ -x "$peers/bin/helr" ]; then
    echo "bench-peers: the Rust helr is in $peers/bin"
elif command -v cargo >/dev/null 2>&1; then
    echo "bench-peers: compiling the Rust helr, which takes some minutes"
    cargo install --quiet --locked --root "$peers" --version '~0.7' helr
    echo "bench-peers: the Rust helr is in $peers/bin"
else
    echo "bench-peers: no cargo, so no Rust helr (Debian: apt-get install cargo, or rustup)" >&2
fi
