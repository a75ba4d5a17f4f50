# The tasks of this repository, for people and CI alike.
.DEFAULT_GOAL := help
.PHONY: help demo test fast check docs bench

unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

UV_VERSION := 0.13.8
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.uv/bin/uv)
# The generated repositories find the same uv.
export PATH := $(dir $(UV)):$(PATH)
RUN := $(UV) run --quiet
UV_NEEDED := $(filter $(CURDIR)/.uv/bin/uv,$(UV))
# Tests run side by side; each needs about a gigabyte.
JOBS ?= 2

help:  ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(CURDIR)/.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

demo: $(UV_NEEDED)  ## From a name to a served model, on this machine (KEEP=1 leaves it serving)
	@$(RUN) --no-default-groups --group template python scripts/demo.py $(if $(KEEP),--keep)

test: check  ## Everything: lint, types, and all tests
	$(RUN) pytest -n $(JOBS) --dist worksteal -m "not slow"
	$(RUN) pytest -n $(JOBS) --dist worksteal -m slow

fast: $(UV_NEEDED)  ## The tests that take seconds
	$(RUN) pytest -n $(JOBS) -m "not slow"

check: $(UV_NEEDED)  ## Format, lint and types of this repository
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy

docs: $(UV_NEEDED)  ## Build the documentation site into site/
	$(RUN) --group docs python scripts/reference.py
	$(RUN) --group docs mkdocs build --strict --quiet

bench: $(UV_NEEDED)  ## Measure generation and serving beside their peers
	$(RUN) python benchmarks/generation.py
	$(RUN) python benchmarks/serving.py
