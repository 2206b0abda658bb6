# The house's commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait, for a deadline or a server, more than they work; so more of them at once than there are cores.
AT_ONCE := --numprocesses $(or $(JOBS),3) --dist loadfile --no-loadscope-reorder
CLIENTS := tests/conformance/node
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run test conformance chaos soak bench measured check format lock proto docs explorer servers clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@echo "Setting up the virtual environment in $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked dependencies ..."
	@$(PIP) install --require-hashes -r requirements/run.lock -r requirements/build.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "Installing the tools of development ..."
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.conformance: requirements/conformance.lock $(VENV)/.dev
	@echo "Installing the tools of conformance: Python's ..."
	@$(PIP) install --require-hashes -r requirements/conformance.lock
	@touch $@

# npm removes what it installed before, and this with it: an installation broken off is made anew.
$(CLIENTS)/node_modules/.installed: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(CLIENTS)/.npmrc
	@command -v npm >/dev/null || { echo "Conformance needs Node 20.19, 22.12 or newer, and npm"; exit 1; }
	@echo "Installing the tools of conformance: Node's ..."
	@cd $(CLIENTS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(VENV)/.deploy: requirements/deploy.lock $(VENV)/.dev
	@echo "Installing what checks deploy/ ..."
	@$(PIP) install --require-hashes -r requirements/deploy.lock
	@touch $@

run: $(VENV)/.run explorer ## serve the whole product on http://127.0.0.1:8000 from embedded parts
	@exec $(BIN)/homestay run

explorer: ## build the GraphiQL page once (a plain page serves where npm is missing)
	@bff/explorer/build.sh

servers: ## install MariaDB, Redis, RabbitMQ and Chromium for the tests where that is possible (Debian, root)
	@sh tests/servers.sh

test: $(VENV)/.dev explorer servers ## pass the tests, on servers of their own (ARGS='-s tests/bff' for one process)
	@$(BIN)/python -m pytest $(or $(ARGS),$(AT_ONCE))

conformance: $(VENV)/.conformance $(CLIENTS)/node_modules/.installed explorer servers ## run clients and tools of others, and a browser (ARGS='--only urql')
	@$(BIN)/python -m tests.conformance $(ARGS)

chaos: $(VENV)/.dev servers ## break everything under traffic for about an hour (ROUNDS=100 SEED=… ARGS=--write docs/chaos.md)
	@$(BIN)/python -m tests.chaos --rounds $(or $(ROUNDS),100) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: $(VENV)/.dev servers ## give a whole installation guests for long, and look for what grows (MINUTES=60 ARGS='--pace 25')
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),60) $(ARGS)

# Python is measured compiled with profiles, as Debian and the image of deploy/ have it and pyenv has not: it is a fifth
# faster. An environment of its own, so that it is the same one whatever python3 is in the others.
BENCH_PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo /usr/bin/python3 || echo $(PYTHON))
RESULTS := build/benchmarks

bench: servers ## measure the edge beside its peers, how fast orders close, what pending ones cost (ARGS=--quick HUGE=1)
	@$(MAKE) --no-print-directory VENV=benchmarks/.venv PYTHON=$(BENCH_PYTHON) measured

measured: $(VENV)/.dev
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.closing $(ARGS) --result $(RESULTS)/closing.json
	@$(BIN)/python -m benchmarks.pending $(ARGS) --result $(RESULTS)/pending.json
	@$(BIN)/python -m benchmarks.hostile $(ARGS)
	@$(BIN)/python -m benchmarks.edge $(ARGS) --closing $(RESULTS)/closing.json --pending $(RESULTS)/pending.json \
		$(if $(HUGE),--huge) $(if $(PAGE),--write $(PAGE))

check: $(VENV)/.deploy ## format, lint, types, house rules, what deploys it
	@$(BIN)/ruff format --check --quiet . && echo "format  ok"
	@$(BIN)/ruff check --quiet . && echo "lint    ok"
	@$(BIN)/mypy --no-error-summary . && echo "types   ok"
	@$(BIN)/lint-imports >/dev/null || { $(BIN)/lint-imports; exit 1; }; echo "imports ok"
	@$(BIN)/python -m pytest --quiet --no-header --no-summary --noconftest -p no:xdist tests/test_house.py -k 'not imports' >/dev/null \
		|| { $(BIN)/python -m pytest --quiet tests/test_house.py; exit 1; }; echo "house   ok"
	@$(BIN)/python deploy/check.py && echo "deploy  ok"

format: $(VENV)/.dev ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

proto: $(VENV)/.dev ## generate the gRPC modules anew from proto/*.proto
	@$(BIN)/python -m proto

docs: $(VENV)/.dev ## write the tables of error codes, settings and commands in docs/ anew
	@$(BIN)/python -m bff.errors_page docs/errors.md
	@$(BIN)/python -m bff.cli.pages docs/settings.md docs/command-line.md

lock: $(VENV)/.dev ## resolve the dependencies anew and pin them with their hashes
	@$(BIN)/python requirements/lock.py

clean: ## remove what the commands made, but not var/ (your orders)
	@rm -rf $(VENV) benchmarks/.venv build bff/explorer/build bff/explorer/node_modules $(CLIENTS)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
