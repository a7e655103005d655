# Everything on a fresh machine with Python 3.11 or newer and make: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test check rest format bench docs clean

help:
	@echo "make demo    build, verify, show and deblur a dataset of built-in scenes, in demo/"
	@echo "make test    run the tests"
	@echo "make check   format, lint, types, tests and docs, as before a commit"
	@echo "make bench   measure speed against plain baselines"
	@echo "make docs    build the documentation, in site/"

# One stamp for each set of dependencies; a change of what is to be installed installs it again.
$(VENV)/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; give another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/ssdm: $(VENV)/core
	$(PIP_INSTALL) --editable '.[ssdm]'
	touch $@

$(VENV)/dev: $(VENV)/core
	$(PIP_INSTALL) --editable '.[ssdm,dev]'
	touch $@

$(VENV)/docs: $(VENV)/core
	$(PIP_INSTALL) --editable '.[docs]'
	touch $@

demo: $(VENV)/ssdm
	$(BIN)/spikesim demo --out demo

test: $(VENV)/dev
	$(BIN)/python -m pytest

check: rest test

# All of `check` but the tests.
rest: $(VENV)/dev $(VENV)/docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --quiet --strict

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/dev
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
