# Everything here works on a fresh machine with Python 3.11 or later; `make demo` is the first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# What is installed, by purpose: the demo and the command need a part of what the tests need.
DEMO_STAMP := $(VENV)/.installed-demo
STAMP      := $(VENV)/.installed
# Modules are compiled when they are first imported, and most never are: half the time of a slow
# machine, and a fifth of the space.
# The client is a distribution of its own, on which the other depends: one command installs both.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --editable ./interlock --editable

# Tests start many Python processes; without this each of them could have to compile all it imports.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: adapters test-adapters FORCE demo test check format site dist kafka kafka-stop laws simulation shells gate-fuzz mutants chaos report-bound bench packs-page clean

demo: $(DEMO_STAMP)
	@$(BIN)/python -m fixtures.demo

# Files of tests run side by side, in two processes more than there are processors (tests/conftest.py).
SIDE_BY_SIDE := -n auto --dist loadfile

test: $(STAMP)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_codebase.py

# The frameworks that the adapters are for, each in an environment of its own, with locked versions.
# mypy checks an adapter there, against the types of its framework.
ADAPTERS := langchain mcp openai-agents pydantic-ai
adapters: $(ADAPTERS:%=.adapters/%/.installed)

# All of them, and their tests: these take too long for every change. With LATEST=1 the newest versions are
# installed instead of the locked ones, to learn what has changed in the frameworks.
ADAPTERS_LONG := $(ADAPTERS) agent-framework claude-agent-sdk crewai google-adk llama-index smolagents strands
ENVIRONMENTS  := .adapters$(if $(LATEST),-latest)
test-adapters: $(STAMP) $(ADAPTERS_LONG:%=$(ENVIRONMENTS)/%/.installed) $(ENVIRONMENTS)/vercel-ai/.installed
	INTERLOCK_LONG=1 INTERLOCK_REQUIRE=adapters ADAPTER_ENVIRONMENTS=$(CURDIR)/$(ENVIRONMENTS) \
	  $(BIN)/python -m pytest -q -n 2 --dist loadfile tests/adapters

INSTALL_ADAPTER := bin/python -m pip install --quiet --disable-pip-version-check --no-compile "mypy>=1.11"
.adapters/%/.installed: tests/adapters/requirements/%.txt
	$(PYTHON) -m venv .adapters/$*
	.adapters/$*/$(INSTALL_ADAPTER) -r $<
	touch $@

# That of Node.
VERCEL := tests/adapters/requirements/vercel-ai
NPM    := npm --ignore-scripts --no-audit --no-fund --silent
.adapters/vercel-ai/.installed: $(VERCEL)/package.json $(VERCEL)/package-lock.json
	mkdir -p .adapters/vercel-ai
	cp $^ .adapters/vercel-ai
	$(NPM) ci --prefix .adapters/vercel-ai
	touch $@

.adapters-latest/vercel-ai/.installed: $(VERCEL)/package.json FORCE
	mkdir -p .adapters-latest/vercel-ai
	cp $< .adapters-latest/vercel-ai
	$(NPM) install --prefix .adapters-latest/vercel-ai ai@latest zod@latest

# A file of requirements names in its first line the packages that need the others.
.adapters-latest/%/.installed: tests/adapters/requirements/%.txt FORCE
	$(PYTHON) -m venv .adapters-latest/$*
	.adapters-latest/$*/$(INSTALL_ADAPTER) --upgrade msgspec $$(sed -n '1s/^# Newest: //p' $<)
FORCE:

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The pages as a site. A link that leads nowhere is an error.
site: $(STAMP)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --jobs auto -c docs/site -d build/doctrees . build/site
	@echo build/site/index.html

# Two wheels: `interlock`, the monitor; `interlock-client`, for agents.
dist: $(DEMO_STAMP)
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist ./interlock .
	rm -rf build/lib build/bdist.* interlock/build

# A real Apache Kafka, fetched as Maven artifacts and run without Docker.
kafka: $(DEMO_STAMP)
	@$(BIN)/python -m tests.support.kafka_broker start

kafka-stop: $(DEMO_STAMP)
	@$(BIN)/python -m tests.support.kafka_broker stop

# The long runs. Their last results stand in docs/.
# Counts and date of a run in which nothing failed are written into docs/laws.md.
LAWS_CASES ?= 100000
laws: $(STAMP)
	INTERLOCK_LAWS_CASES=$(LAWS_CASES) $(BIN)/python -m pytest -q -n auto --timeout 36000 -m hypothesis tests/unit
	INTERLOCK_LAWS_CASES=$(LAWS_CASES) INTERLOCK_LAWS_RESULT=docs/laws.md $(BIN)/python -m pytest -q -n 2 --dist worksteal --timeout 36000 tests/laws tests/conformance/test_ltlf.py tests/conformance/test_cel_oracle.py

# The whole monitor on one thread, with faults drawn from seeds; docs/simulation.md.
SEEDS ?= 2000
simulation: $(STAMP)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

# Generated shell texts, run by Bash and dash, against `shell_commands`; docs/shells.md. The result of
# a run in which nothing was absent is written into that page.
SHELLS_CASES ?= 20000
SHELLS_SEED  ?= 0
shells: $(STAMP)
	$(BIN)/python -m tests.shells --cases $(SHELLS_CASES) --seed $(SHELLS_SEED) --result docs/shells.md

# Hostile requests against a real gate; docs/gate.md. The result of a run without a fault is written
# into that page.
FUZZ_REQUESTS ?= 1000000
FUZZ_SEED     ?= 0
gate-fuzz: $(STAMP)
	$(BIN)/python -m tests.gate_fuzz --requests $(FUZZ_REQUESTS) --seed $(FUZZ_SEED) --result docs/gate.md

# Every planted fault, of which `make test` takes a share; docs/laws.md.
mutants: $(STAMP)
	INTERLOCK_MUTANTS=all $(BIN)/python -m pytest -q -n auto tests/mutants

# All recorded sessions through Kafka, with monitors that are killed in the middle.
chaos: $(STAMP)
	INTERLOCK_LONG=1 $(BIN)/python -m pytest -q -s -m long tests/integration

# A page of 10,000 sessions with findings, and its figures; docs/report.md.
report-bound: $(STAMP)
	INTERLOCK_REPORT_SESSIONS=10000 $(BIN)/python -m pytest -q -s --timeout 7200 tests/integration/test_report_of_many.py

# The second needs the recordings in ../shared/data/agent-sessions.
bench: $(STAMP)
	$(BIN)/interlock bench engine
	$(BIN)/interlock bench gate --recordings ../shared/data/agent-sessions

# docs/packs.md, out of the packs and of what they find in ../shared/data/agent-sessions.
packs-page: $(STAMP)
	$(BIN)/python -m fixtures.packs_page

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: Interlock needs 3.11 or later, as in: make demo PYTHON=python3.12"; exit 1; }
	@echo "making an environment in $(VENV), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; }

$(DEMO_STAMP): pyproject.toml interlock/pyproject.toml | $(BIN)/python
	@echo "installing Interlock, numpy, scikit-learn and aiohttp: 67 MB to fetch, 250 MB on the disk"
	@$(BIN)/python $(INSTALL) '.[train,gate]'
	@touch $@

$(STAMP): pyproject.toml interlock/pyproject.toml | $(BIN)/python
	@echo "installing Interlock and all that its tests need: 135 MB to fetch, 490 MB on the disk"
	@$(BIN)/python $(INSTALL) '.[dev,train,completion]'
	@touch $@ $(DEMO_STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info interlock/build interlock/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
