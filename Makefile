# Each target sets up what it needs by itself; a second call costs nothing.
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

# Needs Python alone: no Docker, QEMU, ssh or downloaded data. tests/lanes.py says what belongs to it, and how workers share it.
test: $(STAMP)
	$(PYTEST) -m "not second_lane" $(TESTS)

# Each test once, one lane after the other, whatever became of the first. 5: of these tests none is in that lane.
test-all: $(STAMP)
	@status=0; \
	for lane in "not second_lane" second_lane; do \
		$(PYTEST) -m "$$lane" $(TESTS) || [ $$? = 5 ] || status=1; \
	done; \
	exit $$status

# The tools to compare with stand in an environment of their own; where they cannot be had, the engine's figures stand alone.
bench: $(STAMP)
	-.venv/bin/uv sync -q --locked --compile-bytecode --project benchmarks --python $(PYTHON)
	for file in benchmarks/*.py; do $(PYTHON) "$$file" || exit 1; done

# What is made from the sources and kept in the repository: tests/test_docs.py says when it is stale.
docs: $(STAMP)
	$(PYTHON) docs/reference.py

picture: $(STAMP)
	$(PYTHON) run.py graph usecase=pose_activity target=rpi4_coral outputs=$$(mktemp -d) output=docs/pictures/pose_activity.svg

# What images are made of, resolved anew: Debian's packages by apt, wheels from uv.lock.
lock: $(STAMP)
	$(PYTHON) containers/lock.py

clean:
	rm -rf .venv benchmarks/.venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
