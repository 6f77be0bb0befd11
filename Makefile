# Everything a newcomer needs: `make demo`, `make test`. Python 3.11 or newer and make are all they ask for.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Where Python may not keep what it compiled, each start compiles the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo run test lint types words bench torture mutants clean

demo: $(STAMP)
	@$(BIN)/python -m bot demo $(ARGS)

run: $(STAMP)
	@$(BIN)/python -m bot run $(ARGS)

# Types are checked beside the first tests: on two cores neither waits for the other.
test: $(VENV)/.installed-dev lint
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types && exit $$tests

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.installed-dev
	$(BIN)/mypy

words: $(VENV)/.installed-dev
	$(BIN)/pybabel -q extract -F locales/babel.cfg -k say -k said -k words -k plural:1,2 --no-location --sort-output --omit-header -o locales/regulars.pot bot handlers
	for language in vi en; do $(BIN)/pybabel -q update -i locales/regulars.pot -d locales -D regulars -l $$language --no-fuzzy-matching --omit-header --ignore-obsolete; done

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench $(ARGS)

torture: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -m torture --override-ini="addopts=" $(ARGS)

# One module's mutants, a random sample of them, in a tree of its own (docs/mutants.md): make mutants MODULE=holds SAMPLE=40
# One that was stopped goes on where it was; without build/mutants it begins anew, with the newest commit.
MODULE ?= ledger
SAMPLE ?= 40
SEED ?= 20261122
MUTANTS := $(CURDIR)/build/mutants/$(MODULE)-$(SAMPLE)-$(SEED)
IN_MUTANTS := cd $(MUTANTS) && export PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=$(MUTANTS)

mutants: $(MUTANTS)/session.sqlite
	$(IN_MUTANTS) && git checkout -q . && \
	nice -n 15 python mutants/run.py mutants/$(MODULE).toml session.sqlite && \
	cr-report --show-diff --surviving-only session.sqlite

$(MUTANTS)/session.sqlite: | $(VENV)/.installed-mutants
	rm -rf $(MUTANTS) && git worktree prune && git worktree add -q --detach $(MUTANTS) HEAD
	$(IN_MUTANTS) && cosmic-ray init mutants/$(MODULE).toml new.sqlite && \
	cr-filter-operators new.sqlite mutants/$(MODULE).toml && \
	python mutants/sample.py new.sqlite $(SAMPLE) $(SEED) && mv new.sqlite session.sqlite

$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing what Regulars stands on (once, about a minute) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(VENV)/.installed-dev: $(STAMP)
	@echo "Installing what the tests need …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

$(VENV)/.installed-mutants: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[mutants]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
