# Everything runs in a virtual environment that these targets make: nothing to install by hand but Python.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test check format graphs benchmarks clean

# The main job on the bundled demo model: convert, load in the LiteRT-LM engine, answer prompts.
demo: $(VENV)/base
	$(BIN)/edgekit demo

# Lint, types, and every test; the first run also installs torch and the exporter (several GB).
test: check
	$(BIN)/python -m pytest

check: $(VENV)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Capture the graphs that ship inside edgekit anew.
graphs: $(VENV)/all
	$(BIN)/python -m edgekit_converters.ship

benchmarks: $(VENV)/all
	$(BIN)/python benchmarks/convert.py
	$(BIN)/python benchmarks/engine.py

clean:
	rm -rf $(VENV) build dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	touch $@

$(VENV)/all: $(VENV)/base converters/pyproject.toml
	$(PIP) --editable ".[reference,dev]" --editable converters
	touch $@
