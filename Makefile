# Everything that make makes is in .venv and out. `make` alone tells what there is to make.

PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
BIN := .venv/bin
PYTEST := HYPOTHESIS_STORAGE_DIRECTORY=out/cache/hypothesis $(BIN)/python -m pytest
WORKERS ?= logical
INSTALLED := .venv/installed

# Modules are compiled at their first import, and kept: a demo and the tests start many processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo test test-fast soak bench check docs lock clean chromium

help:
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-10s %s\n' "$$name" "$$what"; done

demo: $(INSTALLED)  ## the whole road on this machine, step by step; KEEP=1 leaves it running
	@$(BIN)/optimai demo $(if $(KEEP),--keep)

test: $(INSTALLED) chromium  ## every test but the soak tests
	@$(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS)

test-fast: $(INSTALLED)  ## the tests that take no browser and no whole network
	@$(PYTEST) -n $(WORKERS) --dist worksteal -m 'not slow and not soak' $(ARGS)

soak: $(INSTALLED)  ## the tests that take minutes to hours
	@$(PYTEST) -m soak $(ARGS)

bench: $(INSTALLED)  ## one benchmark: make bench NAME=dispatch ARGS='...'
	@$(if $(NAME),$(BIN)/python -m bench.$(NAME) $(ARGS),echo 'Which one? make bench NAME=…, a module of bench/:'; ls bench; exit 2)

check: $(INSTALLED)  ## style, types, the house's imports, and docs that are stale or lead nowhere
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir out/cache/import-linter
	$(BIN)/python docs/make.py --check

docs: $(INSTALLED)  ## docs/states.md and docs/errors.md anew, from the tables in the code
	@$(BIN)/python docs/make.py

# One lock for all, so that demo, test and CI can't differ, and one install; the tools of development are 112 of its
# 305 MB. `--universal` resolves for every platform and Python at once.
lock: $(INSTALLED)  ## requirements.lock anew from pyproject.toml; UPGRADE=1 takes the newest versions
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --all-extras --group dev \
		--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) -o requirements.lock pyproject.toml

clean:  ## remove .venv and out
	@rm -rf .venv out

$(BIN)/python:
	@for python in $(PYTHONS); do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then echo 'OptimAI needs Python 3.11 or newer; found none as $(PYTHONS).' >&2; exit 1; fi; \
	mkdir -p out; \
	$$found -m venv --clear .venv >out/install.log 2>&1 || { rm -rf .venv; \
		echo "$$found can't make a virtual environment. On Debian: apt-get install python3-venv" >&2; exit 1; }

# pip installs uv from the lock, uv the rest. Where uv can't (it does not read pip's settings), pip does.
$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	@printf 'installing into .venv … '; mkdir -p out; start=$$(date +%s); \
	install() { \
		$(BIN)/uv pip install --python $(BIN)/python "$$@" || $(BIN)/python -m pip install "$$@"; \
	}; \
	{ sed -n '/^uv==/,/# via/p' requirements.lock | $(BIN)/python -m pip install --require-hashes -r /dev/stdin; \
		install --require-hashes -r requirements.lock && install --no-deps --no-build-isolation -e .; \
	} >out/install.log 2>&1 || { echo failed; tail -n 20 out/install.log; exit 1; }; \
	echo "$$(ls -d .venv/lib/python*/site-packages/*.dist-info | wc -l | tr -d ' ') packages, $$(($$(date +%s) - start)) s"; \
	touch $@

# Tests of pages use Debian's Chromium, and are skipped where there is none.
chromium:
	@command -v chromium >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		printf 'installing Chromium … '; mkdir -p out; start=$$(date +%s); \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y --no-install-recommends chromium fonts-dejavu-core; \
		} >out/chromium.log 2>&1 </dev/null && { echo "$$(($$(date +%s) - start)) s"; exit 0; }; \
		echo failed; tail -n 5 out/chromium.log; \
	fi; \
	echo 'There is no /usr/bin/chromium: the tests of pages are skipped.'
