# gazeviz: `make run` starts it, `make test` proves it. Both set everything up on first use, in a virtual environment in .venv.
#
#   make run [ARGS="..."]   open the desktop app (ARGS="gui strip.png": on a picture)
#   make demo               the whole loop on the built-in model, with figures in ./gazeviz-demo
#   make test [ARGS="..."]  the tests (ARGS goes to pytest)
#   make lint               what pre-commit checks: ruff, formatting, mypy --strict, import rules
#   make fuzz               damaged inputs of every kind, for longer than make test does
#   make bench              timings on this machine, written into resources/help/performance.md
#   make clean              remove the environment and every cache
#
#   PYTHON=python3.12       which Python makes the environment (3.11 to 3.13; python3 if it fits)
#   TORCH=cpu               on Linux: the smaller CPU build of torch, from PyTorch's own index

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SCREEN := $(VENV)/.screen
TORCH ?= default
CPU_INDEX := https://download.pytorch.org/whl/cpu
PIP_EXTRA := $(if $(filter cpu,$(TORCH)),--extra-index-url $(CPU_INDEX))
ARGS ?=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup run demo test lint fuzz bench clean

help:
	@sed -n '1,14s/^# \{0,1\}//p' Makefile

setup: $(STAMP)

run: $(STAMP)
	@$(BIN)/gazeviz $(ARGS)

demo: $(STAMP)
	@$(BIN)/gazeviz demo $(ARGS)

test: $(STAMP) $(SCREEN)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: $(STAMP)
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/pre-commit run --all-files --show-diff-on-failure

fuzz: $(STAMP)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m tests.fuzz.campaign --inputs 20000 $(ARGS)

bench: $(STAMP)
	@set -e; for bench in tests/benchmarks/bench_*.py; do $(BIN)/python $$bench $(ARGS); done

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache gazeviz-demo

# Installs the packages in $$missing where that needs no password, and names them elsewhere.
define install_missing
if [ -n "$$missing" ]; then \
  if ! command -v apt-get >/dev/null; then \
    echo "$$needed_by lacks system packages; on Debian they are: $$missing" >&2; \
  elif [ "$$(id -u)" = 0 ]; then sudo=; \
  elif sudo -n true 2>/dev/null; then sudo="sudo -n"; \
  else sudo=ask; echo "$$needed_by lacks system packages: sudo apt-get install $$missing" >&2; fi; \
  if [ "$${sudo-ask}" != ask ]; then \
    $$sudo apt-get update -qq && \
    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
  fi; \
fi
endef

# The stamp is younger than the files that decide what the environment holds, so a second call costs nothing.
# Written for the make that macOS ships (3.81), too: no .ONESHELL.
$(STAMP): pyproject.toml constraints.txt
	@set -e; \
	if ! $(BIN)/python -c '' 2>/dev/null; then \
	  found=; \
	  for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	    then found="$$candidate"; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "gazeviz needs Python 3.11, 3.12 or 3.13 with its venv module (on Debian: apt-get install python3-venv)." >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV) with $$("$$found" --version); the first time takes a few minutes."; \
	  "$$found" -m venv $(VENV); \
	fi
	@$(BIN)/python -m pip install --quiet $(PIP_EXTRA) -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m compileall -q gazeviz || true  # as pip does for what it copies: the first start is as quick as others
	@missing="$$($(BIN)/python -m gazeviz.doctor --missing-packages)"; needed_by="A window"; $(install_missing)
	@touch $@

# Tests drive the window with real keys and mouse on a screen of its own, and a worker behind a real sshd on this machine.
$(SCREEN): | $(STAMP)
	@missing=; needed_by="Some tests"; \
	if [ "$$(uname)" = Linux ]; then \
	  command -v Xvfb >/dev/null || missing="$$missing xvfb"; \
	  command -v xdotool >/dev/null || missing="$$missing xdotool"; \
	  command -v ssh >/dev/null || missing="$$missing openssh-client"; \
	  PATH="$$PATH:/usr/sbin" command -v sshd >/dev/null || missing="$$missing openssh-server"; \
	fi; { $(install_missing); } || echo "Those tests are left out." >&2
	@touch $@
