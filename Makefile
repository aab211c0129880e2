# Everything a fresh machine needs: `make demo` and `make test` set themselves up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# The packet kernel: changing one of these means building again.
KERNEL := $(wildcard workbench/capture/*.py)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types contracts format fuzz wheelhouse bench bench-large record clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/demo: pyproject.toml setup.py $(KERNEL)
	@.ci/system-packages demo
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which with PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/dev: $(VENV)/demo
	@.ci/system-packages test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/demo ## the whole loop on the demo site
	@$(BIN)/workbench demo

test: $(VENV)/dev ## the test suite, under 15 minutes on two cores
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup

check: format lint types contracts test ## format, lint, types, contracts, tests

format: $(VENV)/dev ## format in place
	@$(BIN)/ruff format .

lint: $(VENV)/dev
	@$(BIN)/ruff check .

types: $(VENV)/dev
	@$(BIN)/mypy

contracts: $(VENV)/dev
	@$(BIN)/lint-imports

# Seconds for each of the two fuzzers; what they reach is kept in build/fuzz for the next time.
FUZZ_SECONDS ?= 1800
fuzz: $(VENV)/dev ## both fuzzers (FUZZ_SECONDS each), then the generated tests, long
	@for target in kernel reader; do \
	  (cd tests && ../$(BIN)/python -m fuzz $$target --seconds $(FUZZ_SECONDS) \
	    --keep ../build/fuzz/$$target) || exit; done
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -q -n 2 tests/property tests/kernel

wheelhouse: $(VENV)/demo ## everything an air-gapped machine needs, for pip --no-index
	@rm -rf wheelhouse
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --wheel-dir wheelhouse .
	@echo "copy wheelhouse/ to the machine, then there:"
	@echo "  python3 -m venv workbench-env"
	@echo "  workbench-env/bin/python -m pip install --no-index --find-links wheelhouse segmentation-workbench"

bench: $(VENV)/dev ## the figures that the README quotes
	@mkdir -p build
	@test -f build/bench.pcap || $(BIN)/python benchmarks/generate_capture.py build/bench.pcap
	@$(BIN)/python benchmarks/ingest.py build/bench.pcap
	@$(BIN)/python benchmarks/decode.py build/bench.pcap
	@$(BIN)/python benchmarks/simulate.py
	@test -d build/demo || $(BIN)/workbench demo --headless --keep build/demo >/dev/null
	@$(BIN)/python benchmarks/start.py build/demo

bench-large: $(VENV)/dev ## ingest and decode of files of 1 to 4 GB, half an hour on a quiet machine
	@mkdir -p build/large; trap 'rm -rf build/large' EXIT INT TERM; \
	for shape in full-size snaplen-96 million-flows; do \
	  file=build/large/$$shape.pcap; \
	  $(BIN)/python benchmarks/generate_capture.py $$file --shape $$shape && \
	  sync $$file && \
	  $(BIN)/python benchmarks/ingest.py $$file --markdown --tshark-rounds 1 && \
	  $(BIN)/python benchmarks/decode.py $$file || exit 1; \
	  rm $$file; \
	done

record: $(VENV)/demo ## record the demo site anew (root, network namespaces)
	@$(BIN)/python demo_data/record.py --out demo_data

clean: ## remove what was built
	@rm -rf $(VENV) build dist wheelhouse *.egg-info
	@find workbench -name '*.so' -delete
