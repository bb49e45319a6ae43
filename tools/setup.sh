#!/bin/sh
# Creates .venv and installs helr into it, editable, with everything its tests and checks need.
# Reports in one line what is missing. `make setup` runs it when a file it depends on has changed.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

fail() { echo "setup: $1" >&2; exit 1; }

command -v "$python" >/dev/null 2>&1 ||
    fail "$python is missing; install Python 3.10 or later (Debian: apt-get install python3 python3-venv)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    fail "$python is $("$python" -V 2>&1); Python 3.10 or later is needed (name one with make PYTHON=...)"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python cannot create virtual environments; install its venv module (Debian: apt-get install python3-venv)"

# Create .venv again if its Python is gone, or if it was moved here from elsewhere.
if ! .venv/bin/python -c '' 2>/dev/null || ! grep -qsF "$(pwd -P)/.venv" .venv/bin/activate; then
    rm -rf .venv
    "$python" -m venv .venv || fail "could not create .venv (see above)"
fi

pip() {
    .venv/bin/python -m pip --disable-pip-version-check "$@" ||
        fail "pip failed (see above); it needs to reach a Python package index, or \
PIP_INDEX_URL or PIP_FIND_LINKS to name one"
}
pip install -q -c constraints.txt setuptools
# "compat" puts the tree on sys.path. The default mode's import hook adds 14 ms to every start of
# Python in .venv, twice what an idle poll may cost above its imports.
pip install -q -c constraints.txt --no-build-isolation --config-settings editable_mode=compat \
    -e '.[test,lint]'
# The wheels that the packaging tests install without a network.
rm -f .venv/wheelhouse/helr-*.whl
pip wheel -q -c constraints.txt --no-build-isolation -w .venv/wheelhouse . pytest setuptools
rm -f .venv/wheelhouse/helr-*.whl
touch .venv/.stamp
