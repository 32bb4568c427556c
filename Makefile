# One command per task. `make run` and `make test` work on a bare machine with Python 3.11+.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: run extras demo test check flakes fuzz mutants api-fuzz campaign bench train pictures lint types audit lock clean

run: .venv/run
	$(BIN)/exowatch run

# Parquet, assistants (MCP) and traces: the container image has them, a checkout only if asked.
extras: .venv/extras

demo: .venv/run
	$(BIN)/exowatch demo

test: .venv/dev
	$(BIN)/pytest -n auto

check: lint types test

# Every test five times over, each time in another order: an hour on two cores. FLAKES="1 2": in the orders of these seeds.
FLAKES ?= 1 2 3 4 5
flakes: .venv/dev
	for seed in $(FLAKES); do $(BIN)/pytest -n auto -q -p randomly --randomly-dont-reset-seed --randomly-seed $$seed || exit 1; done

# Texts for the classifier, then bytes for every parser. FUZZ="--seconds 600 --seed 2": longer, and others.
fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz.guided $(FUZZ)
	$(BIN)/python -m tests.fuzz.wire $(FUZZ)

# Which changes to workers/ no test notices: an hour for a sample. MUTANTS="--sample 50 --seed 2 workers/judge.py"; docs/mutants.md.
mutants: .mutvenv/mutants
	.mutvenv/bin/python -m tests.mutants $(MUTANTS)

# Whatever the description of the API allows, and what it does not, on both databases, with another seed each time, which is printed.
# API_FUZZ="--seconds 600 --database postgresql"; API_FUZZ="--seed 12345" does the same again.
api-fuzz: .venv/dev
	$(BIN)/python -m tests.fuzz.api $(API_FUZZ)

# Ten minutes of faults on a machine with Redis, PostgreSQL and libfaketime. CAMPAIGN="--seed 7 --faults redis-flushed,clock-jumps
# --posts 2000" runs some; docs/campaign.md.
campaign: .venv/dev
	$(BIN)/python -m tests.campaign $(CAMPAIGN)

# BENCH="stream store" runs some; BENCH=--full takes tens of minutes; BENCH="--patience 30" waits for a quiet machine.
bench: .benchvenv/bench
	.benchvenv/bin/python -m benchmarks $(BENCH)

# The pictures of docs/pages.md, in the Chromium that the system has.
pictures: .venv/dev
	$(BIN)/python -m tests.pictures

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.secret_scan

# Which pinned packages have known faults. Needs the internet, and is therefore no part of `check`.
audit: .venv/dev
	$(BIN)/python -m tests.audit

types: .venv/dev
	$(BIN)/mypy

lock: .venv/dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra parquet --extra mcp --extra otel --constraint requirements-dev.lock pyproject.toml -o requirements-image.lock
	echo "redis[hiredis]>=8.1" > .overrides  # arq asks for an older one, and runs on this
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra bench --override .overrides pyproject.toml -o requirements-bench.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra mutants --constraint requirements-dev.lock pyproject.toml -o requirements-mutants.lock
	echo "sentence-transformers; python_version < '3'" > .overrides
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra train --override .overrides pyproject.toml -o requirements-train.lock
	rm .overrides

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("exowatch needs Python 3.11 or newer; set PYTHON=/path/to/it" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/run: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/extras: requirements-image.lock .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-image.lock
	touch $@

.venv/dev: requirements-dev.lock .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Apart from .venv: the peers that are measured beside exowatch must not decide which versions it is tested with.
.benchvenv/bench: requirements-bench.lock
	$(PYTHON) -m venv .benchvenv
	.benchvenv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	touch $@

.mutvenv/mutants: requirements-mutants.lock
	$(PYTHON) -m venv .mutvenv
	.mutvenv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-mutants.lock
	touch $@

# Half an hour on two cores: on eleven posts of twelve, and on the twelfth is chosen how sure a find must be.
MODEL = config/topics/exosomes/model
TRAIN = .trainvenv/bin/python -m training.
train: .trainvenv/train
	mkdir -p build
	$(TRAIN)train --out build/model.pt --hold-out 12
	$(TRAIN)export build/model.pt build/model --hold-out 12
	$(TRAIN)calibrate build/model build/calibration.json --hold-out 12
	$(TRAIN)export build/model.pt $(MODEL) --calibration build/calibration.json --hold-out 12

# torch is named by version alone: its builds differ by machine, and so do their hashes.
.trainvenv/train: requirements-train.lock
	$(PYTHON) -m venv .trainvenv
	.trainvenv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-train.lock
	.trainvenv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	touch $@

clean:
	rm -rf .venv .benchvenv .mutvenv .trainvenv build dist *.egg-info
