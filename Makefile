# Everything on a fresh machine with Python 3.11 or newer and make: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# A process on every core; threads of torch that wait for each other beside other work take very long.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8

.DEFAULT_GOAL := help
.PHONY: help demo test long check rest format bench docs reference weights clean

help:
	@echo "make demo    build, verify, show and deblur a dataset of built-in scenes, in demo/"
	@echo "make test    run the tests"
	@echo "make long    run the tests that take minutes"
	@echo "make check   format, lint, types, tests and docs, as before a commit"
	@echo "make bench   measure speed against plain baselines"
	@echo "make docs    build the documentation, in site/"
	@echo "make reference write docs/commands.md again, of the commands"
	@echo "make weights train the network in the box again, of your photos and videos"

# One stamp for each set of dependencies; a change of what is to be installed installs it again.
$(VENV)/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0] + "; give another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/ssdm: $(VENV)/core
	$(PIP_INSTALL) --editable '.[ssdm,report]'
	touch $@

$(VENV)/dev: $(VENV)/core
	$(PIP_INSTALL) --editable '.[ssdm,report,cluster,remote,dev]'
	touch $@

$(VENV)/docs: $(VENV)/core
	$(PIP_INSTALL) --editable '.[docs]'
	touch $@

demo: $(VENV)/ssdm
	$(BIN)/spikesim demo --out demo

test: $(VENV)/dev
	$(TESTS) --dist loadfile -m "not long"

# What takes minutes, test by test on whichever core is free.
long: $(VENV)/dev
	$(TESTS) --dist load -m long

check: rest test long

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

reference: $(VENV)/dev
	$(BIN)/python -m spikesim_cli.command_reference docs/commands.md

# The network in the box, trained again: data, training and file, in hours. After an interruption, run it again.
BOX := runs/box
PRECISION ?= bfloat16
TRAINING := --light --sharp sequence
weights: $(VENV)/ssdm
	@test -n "$(PHOTOS)" -a -n "$(CLIPS)" || { echo "give a folder of photos and videos: make weights PHOTOS=photos CLIPS='cups.mp4 coffee.mp4'"; exit 2; }
	$(BIN)/spikesim build "photo:$(PHOTOS)#2000" --side 256 --out $(BOX)/data/photos $(TRAINING)
	$(BIN)/spikesim build "photo:$(PHOTOS)#500" --side 256 --out $(BOX)/data/short $(TRAINING) --exposure-frames 7 --seed 1
	$(BIN)/spikesim build $(CLIPS) --out $(BOX)/data/clips $(TRAINING)
	$(BIN)/spikesim build $(CLIPS) --out $(BOX)/data/clips-short $(TRAINING) --exposure-frames 9
	$(BIN)/spikesim build $(CLIPS) --out $(BOX)/data/clips-long $(TRAINING) --exposure-frames 17
	$(BIN)/spikesim train-ssdm --data $(BOX)/data --out $(BOX) --stage multi_exposure --precision $(PRECISION)
	$(BIN)/python -m ssdm_models.shipped $(BOX)/multi_exposure.safetensors

clean:
	rm -rf $(VENV) build dist site demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
