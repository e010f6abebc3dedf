# Two commands matter to a newcomer: `make run` and `make test`.
PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
BIN := .venv/bin
export ORT_DISABLE_TELEMETRY = 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check lint mutants bench samples readme

.venv: .venv/ready

.venv/ready: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --compile -r requirements.txt
	touch .venv/ready

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(BIN)/python -m pip install --quiet --compile -r requirements-dev.txt
	touch .venv/ready-dev

run: .venv/ready
	$(BIN)/python app.py

test: .venv/ready-dev
	sh tests/browser/chromium.sh
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

mutants: .venv/ready-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 nice $(BIN)/mutmut run --max-children 1 $(ONLY)
	$(BIN)/mutmut results

bench: .venv/ready
	$(BIN)/python -m benchmarks.dispatch

samples: .venv/ready
	$(BIN)/python -m sample_models.build

readme: .venv/ready
	$(BIN)/python -m tests.readme
