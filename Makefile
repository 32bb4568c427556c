# One command per task. `make run` and `make test` work on a bare machine with Python 3.11+.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: run demo test check bench lint types lock clean

run: .venv/run
	$(BIN)/exowatch run

demo: .venv/run
	$(BIN)/exowatch demo

test: .venv/dev
	$(BIN)/pytest -n auto

check: lint types test

# BENCH="stream store" runs some; BENCH=--full takes tens of minutes; BENCH="--patience 30" waits for a quiet machine.
bench: .benchvenv/bench
	.benchvenv/bin/python -m benchmarks $(BENCH)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev
	$(BIN)/mypy

lock: .venv/dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra bench pyproject.toml -o requirements-bench.lock

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("exowatch needs Python 3.11 or newer; set PYTHON=/path/to/it" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/run: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/dev: requirements-dev.lock .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Apart from .venv: the peers that are measured beside exowatch must not decide which versions it is tested with.
.benchvenv/bench: requirements-bench.lock
	$(PYTHON) -m venv .benchvenv
	.benchvenv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	touch $@

clean:
	rm -rf .venv .benchvenv build dist *.egg-info
