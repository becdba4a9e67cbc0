# make demo: raw CT to tables on the embedded synthetic cohort. make test: the whole test suite.
# make test-slurm: the workflow on a Slurm cluster of one node, which it starts and stops.
# make lint: style, layers of imports, the workflow, and known vulnerabilities of the pins (make audit).
# make compare PREDICTIONS=mine.csv: tables, figures and report of your own predictions.
# make verify RUN=results/study: check an archived run against its provenance.json.
# make bundle RUN=results/study ENCODER=weak_simclr-0.5 PROTOCOL=linear: the models of a run in one file, to hand on.
# make predict BUNDLE=... IMAGE=...: what a bundle says of one CT, as a page; LIVER, LABEL, NAME and OUTPUT where there is need.
# make faults: every fault on every rule and kind of file, in copies; fills docs/faults.md.
# make bench: measurements beside peers, in an environment of their own; BENCH holds more options.
PYTHON ?= python3
BIN := .venv/bin
PINS := envs/requirements.txt
PEERS := benchmarks/requirements.txt
AUDITOR := pip-audit==2.10.1
AUDIT = .venv-audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r $(PINS)
ENGINES := envs/engines.txt
# from the distribution, where that is allowed; one target after the other
INSTALL = flock Makefile sh -c '[ "$$(id -u)" = 0 ] && apt-get update && apt-get install -y $(1)' >/dev/null 2>&1 || true
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo compare verify bundle predict engines test test-slurm lint audit bench faults docs pins env

demo: env
	snakemake --cores 6 all
	@echo; echo "Tables, figures and report of the synthetic demo cohort:"
	@ls results/demo/tables/*.md results/demo/figures/*.png results/demo/report.html

# names of files are the shell's variables here, not its text: they may hold what it would run
compare: env
	@: $(if $(PREDICTIONS),,$(error name the predictions: make compare PREDICTIONS=mine.csv))
	@hepatoclr compare $$PREDICTIONS --output "$${OUTPUT:-results/compare}"

verify: env
	@: $(if $(RUN),,$(error name the run: make verify RUN=results/study))
	@hepatoclr verify "$$RUN"

bundle: env
	@: $(if $(and $(RUN),$(ENCODER),$(PROTOCOL)),,$(error name run, encoder and protocol: make bundle RUN=results/study ENCODER=weak_simclr-0.5 PROTOCOL=linear))
	@snakemake --cores 2 $${CONFIG:+--configfile "$$CONFIG"} -- "$$RUN/bundles/$$PROTOCOL/$$ENCODER.zip"

predict: env
	@: $(if $(and $(BUNDLE),$(IMAGE)),,$(error name bundle and CT: make predict BUNDLE=bundle.zip IMAGE=ct.nii.gz))
	@hepatoclr predict "$$BUNDLE" "$$IMAGE" $${LIVER:+--liver "$$LIVER"} $${LABEL:+--liver-label "$$LABEL"} $${NAME:+--name "$$NAME"} --output "$${OUTPUT:-results/predict}"

# Snakemake imports all plugins that it finds, at each start: those few need stay out of .venv
engines: env
	@cat $(ENGINES) $(PINS) | cmp -s - .venv-engines/pins || $(MAKE) --no-print-directory .venv-engines

# the pages are tested in a browser; where none can be had those tests are skipped
test: env
	@$(MAKE) --no-print-directory engines || echo "Without these plugins the tests of other engines and of buckets are skipped."
	@{ command -v chromium || command -v google-chrome; } >/dev/null || $(call INSTALL,chromium)
	pytest --numprocesses 2 --dist loadfile

# where Slurm cannot be had these tests are skipped
test-slurm: env
	@{ command -v slurmctld && command -v munged; } >/dev/null || $(call INSTALL,--no-install-recommends slurm-wlm munge)
	pytest -rs tests/slurm/test_slurm.py

lint: env
	ruff check
	ruff format --check
	snakefmt --check Snakefile rules
	lint-imports --no-cache --no-logo
	snakemake --lint
	@if found=$$($(MAKE) --no-print-directory audit 2>&1); then echo "$$found"; \
	elif echo "$$found" | grep -q "known vulnerabilit"; then echo "$$found"; exit 1; \
	else echo "The pins were not audited: no database of vulnerabilities is reachable (make audit)."; fi

audit:
	@test -x .venv-audit/bin/pip-audit || { $(PYTHON) -m venv .venv-audit && .venv-audit/bin/pip install --quiet --retries 0 $(AUDITOR); }
	@$(AUDIT)

# the peers are installed without what they pull, see there
bench:
	@cat $(PINS) $(PEERS) | cmp -s - .venv-bench/pins || $(MAKE) --no-print-directory .venv-bench
	.venv-bench/bin/python -m benchmarks $(BENCH)

faults: env
	PYTHONPATH=tests python tests/faults/faults.py --fill docs/faults.md

# the pages that are generated from the schemas
docs: env
	hepatoclr docs

# An environment is made when there is none with these pins, or none that works: its commands know where
# it was made, so after a move it is made anew. uv installs it in half a minute; where uv cannot be had
# pip takes three. Bytecode is compiled here, because jobs are short and imports long. The library goes
# in as it lies here, with the command hepatoclr. A few signs in the folder's path break an environment
# or the commands in it (spaces do not): that is said before anything is installed.
env:
	@{ cmp -s $(PINS) .venv/pins && $(BIN)/pip --version >/dev/null 2>&1; } || $(MAKE) --no-print-directory .venv

.PHONY: .venv .venv-bench .venv-engines
.venv-bench: NO_DEPS := $(PEERS)
.venv .venv-bench:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=")'
	@$(PYTHON) -c 'import os, sys; bad = " ".join(map(repr, sorted(set(os.getcwd()) & set(":{}$$\"`\t\r\n")))); \
	    sys.exit(f"The path of this folder holds {bad}, with which an environment of Python does not work: " \
	    "rename what holds it, or move the project." if bad else 0)'
	rm -rf $@
	$(PYTHON) -m venv $@
	if $@/bin/pip install --quiet uv; then \
	    UV_FIND_LINKS="$$($@/bin/pip config get global.find-links 2>/dev/null)" \
	    $@/bin/uv pip install --quiet --compile-bytecode --python $@/bin/python -r $(PINS); \
	else \
	    $@/bin/pip install --quiet -r $(PINS); \
	fi
	$(if $(NO_DEPS),$@/bin/pip install --quiet --no-deps -r $(NO_DEPS))
	$@/bin/pip install --quiet --no-deps --no-build-isolation -e .
	cat $(PINS) $(NO_DEPS) > $@/pins

# it goes on top of .venv; botocore wants an older dateutil than the one there
.venv-engines:
	rm -rf $@
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --no-deps -r $(ENGINES) snakemake==$$(sed -n 's/^snakemake==//p' $(PINS))
	echo "$$PWD"/.venv/lib/python*/site-packages > "$$(echo $@/lib/python*/site-packages)/venv.pth"
	cat $(ENGINES) $(PINS) > $@/pins

# CUDA libraries stay unpinned: torch brings the ones it needs where it has a GPU build
COMPILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header \
    --no-emit-index-url --no-emit-find-links
pins: env
	$(COMPILE) envs/requirements.in | grep -vE '^(nvidia-|cuda-|triton)' > $(PINS)
	grep -v '^python-dateutil==' $(PINS) | $(COMPILE) -c - envs/engines.in | grep -vxFf $(PINS) > $(ENGINES)
	hepatoclr docs
