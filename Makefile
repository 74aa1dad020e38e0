# make demo        environment, install, and one stylised portrait in demo/bronze
# make test        environment with test tools, style and type checks, the default tests
# make test-thorough   tests of some seconds each that look closer; continuous integration runs them too
# make test-slow   the tests that take minutes
# make lint        style, spelling and type checks alone
# make docs        the docs site, in site/; a warning is an error
# make clean       removes the environment, caches and the demo's results
#
# VENV=folder uses another environment; PYTHON=python3.12 builds it with another interpreter;
# WORKERS=4 runs the default tests in four processes of one thread each.

VENV ?= .venv
PYTHON ?= python3
WORKERS ?= 2
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet
TORCH := $(shell sed -n 's/^ *"\(torch[<>=][^"]*\)".*/\1/p' pyproject.toml)

# Without an NVIDIA GPU, torch's build for CPUs comes first: it is a tenth of the other one.
define INSTALL_SMALL_TORCH
@command -v nvidia-smi > /dev/null \
	|| $(INSTALL) --no-deps "$(TORCH)" --retries 1 --timeout 15 --index-url https://download.pytorch.org/whl/cpu \
	|| echo "the small build of torch was not found; the large one follows"
endef

# Tests start hundreds of processes, which would compile the package anew each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-thorough test-slow lint docs clean

demo: $(VENV)/.installed
	$(BIN)/triptych stylize "a bronze statue" --identity 7 --out demo/bronze --overwrite
	$(BIN)/triptych export demo/bronze/portrait.safetensors --html demo/bronze/portrait.html --overwrite
	@echo "open demo/bronze/portrait.html in a browser and turn the head"

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=15

test-thorough: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m thorough

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow --timeout=3600

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv build dist site src/*.egg-info demo .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "installing triptych and what it needs into $(VENV) (about 1 GB, a few minutes)"
	$(INSTALL_SMALL_TORCH)
	$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "installing triptych with all extras and test tools into $(VENV) (about 2.5 GB, some minutes)"
	$(INSTALL_SMALL_TORCH)
	$(INSTALL) -e ".[dev]"
	@touch $@ $(VENV)/.installed
