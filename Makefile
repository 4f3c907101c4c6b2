# Everything a person does with this repository. Needs python3 (3.11 or newer, with venv) and make; nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
# Parallel test workers; each starts its own PostgreSQL and Redis.
JOBS ?= 2
# Passed on to the program a target runs, e.g. make demo ARGS="--items 1000 --port 8080"
ARGS ?=
# Where the demo runs that pictures are taken of, and for how many minutes it is asked before.
URL ?= http://127.0.0.1:8000
MINUTES ?= 6

BIN := $(VENV)/bin
# --only-binary: no compiler is needed, and no package runs a build script of its own.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all:
INSTALL_SELF := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Options for a program go into ARGS: make demo ARGS="--items 1000 --port 8080"'

.PHONY: demo
demo: $(VENV)/.installed ## Start PostgreSQL and Redis, fill a gallery, serve it; Ctrl-C stops it all
	@$(BIN)/pinakes demo $(ARGS)

.PHONY: serve
serve: $(VENV)/.installed ## Serve the gallery that is there, without filling anything
	@$(BIN)/pinakes serve $(ARGS)

.PHONY: bench
bench: $(VENV)/.dev ## Measure engines beside their peers, every answer checked
	@$(BIN)/pinakes bench $(ARGS)

##@ Check

.PHONY: test
test: lint types ## Everything CI checks: lint, types and all tests
	$(BIN)/pytest -n $(JOBS) $(ARGS)

.PHONY: test-fast
test-fast: $(VENV)/.dev ## Only the quick tests: the query language and the structure
	$(BIN)/pytest tests/query tests/test_structure.py $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## Style and formatting, without changing anything
	$(BIN)/ruff check
	$(BIN)/ruff format --check

.PHONY: types
types: $(VENV)/.dev ## Static types, strict
	$(BIN)/mypy

.PHONY: chaos
chaos: $(VENV)/.dev ## Break servers, connections and processes for minutes under checked load
	PYTHONPATH=tests $(BIN)/python -m faults.chaos $(ARGS)

.PHONY: docs-check
docs-check: $(VENV)/.dev ## Are the generated reference pages up to date?
	$(BIN)/python -m pinakes.cli.reference --check

# In an environment of its own, so that what is listed is what an installation has and nothing else. The
# list of known weaknesses is asked over the network; where it cannot be reached, the target says so and fails.
.PHONY: audit
audit: $(VENV)/.installed ## Known weaknesses of the dependencies, and sbom.json: what an installation is made of
	test -d $(VENV)/supply || $(PYTHON) -m venv $(VENV)/supply
	$(VENV)/supply/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement requirements-supply.txt
	$(VENV)/supply/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --of JSON --output-file sbom.json
	@echo "sbom.json lists what an installation is made of"
	@$(VENV)/supply/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt --progress-spinner off \
		|| { echo "pip-audit found something, or its database could not be reached: read the lines above" >&2; exit 1; }

##@ Change

.PHONY: pictures
pictures: $(VENV)/.dev ## Take the pictures of the documentation anew, of the demo that runs at URL
	$(BIN)/python tests/browser/pictures.py $(URL) docs/images $(MINUTES)

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code and fix what can be fixed safely
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: docs
docs: $(VENV)/.dev ## Write the generated reference pages anew
	$(BIN)/python -m pinakes.cli.reference

.PHONY: schema
schema: $(VENV)/.dev ## Describe the schema anew, after a migration was added or changed
	$(BIN)/python -m pinakes.cli.describe

.PHONY: requirements
requirements: $(VENV)/.dev ## Pin the dependencies of pyproject.toml anew; UPGRADE=1 takes the newest versions
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra build --output-file requirements.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra build --extra bench --extra dev --constraint requirements.txt --output-file requirements-dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra supply --constraint requirements-dev.txt --output-file requirements-supply.txt

.PHONY: clean
clean: ## Remove the environment and caches; galleries (pinakes-data) stay
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Installing: the stamps say which of the two sets is in place, so that a second run installs nothing.

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Pinakes needs Python 3.11 or newer; say which with make PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/pip
	$(INSTALL) --requirement requirements.txt
	$(INSTALL_SELF)
	@touch $@

# The development set contains the other one.
$(VENV)/.dev: requirements-dev.txt requirements.txt pyproject.toml | $(BIN)/pip
	$(INSTALL) --requirement requirements-dev.txt
	$(INSTALL_SELF)
	@touch $(VENV)/.installed $@
