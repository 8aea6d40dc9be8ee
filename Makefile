# Every target does its own set-up; a fresh machine needs Python 3.11, pip, make and gcc.
PYTHON ?= python3
# What `make load` sends: messages a second, for how many seconds, and what is required of them beside the audit.
LOAD_RATE ?= 2000
LOAD_SECONDS ?= 300
LOAD_REQUIRE ?=
# How long `make fuzz` looks. FUZZ_SEED, if it is set, is where it begins.
FUZZ_SECONDS ?= 60
# What `make faults` tries and from which seed, such as "kill --seed 7"; everything, and a drawn one, if it is empty.
FAULTS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo demo-once test check format interop faults bench load compare words clean help $(VENV)

help:
	@echo "make demo       start simulator and gateway, send the sample batch, show it arrive, stay up"
	@echo "make demo-once  the same, exit 0 only if every message ended as the sample says"
	@echo "make test       run the tests          make check   format, lint, types, import contracts"
	@echo "make faults     kill -9, bad networks and failing disks, each many times; prints its seed and a table"
	@echo "make faults-short  the same in some minutes, as CI has it"
	@echo "make fuzz       damaged valid input for the protocol and the text, FUZZ_SECONDS long; prints its seed"
	@echo "make interop    suites that need Debian packages (tshark, chromium)"
	@echo "make backlog    one-time passwords past a million messages that wait; memory, and a start with them"
	@echo "make compare    the same messages through Kannel and through the gateway, with the ratio"
	@echo "make words      how many disguised words are found, how many innocent messages are stopped"
	@echo "make bench-smpp the SMPP engine beside smpplib, as a table"
	@echo "make bench      microbenchmarks        make load    an open load of five minutes, with a report"

$(VENV): $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python -m loadtest demo

demo-once: $(STAMP)
	$(BIN)/python -m loadtest demo --once

test: $(STAMP)
	$(BIN)/python -m pytest -m "not interop and not bench and not load"

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

interop: $(STAMP)
	$(BIN)/python -m pytest -m interop --no-skips

faults: $(STAMP)
	$(BIN)/python -m pytest -m "load or not load" tests/faults
	$(BIN)/python -m tests.faults $(FAULTS)

.PHONY: faults-short
faults-short: $(STAMP)
	$(BIN)/python -m tests.faults --short $(FAULTS)

.PHONY: fuzz
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

bench: $(STAMP)
	$(BIN)/python -m pytest -m bench tests/bench --benchmark-group-by=group --benchmark-columns=median,iqr,ops

.PHONY: bench-smpp
bench-smpp: $(STAMP)
	@$(BIN)/python -m tests.bench.table

load: $(STAMP)
	$(BIN)/python -m loadtest http --plan poisson:$(LOAD_RATE) --seconds $(LOAD_SECONDS) --require '$(LOAD_REQUIRE)'

.PHONY: backlog
backlog: $(STAMP)
	$(BIN)/python -m loadtest backlog

# Kannel comes from Debian's packages; as root it is installed where it is missing.
compare: $(STAMP)
	@command -v bearerbox >/dev/null || PATH=$$PATH:/usr/sbin command -v bearerbox >/dev/null || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends kannel; }
	$(BIN)/python -m loadtest compare

words: $(STAMP)
	$(BIN)/python -m tests.words.report

clean:
	rm -rf $(VENV) var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks
