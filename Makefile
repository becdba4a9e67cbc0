# make demo: raw CT to tables on the embedded synthetic cohort. make test: the whole test suite.
PYTHON ?= python3
BIN := .venv/bin
PINS := envs/requirements.txt
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lint docs pins env

demo: env
	snakemake --cores 6 all
	@echo; echo "Tables, figures and report of the synthetic demo cohort:"
	@ls results/demo/tables/*.md results/demo/figures/*.png results/demo/report.html

# the pages are tested in a browser; where none can be had those tests are skipped
test: env
	@{ command -v chromium || command -v google-chrome; } >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get \
	    && apt-get update && apt-get install -y chromium; } >/dev/null 2>&1 || true
	pytest

lint: env
	ruff check
	ruff format --check
	snakefmt --check Snakefile rules
	snakemake --lint

# the pages that are generated from the schemas
docs: env
	python -m hepatoclr.documentation

# An environment is made when there is none with these pins. uv installs it in half a minute; where uv
# cannot be had pip takes three. Bytecode is compiled here, because jobs are short and imports long.
env:
	@cmp -s $(PINS) .venv/pins || $(MAKE) --no-print-directory .venv

.PHONY: .venv
.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	if $(BIN)/pip install --quiet uv; then \
	    UV_FIND_LINKS="$$($(BIN)/pip config get global.find-links 2>/dev/null)" \
	    $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r $(PINS); \
	else \
	    $(BIN)/pip install --quiet -r $(PINS); \
	fi
	cp $(PINS) .venv/pins

# CUDA libraries stay unpinned: torch brings the ones it needs where it has a GPU build
pins: env
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
	    --no-emit-find-links envs/requirements.in | grep -vE '^(nvidia-|cuda-|triton)' > $(PINS)
	python -m hepatoclr.documentation
