# The tasks of this repository, for people and CI alike.
.DEFAULT_GOAL := help
.PHONY: help demo test fast check docs bench preview up destroy outputs policy evidence cost diagram snapshots

unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

UV_VERSION := 0.13.8
UV := $(or $(shell command -v uv 2>/dev/null),$(CURDIR)/.uv/bin/uv)
UV_NEEDED := $(filter $(CURDIR)/.uv/bin/uv,$(UV))
# The generated repositories find the uv that is fetched here; one that is on the PATH, they find by themselves.
ifneq ($(UV_NEEDED),)
export PATH := $(CURDIR)/.uv/bin:$(PATH)
endif
RUN := $(UV) run --quiet
# Infrastructure has an environment of its own: Pulumi's libraries and the template's tests do not mix.
INFRA := $(UV) run --quiet --directory infra
POLICY := $(UV) run --quiet --directory policies
ENV ?= local
STACK ?= $(ENV)
# Tests run side by side; each needs about a gigabyte.
JOBS ?= 2
# The engine waits more than it works.
ENGINES ?= 4

help:  ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(CURDIR)/.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

demo: $(UV_NEEDED)  ## One set of answers, from nothing to a governed environment, on this machine (KEEP=1 leaves it running, FRESH=1 begins anew)
	@$(RUN) --no-default-groups --group template python scripts/demo.py $(if $(KEEP),--keep) $(if $(FRESH),--fresh)

test: check  ## Everything: lint, types, and all tests
	$(RUN) pytest -n $(JOBS) --dist worksteal -m "not slow"
	$(INFRA) pytest -n $(JOBS) --dist loadfile -m "not slow"
	$(POLICY) pytest -n $(JOBS) --dist loadfile -m "not slow"
	$(INFRA) pytest -n $(ENGINES) --dist worksteal -m slow --durations 10
	$(POLICY) pytest -n $(JOBS) --dist worksteal -m slow
	$(RUN) pytest -n $(JOBS) --dist worksteal -m slow --durations 20

fast: $(UV_NEEDED)  ## The tests that take seconds
	$(RUN) pytest -n $(JOBS) -m "not slow"
	$(INFRA) pytest -n $(JOBS) -m "not slow"
	$(POLICY) pytest -n $(JOBS) -m "not slow"

check: $(UV_NEEDED)  ## Format, lint and types of this repository
	$(RUN) ruff format --check
	$(RUN) ruff check
	$(RUN) mypy
	$(INFRA) ty check --quiet groundplan_infra ../tests/infra
	$(POLICY) ty check --quiet groundplan_policies ../tests/policies

docs: $(UV_NEEDED)  ## Build the documentation site into site/
	$(RUN) --group docs python scripts/reference.py
	$(INFRA) python -m groundplan_infra.schema
	$(POLICY) python -m groundplan_policies.pages ../docs/reference
	$(RUN) --group docs mkdocs build --strict --quiet

bench: $(UV_NEEDED)  ## Measure generation, serving and monitoring beside their peers, and the policies
	$(RUN) python benchmarks/generation.py
	$(RUN) python benchmarks/serving.py
	$(RUN) python benchmarks/monitoring.py
	$(POLICY) python -W ignore ../benchmarks/policies.py

preview: $(UV_NEEDED)  ## What `up` would change in the platform, and what the policies say (ENV=local, dev, staging, prod; local needs no account)
	@$(POLICY) true
	@$(INFRA) python -m groundplan_infra preview --env $(ENV) --policies ../policies

up: $(UV_NEEDED)  ## Bring the platform of an environment to what infra/ says, if the policies hold (ENV=)
	@$(POLICY) true
	@$(INFRA) python -m groundplan_infra up --env $(ENV) --policies ../policies

destroy: $(UV_NEEDED)  ## Remove the platform of an environment (ENV=)
	@$(INFRA) python -m groundplan_infra destroy --env $(ENV)

outputs: $(UV_NEEDED)  ## What the platform offers, as JSON (ENV=)
	@$(INFRA) python -m groundplan_infra outputs --env $(ENV)

policy: $(UV_NEEDED)  ## Hold a stack to the policies, without an engine and without a cloud (STACK=)
	@$(POLICY) python -W ignore -m groundplan_policies check --program ../infra --stack $(STACK)

evidence: $(UV_NEEDED)  ## How every control stands, for auditors: build/evidence/ (STACK=, GRAPH= an exported stack, REPOSITORY= a repository)
	@$(POLICY) python -W ignore -m groundplan_policies evidence --program ../infra --stack $(STACK) --out ../build/evidence \
	    $(if $(GRAPH),--graph $(abspath $(GRAPH))) $(if $(REPOSITORY),--repository $(abspath $(REPOSITORY)))

cost: $(UV_NEEDED)  ## What a stack costs a month before data and jobs (STACK=, AGAINST= another to compare with)
	@$(INFRA) python -m groundplan_infra cost --env $(STACK) $(if $(AGAINST),--against $(AGAINST))

diagram: $(UV_NEEDED)  ## The architecture of a stack as a Mermaid flowchart (STACK=, SVG=1 for a picture)
	@$(INFRA) python -m groundplan_infra diagram --env $(STACK) $(if $(SVG),--svg)

snapshots: $(UV_NEEDED)  ## Write the graphs of tests/infra/snapshots anew, after a wanted change; review the difference
	@$(INFRA) python ../tests/infra/test_graph.py
