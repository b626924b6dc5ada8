# Every target that CI runs, a person runs too. `make setup` builds .venv alone; the others build it where they must.
SHELL := /bin/bash
PYTEST ?= .venv/bin/python -m pytest

.PHONY: setup up down check test bench lock image
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/'

setup:  ## build .venv with what the system needs to run
	@cluster/bootstrap.sh run

up: setup  ## bring the system up and stay until Ctrl-C
	@.venv/bin/schoolos up

down:  ## stop it
	@.venv/bin/schoolos down

check:  ## lint, format, types, import rules
	@cluster/bootstrap.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test:  ## every test, also beside a running `make up`
	@cluster/bootstrap.sh dev
	$(PYTEST) $(TESTS)

bench:  ## print the benchmarks' figures
	@cluster/bootstrap.sh dev
	@for name in $(BENCHMARKS); do \
	  echo "== $$name"; .venv/bin/python -m tests.benchmarks.$$name || exit 1; done
BENCHMARKS ?= marks importing demo_school events http notifications digests report_printing report_cards timetable

lock:  ## resolve pyproject.toml's dependencies anew into requirements*.txt
	@cluster/bootstrap.sh dev
	.venv/bin/uv pip compile $(LOCK) pyproject.toml -o requirements.txt
	.venv/bin/uv pip compile $(LOCK) --extra dev pyproject.toml -o requirements-dev.txt
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-header --no-annotate

image:  ## build the container image
	docker build --tag schoolos --file cluster/image/Dockerfile .
