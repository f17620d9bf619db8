# `make demo` and `make test` need Python 3.11 or newer and a package registry, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test test-fast soak docs lint fix hooks lock clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with all that the project needs

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV): about 5 GB, one to three minutes with a warm package cache" >&2
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --progress-bar off --no-compile --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[dev]'
	@# opencv-python needs libGL; a bare server has none, and the headless build is the same cv2.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || { \
	    echo "opencv-python cannot be loaded here (no libGL): taking opencv-python-headless" >&2; \
	    version=$$($(BIN)/python -c 'from importlib.metadata import version; print(version("opencv-python"))'); \
	    $(BIN)/pip uninstall --quiet --yes opencv-python; \
	    $(BIN)/pip install --quiet --no-deps --no-compile opencv-python-headless==$$version; \
	    $(BIN)/python -c 'import cv2'; }
	@touch $@

demo: setup ## index the sample shop and search it with two street photos: demo/result.html
	@rm -rf demo/home
	$(BIN)/lapel sample demo/shop
	$(BIN)/lapel --home demo/home index demo/shop/feed.tsv --images demo/shop
	$(BIN)/lapel --home demo/home search --k 5 --html demo/result.html \
	    $(VENV)/lib/python3.*/site-packages/ultralytics/assets/*.jpg
	@echo "open demo/result.html in a browser" >&2

# A file's tests run in one process: they share what is slow to make. The longest files come first
# (tests/conftest.py). Each process takes some 2 GB.
test: setup ## run every test
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: setup ## run what needs no models, servers and browsers: the inner loop
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
	    -m 'not slow and not models and not training and not browser and not postgres and not gpu'

# A hundred writes killed at random moments: 20 to 30 minutes; the result goes into the page.
soak: setup ## kill a hundred writes, send hostile requests; takes half an hour
	$(BIN)/python -m tests.soak.kill --report docs/explained/reliability.md
	$(BIN)/python -m tests.soak.hostile_http --report docs/explained/reliability.md

docs: setup ## write the reference pages of settings and commands anew, from the code
	$(BIN)/python -m tests.support.reference_pages

lint: setup ## check style, types, import layers and dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

fix: setup ## let ruff mend style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: setup ## check every commit by pre-commit, every push by mypy too
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

lock: setup ## write the versions of .venv into constraints.txt
	@{ echo "# The versions Lapel is tested with; made by: make lock."; \
	   $(BIN)/pip freeze --exclude-editable | grep -v '^-e'; } > constraints.txt

clean: ## remove .venv, the demo and what was built
	rm -rf $(VENV) demo build *.egg-info
