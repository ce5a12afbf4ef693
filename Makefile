# The front desk. `make` alone lists everything.
UV_VERSION := 0.13.9
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help up down demo test check fuzz contracts arrows bench

help:  ## list every target
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml uv.lock
	@test -x $(BIN)/uv || (python3 -m venv .venv && $(BIN)/pip install --quiet uv==$(UV_VERSION))
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --quiet --frozen --active --all-extras --inexact --compile-bytecode
	@touch $@

up: .venv/.ready  ## start the whole platform on this machine
	@$(BIN)/kept up

down: .venv/.ready  ## stop it; state stays in ./.kept
	@$(BIN)/kept down

demo: .venv/.ready  ## start it and tell the whole story on the Chinook data
	@$(BIN)/kept demo

check: .venv/.ready  ## lint, types, import contracts, tests without servers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -n 2 tests/unit

test: check  ## everything that proves it, against the real servers
	@$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests --ignore=tests/unit --ignore=tests/bench  # two platforms: most of it is waiting

FUZZ_SECONDS ?= 300
fuzz: .venv/.ready  ## properties, then the fuzzers FUZZ_SECONDS (300) each, at random; SEED=<as printed> repeats
	@seed=$(or $(SEED),$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')); echo "SEED=$$seed"; \
	export KEPT_FUZZ_SECONDS=$(FUZZ_SECONDS); $(BIN)/pytest -q -n 2 -m hypothesis tests/unit --hypothesis-seed=$$seed && \
	$(BIN)/pytest -q -s tests/fuzz --hypothesis-seed=$$seed

contracts: .venv/.ready  ## write docs/contracts from the code; refuses what breaks others
	@$(BIN)/python -m tests.contracts.write

arrows: .venv/.ready  ## write Vault's policies, pg_hba.conf, the chart's data and docs/arrows.md from deploy/arrows/arrows.toml
	@$(BIN)/python -m deploy.arrows.write
	@$(BIN)/python -m deploy.helm.write

bench: .venv/.ready  ## measure (about half an hour), and write docs/benchmarks.md
	@$(BIN)/python -m tests.bench
