# Each target sets up what it needs; repeated calls are cheap.
PYTHON := .venv/bin/python
STAMP := .venv/.stamp
TESTS ?=
PYTEST := $(PYTHON) -m pytest -n auto --maxprocesses 8

.PHONY: setup run check test test-all bench docs picture lock clean

setup: $(STAMP)

$(STAMP): pyproject.toml uv.lock .ci/setup
	.ci/setup

run: $(STAMP)
	$(PYTHON) run.py usecase=pose_activity target=rpi4_coral

check: $(STAMP)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/yamllint --strict .

# Needs only Python: no Docker, QEMU, ssh or downloaded data. tests/lanes.py defines which tests belong to it, and how workers share them.
test: $(STAMP)
	$(PYTEST) -m "not second_lane" $(TESTS)

# Runs both lanes, even if the first fails. Exit status 5 means that none of the selected tests is in that lane.
test-all: $(STAMP)
	@status=0; \
	for lane in "not second_lane" second_lane; do \
		$(PYTEST) -m "$$lane" $(TESTS) || [ $$? = 5 ] || status=1; \
	done; \
	exit $$status

# The other tools have their own environment; if they cannot be installed, only the engine is measured.
bench: $(STAMP)
	-.venv/bin/uv sync -q --locked --compile-bytecode --project benchmarks --python $(PYTHON)
	for file in benchmarks/*.py; do $(PYTHON) "$$file" || exit 1; done

# Files that are generated from the sources and committed; tests/test_docs.py fails if they are stale.
docs: $(STAMP)
	$(PYTHON) docs/reference.py

picture: $(STAMP)
	$(PYTHON) run.py graph usecase=pose_activity target=rpi4_coral outputs=$$(mktemp -d) output=docs/pictures/pose_activity.svg

# Resolves the packages of the images again: Debian packages with apt, wheels from uv.lock.
lock: $(STAMP)
	$(PYTHON) containers/lock.py

clean:
	rm -rf .venv benchmarks/.venv tests/launchers/.venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
