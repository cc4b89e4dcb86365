# make demo shows it at work, make test proves it; make help lists the rest.

PYTHON ?= python3
VENV ?= .venv
# Where pip finds torch first. PyPI's own build brings gigabytes of CUDA libraries, which Nightread
# does not need: name PyTorch's index of CPU builds here. Empty: wherever pip is set up to look.
TORCH_INDEX ?=

# Test files at the same time. Many wait for a server rather than for a core.
WORKERS ?= 3

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
BENCHMARKS := $(filter-out __init__ __main__,$(basename $(notdir $(wildcard benchmarks/*.py))))

# A release's code, which the tests of the next one run (tests/test_upgrade.py); no weights.
PACKAGES := dicom_listener migrations models night nightread pacs phantoms screening worker worklist
COMMIT ?= $(RELEASE)

.PHONY: help demo test check format bench soak archive servers clean

help:
	@echo 'make demo              see it at work: samples are sent, screened and listed; Ctrl-C stops'
	@echo 'make demo ONCE=1       the same, and stop when all are screened'
	@echo 'make demo IMAGES=DIR   with your own images: DICOM as they are, JPEG and PNG wrapped'
	@echo 'make test              all tests, with real servers'
	@echo 'make check             format, lint, types, imports'
	@echo 'make format            put the format right'
	@echo 'make bench             the benchmarks; QUICK=1 for a short run'
	@echo 'make soak              long runs under load and faults'
	@echo 'make archive RELEASE=v0.1.0  keep a release for the tests of the next; COMMIT= before its tag'
	@echo 'make clean             remove what was built; data folders stay'
	@echo
	@echo 'PYTHON=$(PYTHON) (3.11 or 3.12), VENV=$(VENV)'

demo: $(VENV)/.demo
	@$(BIN)/nightread demo $(if $(ONCE),--once) $(if $(IMAGES),--images '$(IMAGES)')

test: $(VENV)/.dev servers
	$(BIN)/python -m pytest -m 'not soak' -n $(WORKERS) --dist worksteal $(PYTEST)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev servers
	@set -e; for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(BIN)/python -m benchmarks.$$name $(if $(QUICK),--quick); done

soak: $(VENV)/.dev servers
	$(BIN)/python -m pytest -m soak --timeout 0 $(PYTEST)

archive:
	@test -n '$(RELEASE)' || { echo 'Name it: make archive RELEASE=v0.1.0' >&2; exit 1; }
	git archive --format=tar --output=tests/releases/new.tar $(COMMIT) -- \
	  $(PACKAGES) pyproject.toml ':(exclude)models/bundles'
	@rm -f tests/releases/*.tar.xz
	xz -9e tests/releases/new.tar
	@mv tests/releases/new.tar.xz tests/releases/nightread-$(RELEASE:v%=%).tar.xz

# Redis, PostgreSQL, DCMTK, Orthanc, Chromium, rsyslog, promtool, and docker-compose, which reads a file: the
# tests start and stop them themselves.
servers:
	@sh .ci/install-servers

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo 'Python 3.11 or 3.12 is needed: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Each stamp says that its extras are installed as pyproject.toml and constraints.txt ask.
$(VENV)/.torch: $(VENV)/bin/python
	@if [ -n '$(TORCH_INDEX)' ]; then \
	  $(PIP) install -q --index-url $(TORCH_INDEX) $$(grep '^torch==' constraints.txt); fi
	@touch $@

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/.torch
	@echo 'Installing into $(VENV): about 1.2 GB, once'
	@$(PIP) install -q -c constraints.txt -e '.[listener,worker,worklist,embedded]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.torch
	@echo 'Installing into $(VENV), tools for development included: about 1.4 GB, once'
	@$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.demo $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
