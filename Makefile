# The project's commands. `make help` lists them.
# Variables: PYTHON (default python3), MOCK_PORT, MOCK_ARGS, TESTS, KILLS, SEED, BENCH_ARGS.

SHELL = /bin/sh
VENV = .venv
PY = $(VENV)/bin/python
STAMP = $(VENV)/.stamp
PYTHON ?= python3
export PYTHON

.DEFAULT_GOAL = help
.PHONY: help setup demo test test-fast test-lowest lint format docs docs-check mock mock-stop cassettes \
	torture soak offline shippers bench bench-peers clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /|/' | \
		while IFS='|' read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

$(STAMP): setup.cfg pyproject.toml constraints.txt tools/setup.sh
	@tools/setup.sh

setup: $(STAMP) ## create .venv and install helr with everything for its tests and checks
	@echo 'helr is installed in .venv; now: . .venv/bin/activate'

demo: $(STAMP) ## install, start the mock, collect its events once, show the first, stop the mock
	@tools/demo.sh

test: $(STAMP) ## the whole suite, with coverage (TESTS=path: only those tests, without coverage)
ifdef TESTS
	@$(PY) -m pytest $(TESTS)
else
	@$(PY) tools/test.py
endif

test-fast: $(STAMP) ## only the unit tests
	@$(PY) -m pytest -q tests/unit

test-lowest: $(STAMP) ## the unit tests with the lowest versions that setup.cfg allows
	@tools/test_lowest.sh

lint: $(STAMP) docs-check ## formatting, ruff, mypy --strict, import contracts, spelling, generated files
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m codespell_lib
	@$(VENV)/bin/lint-imports --no-logo

format: $(STAMP) ## fix the formatting
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

docs: $(STAMP) ## write the generated parts of README.md and docs/, and helr/'s copies of the schema and pages
	@$(PY) tools/docs.py

docs-check: $(STAMP) ## fail if one of these is stale
	@$(PY) tools/docs.py --check

mock: $(STAMP) ## start the mock in the background (MOCK_PORT, MOCK_ARGS="--events 500")
	@$(PY) tools/mock.py start $(MOCK_ARGS)

mock-stop: $(STAMP) ## stop every mock that `make mock` started (MOCK_PORT=N: only that one)
	@$(PY) tools/mock.py stop

cassettes: $(STAMP) ## record tests/cassettes again from the mock
	@$(PY) tools/cassettes.py

torture: $(STAMP) ## kill helr at random moments, and send it odd HTTP (KILLS=200 ANSWERS=3000 SECRETS=20000 SEED=1)
	@$(PY) -m tests.torture --kills $${KILLS:-200} --seed $${SEED:-1}
	@LIKE_CURL=$${ANSWERS:-3000} SEED=$${SEED:-1} \
		$(PY) -m pytest -q --timeout 1200 tests/unit/http/test_like_curl.py
	@SECRETS=$${SECRETS:-20000} SEED=$${SEED:-1} \
		$(PY) -m pytest -q --timeout 1200 tests/unit/test_secret_sweep.py

soak: $(STAMP) ## poll a source for a week of virtual time (SOAK_POLLS=100000)
	@SOAK_POLLS=$${SOAK_POLLS:-100000} $(PY) -m pytest -q --timeout 1200 tests/unit/engine/test_soak.py

offline: $(STAMP) ## the whole suite with all network but loopback blocked (needs root)
	@$(PY) tools/offline.py $(PY) tools/test.py

shippers: $(STAMP) ## build or unpack the log shippers that tests drive, into .venv/shippers
	@tools/shippers.sh

bench: $(STAMP) ## measure helr against its alternatives (BENCH_ARGS="--quick")
	@$(PY) -m bench $(BENCH_ARGS)

bench-peers: $(STAMP) ## install the peers that `make bench` compares with, into .venv/peers
	@tools/bench_peers.sh

clean: ## remove everything that can be regenerated, including .venv
	@if [ -x $(PY) ]; then MOCK_PORT= $(PY) tools/mock.py stop; fi
	rm -rf $(VENV) build dist *.egg-info .mock .coverage .coverage.* htmlcov \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis bench/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
