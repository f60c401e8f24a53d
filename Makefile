# Two commands: `make demo` to see something, `make test` to prove it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# Where torch comes from, if not from the usual index: https://download.pytorch.org/whl/cpu has it without CUDA.
TORCH_INDEX ?=

.PHONY: demo test test-slow test-matrix fuzz bench docs site tour clean

demo: $(VENV)/installed
	$(BIN)/cnndsl build archs/vgg11.yaml

test: $(VENV)/tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2

# The recipes of archs/ at their real size, and LeNet to its end on real data: another ten minutes.
test-slow: $(VENV)/tested-with
	$(BIN)/python -m pytest -n 2 -m slow

# Every layer with every value of every argument, one layer at a time: half an hour and up to 14 GB of address space.
test-matrix: $(VENV)/tested-with
	$(BIN)/python -m pytest -m exhaustive

# Unlikely specs, for as many seconds as you like: `make fuzz SECONDS=600`.
SECONDS ?= 60
fuzz: $(VENV)/tested-with
	$(BIN)/python tests/fuzzing.py --seconds $(SECONDS)

# Every benchmark beside its peers, into docs/performance.md: twenty minutes on an idle machine, and 2 GB of disk for the
# peers. `make bench ROUNDS=3` is shorter.
ROUNDS ?=
bench: $(VENV)/measured-with
	$(BIN)/python benchmarks/page.py $(if $(ROUNDS),--rounds $(ROUNDS))

# The generated pages and pictures in docs/.
docs: $(VENV)/installed
	$(BIN)/python docs/generate.py

# The pages as a site, in build/site/site; `python -m http.server -d build/site/site` shows it, with its search.
site: $(VENV)/sited-with
	$(BIN)/python docs/website.py

# docs/tour.ipynb with its outputs, from docs/tour.py.
tour: $(VENV)/tested-with
	$(BIN)/python docs/notebook.py

clean:
	rm -rf $(VENV) build

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing cnndsl into $(VENV). Torch takes minutes and gigabytes; README.md says how to install it without CUDA."
	$(if $(TORCH_INDEX),$(PIP) torch torchvision --index-url $(TORCH_INDEX))
	$(PIP) --editable .
	touch $@

$(VENV)/tested-with: pyproject.toml $(VENV)/installed
	@echo "Installing the development tools into $(VENV)."
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/sited-with: pyproject.toml $(VENV)/installed
	@echo "Installing Zensical into $(VENV)."
	$(PIP) --editable '.[site]'
	touch $@

$(VENV)/measured-with: pyproject.toml $(VENV)/installed
	@echo "Installing the peers of the benchmarks into $(VENV)."
	$(PIP) --editable '.[bench]'
	touch $@
