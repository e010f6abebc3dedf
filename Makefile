# Two commands matter to a newcomer: `make run` and `make test`.
PYTHON ?= python3.11
ifeq (, $(shell command -v $(PYTHON) 2>/dev/null))
PYTHON := python3
endif
BIN := .venv/bin
export ORT_DISABLE_TELEMETRY = 1
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-without-vnni check lint mutants fuzz bench samples readme

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

# What must hold on every processor, on one without VNNI: an emulated Haswell (AVX2), or CPU=Nehalem (SSE4.2). Slow; not part of CI.
CPU ?= Haswell
INTEGERS := tests/converters tests/formats/test_integer_products.py tests/techniques/test_repair.py tests/test_host_truth.py
test-without-vnni: .venv/ready-dev
	@command -v qemu-x86_64 >/dev/null || { echo "qemu-x86_64 is missing, which emulates a processor without VNNI: install Debian's package qemu-user, and try again."; exit 1; }
	$(BIN)/python -m pytest -m integers -o timeout=3600 $(INTEGERS)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 qemu-x86_64 -cpu $(CPU) $(BIN)/python -m pytest -m integers -o timeout=3600 -p no:cacheprovider $(INTEGERS)

lint: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

mutants: .venv/ready-dev
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 nice $(BIN)/mutmut run --max-children 1 $(ONLY)
	$(BIN)/mutmut results

# Random small models through the real verbs, against their own libraries; goes on where it stood. Slow; a few seeds of it are a test.
SEED ?= 0
COUNT ?= 100
FUZZED ?= fuzzed
fuzz: .venv/ready-dev
	OMP_NUM_THREADS=1 nice $(BIN)/python -m benchmarks.fuzz $(FUZZED) --seed $(SEED) --count $(COUNT) $(if $(FAMILY),--family $(FAMILY))

bench: .venv/ready
	$(BIN)/python -m benchmarks.dispatch

samples: .venv/ready
	$(BIN)/python -m sample_models.build

readme: .venv/ready
	$(BIN)/python -m tests.readme
