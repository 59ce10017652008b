# The commands of the project. Everything runs in .venv, which is made on first use.

# The distribution's own Python, where it is new enough. It is built with optimisations (profile-guided, at link time) that
# pyenv leaves out unless it is told otherwise; without them a request takes up to a quarter more CPU.
NEW_ENOUGH := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell /usr/bin/python3 -c '$(NEW_ENOUGH)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
BIN := .venv/bin
export PYTHONPATH := examples/shop:examples/chinook:examples/clinic/src
# The tests start hundreds of processes: without bytecode each of them would compile the whole source again.
unexport PYTHONDONTWRITEBYTECODE

# How many processes share the tests: one more than two cores, since they wait for others for a quarter of their time.
WORKERS ?= 3
# Of the slow ones many load the machine themselves.
SLOW_WORKERS ?= 2

.PHONY: demo test test-slow soak check bench bench-scale bench-mechanisms bench-versus lock clean

## demo: the shop with sample data on http://127.0.0.1:8000 (PORT, DEMO_DIR and STERNPOST_* are respected)
demo: .venv/.demo-installed
	@exec $(BIN)/python -m shop.demo

## test: sets up what the tests need and runs all of them but the slow proofs (WORKERS, ARGS="…" for pytest)
test: .venv/.installed
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" $(ARGS)

## test-slow: the proofs of many rounds: faults, many schedules, migrations at random
test-slow: .venv/.installed
	@$(BIN)/python -m pytest -n $(SLOW_WORKERS) --dist worksteal -m slow $(ARGS)

## soak: half an hour under load and faults (STERNPOST_SOAK_SECONDS, STERNPOST_SOAK_SHARE)
soak: .venv/.installed
	@$(BIN)/python -m tests.faults.soak $(ARGS)

## check: style, types, layers, and whether the lock file is current
check: .venv/.installed
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/sternpost migrate verify --database sqlite
	$(BIN)/uv lock --check

## bench: what a request costs, against other frameworks; writes docs/explanation/performance.md (ARGS="--quick": a short look)
bench: .venv/.installed
	@$(BIN)/python -m benchmarks $(ARGS)

## bench-scale: how that changes with rows, resources and connections (ARGS="--quick": a short look)
bench-scale: .venv/.installed
	@$(BIN)/python -m benchmarks scale $(ARGS)

## bench-mechanisms: what each mechanism costs a request (ARGS="--quick": a short look)
bench-mechanisms: .venv/.installed
	@$(BIN)/python -m benchmarks mechanisms $(ARGS)

## bench-versus: what a request costs here and at another commit: REF=main (ARGS="--quick": a short look)
bench-versus: .venv/.installed
	@$(BIN)/python -m benchmarks versus $(or $(REF),$(error say what to compare with: make bench-versus REF=main)) $(ARGS)

## lock: after a change of dependencies
lock: .venv/.installed
	$(BIN)/uv lock

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=…") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv

# What serving needs, with pip alone.
.venv/.demo-installed: .venv/bin/python pyproject.toml
	@echo "installing Sternpost into .venv (once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[postgresql]'
	@touch $@

# Everything that tests and checks need, in the versions of the lock file.
.venv/.installed: .venv/bin/python pyproject.toml uv.lock
	@echo "installing the locked development environment into .venv (once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@$(BIN)/uv sync --quiet --locked --all-extras --python $(BIN)/python
	@touch $@ .venv/.demo-installed

clean:
	rm -rf .venv .demo .bench .pytest_cache .ruff_cache
