# HemaTally. `make run` starts it, `make test` checks it; both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

HOST ?= 127.0.0.1
PORT ?= 8000

VENV := .venv
PYTHON := $(VENV)/bin/python

# Set-up is done once per content of the lock files: a stamp carries their digest in its name.
digest = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-16)
RUNTIME := $(VENV)/.runtime-$(call digest,requirements/runtime.txt requirements/build.txt)
TESTING := $(VENV)/.testing-$(call digest,requirements/runtime.txt requirements/test.txt)
BROWSER := node_modules/.installed-$(call digest,package-lock.json)
WORDS := labsite/locale/.compiled-$(call digest,labsite/translations.py labsite/locale/*/LC_MESSAGES/*.po)

.PHONY: help run setup test lint format lock translations clean

help: ## Show these lines
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: setup ## Start HemaTally on this computer (PORT=8000, HOST=127.0.0.1, DATA_DIR=var)
	@exec $(PYTHON) manage.py serve --host $(HOST) --port $(PORT)

setup: $(RUNTIME) $(BROWSER) $(WORDS) ## Install what it needs into .venv and node_modules

test: setup $(TESTING) ## Run linters, types and all tests, as the automatic checks do
	@scripts/test-programs.sh
	@exec $(PYTHON) tests/run.py

lint: setup $(TESTING) ## Check style and types
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: $(TESTING) ## Put the code in order
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

lock: $(RUNTIME) ## Write requirements/*.txt anew from requirements/*.in
	@$(PYTHON) requirements/lock.py

translations: $(RUNTIME) ## Bring labsite/locale up to date with the sources, and say what is left
	@$(PYTHON) -m labsite.translations renew

clean: ## Remove what set-up made; the data in var stays
	@rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis test-results
	@rm -rf static/words labsite/locale/.compiled-* labsite/locale/*/LC_MESSAGES/*.mo
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PYTHON):
	@scripts/virtual-environment.sh $(VENV)

$(RUNTIME): $(PYTHON)
	@echo "Installing Python packages; the first time takes a few minutes..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
		-r requirements/runtime.txt -r requirements/build.txt
	@rm -f $(VENV)/.runtime-* && touch $@

$(TESTING): $(RUNTIME)
	@echo "Installing what the tests need..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check \
		-r requirements/runtime.txt -r requirements/test.txt
	@rm -f $(VENV)/.testing-* && touch $@

# No package's own scripts run at installation; what the browser gets is listed in NPM_FILES.
$(BROWSER): $(RUNTIME)
	@echo "Installing browser libraries..."
	@$(VENV)/bin/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

# The server and the pages read what this makes of the catalogs.
$(WORDS): $(RUNTIME)
	@$(PYTHON) -m labsite.translations compile
	@rm -f labsite/locale/.compiled-* && touch $@
