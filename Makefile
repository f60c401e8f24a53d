# Two commands: `make demo` to see something, `make test` to prove it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow fuzz docs clean

demo: $(VENV)/installed
	$(BIN)/cnndsl build archs/vgg11.yaml

test: $(VENV)/tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

# The recipes of archs/, at their real size, and LeNet to its end on real data: another ten minutes.
test-slow: $(VENV)/tested-with
	$(BIN)/python -m pytest -n 2 -m slow

# Specs that nobody would write, for as long as one likes: `make fuzz SECONDS=600`.
SECONDS ?= 60
fuzz: $(VENV)/tested-with
	$(BIN)/python tests/fuzzing.py --seconds $(SECONDS)

# The pages and pictures in docs/ that are generated.
docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/tested-with: pyproject.toml $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
