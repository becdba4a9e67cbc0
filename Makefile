# make demo: raw CT to tables on the embedded synthetic cohort. make test: the whole test suite.
# make compare PREDICTIONS=mine.csv: tables, figures and report of your own predictions.
# make verify RUN=results/study: check an archived run against its provenance.json.
# make crate RUN=results/study: pack a finished run as an RO-Crate, and have it validated.
# make bench: measurements beside peers, in an environment of their own; BENCH holds more options.
PYTHON ?= python3
BIN := .venv/bin
PINS := envs/requirements.txt
PEERS := benchmarks/requirements.txt
VALIDATOR := envs/crate-validator.txt
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo compare verify crate validator engines test lint bench docs pins env

demo: env
	snakemake --cores 6 all
	@echo; echo "Tables, figures and report of the synthetic demo cohort:"
	@ls results/demo/tables/*.md results/demo/figures/*.png results/demo/report.html

compare: env
	@python -m hepatoclr.compare $(or $(PREDICTIONS),$(error say which predictions: make compare PREDICTIONS=mine.csv)) \
	    --output $(or $(OUTPUT),results/compare)

verify: env
	@python -m hepatoclr.verify $(or $(RUN),$(error say which run: make verify RUN=results/study))

crate: env validator
	@python -m hepatoclr.crate $(or $(RUN),$(error say which run: make crate RUN=results/study))
	@.venv-crate/bin/python tests/validate_crate.py $(patsubst %/,%,$(RUN))-crate.zip

# its validator cannot live in .venv: it wants another rich
validator:
	@cmp -s $(VALIDATOR) .venv-crate/pins || $(MAKE) --no-print-directory .venv-crate

# Snakemake imports all plugins that it finds, at each start: those few need stay out of .venv
engines: env
	rm -rf .venv-engines
	$(PYTHON) -m venv .venv-engines
	.venv-engines/bin/pip install --quiet --no-deps -r envs/engines.txt snakemake==$$(sed -n 's/^snakemake==//p' $(PINS))
	echo $(CURDIR)/.venv/lib/python*/site-packages > "$$(echo .venv-engines/lib/python*/site-packages)/venv.pth"

# the pages are tested in a browser; where none can be had those tests are skipped
test: env validator
	@{ command -v chromium || command -v google-chrome; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get \
	    && apt-get update && apt-get install -y chromium; } >/dev/null 2>&1 || true
	pytest

lint: env
	ruff check
	ruff format --check
	snakefmt --check Snakefile rules
	snakemake --lint

# the peers are installed without what they pull, see there
bench:
	@cat $(PINS) $(PEERS) | cmp -s - .venv-bench/pins || $(MAKE) --no-print-directory .venv-bench
	.venv-bench/bin/python -m benchmarks $(BENCH)

# the pages that are generated from the schemas
docs: env
	python -m hepatoclr.documentation

# An environment is made when there is none with these pins. uv installs it in half a minute; where uv
# cannot be had pip takes three. Bytecode is compiled here, because jobs are short and imports long.
env:
	@cmp -s $(PINS) .venv/pins || $(MAKE) --no-print-directory .venv

.PHONY: .venv .venv-bench .venv-crate
.venv-bench: NO_DEPS := $(PEERS)
.venv-crate: PINS := $(VALIDATOR)
.venv .venv-bench .venv-crate:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=")'
	rm -rf $@
	$(PYTHON) -m venv $@
	if $@/bin/pip install --quiet uv; then \
	    UV_FIND_LINKS="$$($@/bin/pip config get global.find-links 2>/dev/null)" \
	    $@/bin/uv pip install --quiet --compile-bytecode --python $@/bin/python -r $(PINS); \
	else \
	    $@/bin/pip install --quiet -r $(PINS); \
	fi
	$(if $(NO_DEPS),$@/bin/pip install --quiet --no-deps -r $(NO_DEPS))
	cat $(PINS) $(NO_DEPS) > $@/pins

# CUDA libraries stay unpinned: torch brings the ones it needs where it has a GPU build
pins: env
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	    --no-emit-find-links envs/requirements.in | grep -vE '^(nvidia-|cuda-|triton)' > $(PINS)
	python -m hepatoclr.documentation
