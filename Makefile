# Two commands for newcomers: `make lab` and `make test`. Both set up a local .venv first.
#   make lab LAB_ARGS=--no-browser      JupyterLab on the first notebook
#   make test PYTEST_ARGS="-k timeout"  every test (as root: the limits a second time as an ordinary user)
#   make check                          what a change passes: ruff, mypy --strict, tsc, notebooks without outputs
#   make format, make bench, make lock, make clean

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.installed
LOCK := requirements/dev.txt
CHART := lambdanb/notebook/static/chart.js
CHART_SOURCES := $(wildcard labextension/*.json labextension/src/*/*)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)
# The address that is printed opens it, with or without a browser at hand.
FIRST := notebooks/01-first-function.ipynb
LAB_ARGS ?=
PYTEST_ARGS ?=
# JupyterLab asks root to say so; in a container there is often nobody else.
AS_ROOT := $(if $(filter 0,$(shell id -u)),yes)

.PHONY: lab test check format bench lock clean

# Notebooks and JupyterLab's terminals find `lambdanb` and `aws`.
lab: $(STAMP) $(CHART)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(PYTHON) -m jupyterlab $(if $(AS_ROOT),--allow-root) --LabApp.default_url=/lab/tree/$(FIRST) $(LAB_ARGS)

test: $(STAMP) $(CHART)
	$(PYTHON) -m pytest $(PYTEST_ARGS)
ifeq ($(AS_ROOT),yes)
	$(PYTHON) tests/as_nobody.py -m limits tests/sandbox tests/executor
endif

check: $(STAMP)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) hatch_build.py check
ifneq ($(NOTEBOOKS),)
	$(VENV)/bin/nbstripout --verify $(NOTEBOOKS)
endif

format: $(STAMP)
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .
ifneq ($(NOTEBOOKS),)
	$(VENV)/bin/nbstripout $(NOTEBOOKS)
endif

bench: $(STAMP)
	$(PYTHON) benchmarks/import_time.py
	$(PYTHON) benchmarks/invoke.py
	$(PYTHON) benchmarks/cold_start.py

# Python comes from tools/find_python.sh, which says in one line what is missing. --no-deps: the lock has them all, one against
# its own pin (docs/decisions/0012-emulator.md). --no-build-isolation: hatchling is in the lock.
$(STAMP): pyproject.toml $(LOCK)
	@set -e; if [ ! -x $(PYTHON) ] || ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
		python=$$(sh tools/find_python.sh); "$$python" -m venv --clear $(VENV); fi
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --requirement $(LOCK)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# With the machine's npm, or with the one that the lock brings. Where it can't, the notebook does without the live chart.
$(CHART): $(CHART_SOURCES) | $(STAMP)
	-$(PYTHON) hatch_build.py

# New versions for everybody: see CONTRIBUTING.md. uv is used here and nowhere else.
lock: $(STAMP)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --upgrade --extra dev --extra bench \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links --output-file $(LOCK) pyproject.toml

clean:
	rm -rf $(VENV) lambdanb/notebook/static labextension/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
