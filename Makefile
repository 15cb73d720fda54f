# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types floors docs clean
PY := .venv/bin/python

help:
	@echo "make demo    the support desk answers real questions, with traces in Phoenix"
	@echo "make test    the whole suite, with a Docker Engine and bubblewrap really running"
	@echo "make check   lint, types, floors, tests and docs, as CI runs them"
	@echo "make setup   only the virtual environment; make clean removes what was made"

setup:
	@scripts/bootstrap

demo: setup
	@scripts/sandbox
	@$(PY) -m demo

# TESTS narrows it down: make test TESTS=tests/gate
test: setup
	@scripts/with-engine $(PY) -m pytest $(TESTS)

lint: setup
	@scripts/stage "ruff" .venv/bin/ruff check .
	@scripts/stage "ruff format" .venv/bin/ruff format --check .

types: setup
	@scripts/stage "pyright (strict)" .venv/bin/pyright --pythonpath $(PY)

floors: setup
	@scripts/stage "import-linter" .venv/bin/lint-imports

docs: setup
	@scripts/stage "docs" .venv/bin/mkdocs build --strict --quiet --site-dir site

check: lint types floors docs
	@scripts/stage "tests" $(MAKE) --no-print-directory test

clean:
	rm -rf .venv .uv .bailiwick data site dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis
