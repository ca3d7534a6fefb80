# All that a newcomer has to know: make demo · make test · make check · make fix · make audit · make bench
# The first target that needs it sets up .venv; nothing is installed outside this directory.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Python keeps what it compiled. Where the environment forbids it (containers often do), each of the many processes that tests start would compile
# scikit-learn anew, which takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
CLEAN := .venv-runtime
SIGNING := .venv-signing
AUDIT := .venv-audit
DOCS := .venv-docs
MUTANTS := .venv-mutants
LOWEST := .venv-lowest
WHEELHOUSE := build/wheelhouse
BIN := $(VENV)/bin
#: What decides: neither a process for each test nor a framework to import.
FAST := $(addprefix tests/,$(addprefix core/,bundle drift hardware http messages schema signing timing) \
	$(addprefix runtime/,inference monitoring reports transport trust) $(addprefix packager/,candidates plugins profiles trees))
PYTEST_FLAGS ?= -n 2 --dist worksteal -q
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt
SETUP_INPUTS := constraints.txt requirements-dev.txt core/pyproject.toml runtime/pyproject.toml packager/pyproject.toml hub/pyproject.toml

COMPILED := google joblib mpmath networkx numpy onnx onnx_ir onnxruntime onnxscript pandas scipy skl2onnx sklearn skops sympy torch xgboost

.PHONY: help setup python demo test test-fast test-runtime acceptance attacks lowest versions mutants check check-code check-types check-docs check-audit audit docs fix screenshots bench bench-packager clean compat fuzz-packager arm-root

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready  ## Set up .venv with the four wheels (editable) and the tools
$(VENV)/.ready: $(SETUP_INPUTS) | python
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) (some minutes the first time) …"
	$(PYTHON) -m venv $(VENV)
	@# Most of the 16,000 modules are never imported. Those that models are read and built with are compiled here, on all cores: the confined
	@# processes that import them can't write what they compiled, and each would do it again.
	$(BIN)/pip install $(PIP_FLAGS) --no-compile -e ./core -e './runtime[cpu]' -e './packager[sklearn,torch,skops,xgboost,lightgbm,catboost,images,parquet]' -e ./hub -r requirements-dev.txt
	cd $(VENV)/lib/python3*/site-packages && ../../../bin/python -m compileall -q -j 0 -x '/tests?/|/testing/' $(COMPILED)
	@touch $@

