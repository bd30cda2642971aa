# One DFS: `make run` serves the archive with its demonstration holdings, `make test` checks everything.
PYTHON ?= python3
PORT ?= 8000
ONEDFS_DATA ?= data
ROWS ?= 1000000
export ONEDFS_DATA

BIN := .venv/bin

.PHONY: run setup test lint docs bench lock clean

run: setup
	@$(BIN)/onedfs demo
	@exec $(BIN)/onedfs serve --port $(PORT)

setup: .venv/app

.venv/app: requirements/app.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "One DFS needs Python 3.11 or newer; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/app.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/app requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/dev
	@sh tests/need.sh
	$(BIN)/pytest -n 2 -m "not slow"
	$(BIN)/pytest -n 2 --dist loadfile -m slow

# What the pages say is there, and their examples work.
docs: .venv/dev
	$(BIN)/pytest -q tests/docs tests/vo/test_protocols.py tests/vo/test_guide.py tests/instruments/test_guide.py

bench: .venv/dev
	$(BIN)/python -m bench --rows $(ROWS) $(if $(ENGINE),--engine $(ENGINE)) $(if $(PEER),--peer $(PEER)) \
		$(if $(PEER_SCS),--peer-scs $(PEER_SCS)) $(if $(JSON),--json $(JSON))

LOCK := uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header

lock:
	$(LOCK) pyproject.toml --group build -o requirements/app.txt
	$(LOCK) --group dev -c requirements/app.txt -o requirements/dev.txt

clean:
	rm -rf .venv build *.egg-info
