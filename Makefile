# Everything here works on a fresh machine with Python 3.11 or later; `make demo` is the first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test check format kafka kafka-stop laws simulation bench packs-page compiled clean

demo: $(STAMP)
	$(BIN)/python -m fixtures.demo

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_codebase.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# A real Apache Kafka, fetched as Maven artifacts and run without Docker.
kafka: $(STAMP)
	$(BIN)/python -m tests.support.kafka_broker start

kafka-stop: $(STAMP)
	$(BIN)/python -m tests.support.kafka_broker stop

# The long runs. Their last results stand in docs/.
# Counts and date of a run in which nothing failed are written into docs/laws.md.
LAWS_CASES ?= 100000
laws: $(STAMP)
	INTERLOCK_LAWS_CASES=$(LAWS_CASES) INTERLOCK_LAWS_RESULT=docs/laws.md $(BIN)/python -m pytest -q -n 2 --dist worksteal --timeout 36000 tests/laws tests/conformance/test_ltlf.py tests/conformance/test_cel_oracle.py

# The whole monitor on one thread, with faults drawn from seeds; docs/simulation.md.
SEEDS ?= 2000
simulation: $(STAMP)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

bench: $(STAMP)
	$(BIN)/interlock bench engine

# docs/packs.md, out of the packs and of what they find in ../shared/data/agent-sessions.
packs-page: $(STAMP)
	$(BIN)/python -m fixtures.packs_page

# The engine compiled, in a copy of the checkout: the laws and unit tests on it, and its bench.
compiled: $(STAMP)
	rm -rf build/compiled && mkdir -p build/compiled
	git ls-files | tar -cf - -T - | tar -xf - -C build/compiled
	cd build/compiled && INTERLOCK_COMPILE=1 $(abspath $(BIN))/python setup.py --quiet build_ext --inplace
	cd build/compiled && $(abspath $(BIN))/python -m pytest -q tests/laws tests/conformance tests/unit
	cd build/compiled && $(abspath $(BIN))/python -m monitor.cli bench engine --output json

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,train,completion]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