python:
	@test -n "$(PYTHON)" || { echo "error: Sealift needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "error: $(PYTHON) has no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(CLEAN)/.ready: constraints.txt core/pyproject.toml runtime/pyproject.toml | python
	@echo "Collecting the agent's wheels in $(WHEELHOUSE); setting up $(CLEAN) with what a device has alone …"
	rm -rf $(WHEELHOUSE) $(CLEAN)
	$(PYTHON) -m venv $(CLEAN)
	$(CLEAN)/bin/pip wheel $(PIP_FLAGS) --wheel-dir $(WHEELHOUSE) ./core './runtime[cpu]'
	@# Our own wheel by its path: nobody has registered our names in an index, so whoever did could answer for them.
	$(CLEAN)/bin/pip install $(PIP_FLAGS) --find-links $(WHEELHOUSE) $(WHEELHOUSE)/sealift_core-*.whl "$$(echo $(WHEELHOUSE)/sealift_runtime-*.whl)[cpu]" pytest pytest-timeout pytest-xdist hypothesis
	@touch $@

$(SIGNING)/.ready: tests/requirements-signing.txt | python
	@echo "Setting up $(SIGNING): the public model_signing tool, to prove that it and we understand each other …"
	rm -rf $(SIGNING)
	$(PYTHON) -m venv $(SIGNING)
	$(SIGNING)/bin/pip install --quiet --disable-pip-version-check -r tests/requirements-signing.txt
	@touch $@

$(AUDIT)/.ready: tests/requirements-audit.txt constraints.txt | python
	@echo "Setting up $(AUDIT): pip-audit, apart from what it looks at …"
	rm -rf $(AUDIT)
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install $(PIP_FLAGS) -r tests/requirements-audit.txt
	@touch $@

$(MUTANTS)/.ready: tests/requirements-mutants.txt constraints.txt | python
	@echo "Setting up $(MUTANTS): mutmut, which changes code a little, apart from the code …"
	rm -rf $(MUTANTS)
	$(PYTHON) -m venv $(MUTANTS)
	$(MUTANTS)/bin/pip install $(PIP_FLAGS) -r tests/requirements-mutants.txt
	@touch $@

$(DOCS)/.ready: tests/requirements-docs.txt constraints.txt | python
	@echo "Setting up $(DOCS): what builds the site of the documentation …"
	rm -rf $(DOCS)
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/pip install $(PIP_FLAGS) -r tests/requirements-docs.txt
	@touch $@

$(LOWEST)/.ready: constraints-lowest.txt core/pyproject.toml runtime/pyproject.toml packager/pyproject.toml hub/pyproject.toml | python
	@echo "Setting up $(LOWEST): the lowest version of everything, without torch …"
	rm -rf $(LOWEST)
	$(PYTHON) -m venv $(LOWEST)
	grep -v '^torch==' constraints-lowest.txt > $(LOWEST)/requirements.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary :all: -r $(LOWEST)/requirements.txt
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-compile -e ./core -e ./runtime -e ./packager -e ./hub
	@touch $@

demo: $(VENV)/.ready  ## Train, pack, publish, serve, drift, fail an update, update: once, for real (KEEP=1 leaves it running)
	$(BIN)/python examples/demo

ifdef ONLY
test: $(VENV)/.ready $(SIGNING)/.ready
	$(BIN)/python -m pytest $(addprefix tests/,$(ONLY)) $(PYTEST_FLAGS)
else
test: test-runtime $(VENV)/.ready $(SIGNING)/.ready  ## Run the tests (ONLY='runtime/update packager/cache' for some; make check has those of the docs, make acceptance the long ones)
	$(BIN)/python -m pytest --ignore tests/core --ignore tests/runtime --ignore tests/acceptance --ignore tests/audit --ignore tests/docs --ignore tests/versions -m "not long" $(PYTEST_FLAGS)
endif

test-runtime: $(CLEAN)/.ready  ## Run the core's and the runtime's tests where only these two wheels are installed
	$(CLEAN)/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall ./core ./runtime
	$(CLEAN)/bin/python -m pytest tests/core tests/runtime -m "not long" $(PYTEST_FLAGS)

test-fast: $(VENV)/.ready  ## The tests that take a moment each, in under a minute: for each change
	$(BIN)/python -m pytest $(FAST) -m "not slow and not long" $(PYTEST_FLAGS)

acceptance: $(VENV)/.ready  ## Run what takes long: trees on 100,000 rows, all bad models, 2.25 GiB of weights, a minute under strace, a Ray cluster that loses a worker
	$(BIN)/pip install $(PIP_FLAGS) ray onnxruntime-ep-openvino
	$(BIN)/python -m pytest -q -s tests/acceptance tests/packager/project/test_build.py
	$(BIN)/python -m pytest -q -m long tests
	$(BIN)/python -m pytest -q tests/runtime/engine

lowest: $(VENV)/.ready $(LOWEST)/.ready  ## Start every command with the lowest versions; pack, serve and compare a model of each framework
	SEALIFT_VERSIONS="lowest=$(LOWEST)" $(BIN)/python -m pytest -q tests/versions

versions: $(VENV)/.ready $(LOWEST)/.ready  ## The tests with the lowest versions and with the newest, and each against the other: a table (ONLY='PATH …' for some)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-lowest.txt torch
	$(BIN)/python tests/versions/run_all.py lowest=$(LOWEST) newest=$(VENV) $(ONLY)

mutants: $(VENV)/.ready $(MUTANTS)/.ready  ## Change the code that decides, a little at a time: at least 95 % must make one of its own tests fail (ONLY='trust verify' for some)
	PYTHONPATH=tests $(BIN)/python -m mutants $(ONLY)

attacks: $(VENV)/.ready  ## Attack a device that serves: hostile clients, servers, media, clocks, keys and hubs, as one report (ONLY='clients media' for some)
	PYTHONPATH=tests $(BIN)/python -m attacks $(ONLY)

check: check-types check-code check-docs check-audit  ## Lint, types, import contracts, docs against the real commands, the offline part of the audit

check-types: $(VENV)/.ready
	$(BIN)/mypy core runtime packager hub tests benchmarks examples docs

check-code: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

check-docs: $(VENV)/.ready
	$(BIN)/python -m pytest -q tests/docs

check-audit: $(VENV)/.ready
	$(BIN)/python -m pytest -q tests/audit

audit: check-code check-audit $(AUDIT)/.ready  ## Look for weak code, slow parsers and, over the network, known vulnerabilities of pinned packages
	$(BIN)/python tests/support/advisories.py $(AUDIT)/bin/pip-audit constraints.txt

fix: $(VENV)/.ready  ## Format, and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tests/support/help_pages.py

docs: $(DOCS)/.ready  ## Build the documentation as a site in build/site; a broken link or anchor, or anything loaded from elsewhere, fails
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict
	$(DOCS)/bin/python tests/support/built_site.py build/site

screenshots: $(VENV)/.ready  ## Make the pictures in docs/images anew: runs the demo, and needs Chromium (Debian: apt-get install chromium)
	$(BIN)/python docs/images/make.py

bench: $(VENV)/.ready  ## Measure what the README states
	$(BIN)/python -m benchmarks

bench-packager: $(VENV)/.ready  ## Compare the packager with Olive and onnxruntime's quantizers, write docs/reference/benchmarks-packager.md (BENCH=--quick for a look)
	$(BIN)/pip install $(PIP_FLAGS) --no-deps -r examples/models/requirements.txt
	$(BIN)/python -m benchmarks.packager $(BENCH)

fuzz-packager: $(VENV)/.ready  ## Hold converted models against their sources on random tables (CASES=2000, SEED=n replays one)
	PYTHONPATH=tests OMP_NUM_THREADS=1 CASES=$(or $(CASES),2000) SEED=$(SEED) $(BIN)/python -m fuzz

compat: $(VENV)/.ready  ## Pack every model of examples/models and write docs/reference/compatibility.md (COMPAT='--only torch' for some)
	$(BIN)/pip install $(PIP_FLAGS) --no-deps -r examples/models/requirements.txt
	$(BIN)/python examples/models/compat.py $(COMPAT)

arm-root: $(VENV)/.ready  ## Make build/arm64-root: an Arm Python for int8 accuracy under qemu-aarch64 (Debian)
	packager/arm64-root.sh build/arm64-root $(BIN)/python

clean:  ## Remove what the targets above made
	rm -rf $(VENV) $(CLEAN) $(SIGNING) $(AUDIT) $(DOCS) $(MUTANTS) $(LOWEST) build .demo .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
