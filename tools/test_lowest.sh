#!/bin/sh
# Runs the unit tests in a separate venv (.venv/lowest), in which all of helr's dependencies have the
# lowest version that setup.cfg allows. `make test-lowest` calls it.
set -eu
cd "$(dirname "$0")/.."
venv=.venv/lowest
lowest=$venv/constraints.txt

[ -x $venv/bin/python ] || .venv/bin/python -m venv $venv
# "name>=1.2" under install_requires becomes "name==1.2".
sed -n '/^install_requires/,/^$/s/^ *\([A-Za-z0-9_.-]*\)>=/\1==/p' setup.cfg >$lowest
cat $lowest
$venv/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt setuptools
$venv/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt -c $lowest \
    --no-build-isolation --config-settings editable_mode=compat -e '.[test]'
exec $venv/bin/python -m pytest -q tests/unit
