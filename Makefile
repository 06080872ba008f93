# Every target prepares what it needs: one virtual environment, .venv, from locked and hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/demo.installed
DEV := $(VENV)/dev.installed
MINISTACK := $(VENV)/ministack/installed
CHECKOV := $(VENV)/checkov/installed
COSMIC_RAY := $(VENV)/cosmic-ray/installed
INSTALL := pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r
WORKERS ?= 2
# A file's tests share what they set up. By their order, the files that take longest come first.
BALANCED := --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo emulator invoke image scan test coverage faults nightly mutants mutants-sample \
  bench compare check hooks format docs lock release clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO) ## run the demo on this machine, without an AWS account
	$(BIN)/posture demo

emulator: $(DEMO) ## serve an emulated AWS with the stack on port 4566, for sam local and boto3
	$(BIN)/posture emulate --host 0.0.0.0

# Without EVENT: list the sample events of events/README.md.
invoke: $(DEV) ## list the sample events; EVENT=evaluate/batch runs one in a container
ifdef EVENT
	$(BIN)/sam build
	$(BIN)/sam local invoke $(FUNCTION_$(firstword $(subst /, ,$(EVENT)))) -e events/$(EVENT).json $(SAM_FLAGS)
else
	@awk -F '|' '/^\| `/ {gsub(/`| /, "", $$2); printf "  make invoke EVENT=%-24s %s\n", $$2, $$3}' events/README.md
	@ls events/calls/*.json | sed 's#events/\(.*\).json#  make invoke EVENT=\1#'
endif
FUNCTION_evaluate := EvaluateFunction
FUNCTION_calls := EvaluateFunction
FUNCTION_sweep := SweepFunction
FUNCTION_notify := NotifyFunction
FUNCTION_survey := SurveyFunction
FUNCTION_refresh := RefreshFunction

scan: $(CHECKOV) ## scan the templates with checkov; they contain the skipped checks and the reasons
	$(VENV)/checkov/bin/checkov --framework cloudformation --file template.yaml member.yaml shared-events.yaml remediation.yaml \
	  --compact --quiet --skip-download

image: $(DEV) ## build a replacement for Lambda's base image (needs root, debootstrap and Docker)
	.ci/lambda-image/build $(BIN)/python

test: $(DEV) $(MINISTACK) ## run all tests; those that need Docker or a browser are skipped without it
	$(BIN)/pytest -n $(WORKERS) $(BALANCED)

coverage: export COVERAGE_FILE := $(VENV)/coverage/data
coverage: $(DEV) ## measure the branch coverage of the unit and integration tests
	@rm -rf $(VENV)/coverage && mkdir $(VENV)/coverage
	$(BIN)/coverage run -m pytest -q -n $(WORKERS) $(BALANCED) tests/unit tests/integration
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

STORIES ?= 100
SEED ?= 0
faults: $(DEV) ## inject every fault into every AWS call, and into STORIES=100 random runs from SEED=0
	FAULT_STORIES=$(STORIES) $(BIN)/pytest tests/faults -q --hypothesis-seed=$(SEED)

nightly: SEED := $(shell date +%Y%m%d)
nightly: $(DEV) ## try new examples of all properties and 300 fault stories, from a seed that changes daily
	RANDOM_EXAMPLES=1 $(BIN)/pytest tests/unit tests/integration -q -m hypothesis --hypothesis-seed=$(SEED); \
	  properties=$$?; $(MAKE) faults STORIES=300 SEED=$(SEED) && exit $$properties

mutants: $(DEV) ## plant faults in the pure core, each of which the tests must notice
	$(BIN)/python tests/mutation/run.py

MUTANTS ?= 4
mutants-sample: $(COSMIC_RAY) ## let cosmic-ray plant MUTANTS=4 faults in each module, chosen by SEED=0
	PYTHONPATH=tests $(BIN)/python tests/mutation/sample.py $(MUTANTS) $(SEED) $(MODULES)

bench: $(DEV) ## measure a burst of changes, a sweep, one change, a cold start and an alert digest
	$(BIN)/python benchmarks/run.py

PEERS_PYTHON ?= $(PYTHON)
compare: $(DEV) ## compare with Prowler and Cloud Custodian (installs them: 2 GB, 15 minutes)
	$(PEERS_PYTHON) benchmarks/peers/install.py
	$(BIN)/python benchmarks/peers/compare.py docs/labelled-cases.md
	$(BIN)/python benchmarks/peers/lost_events.py
	$(BIN)/python benchmarks/peers/race.py

check: $(DEV) ## lint, format, types, import contracts, templates, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=layers/posture/python:cli $(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml member.yaml shared-events.yaml remediation.yaml docs/samples/*.yaml
	$(BIN)/posture rules --output markdown | diff docs/rules.md -
	$(BIN)/posture controls --mapping --output markdown | diff docs/controls.md -
	$(BIN)/posture events --output markdown | diff docs/events.md -

hooks: $(DEV) ## install the pre-commit hooks in this clone
	$(BIN)/pre-commit install

format: $(DEV) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(DEV) ## regenerate the generated pages and files
	$(BIN)/posture rules --output markdown > docs/rules.md
	$(BIN)/posture controls --mapping --output markdown > docs/controls.md
	$(BIN)/posture events --output markdown > docs/events.md
	$(BIN)/python layers/posture/rule_texts.py
	$(BIN)/python layers/posture/request_shapes.py
	$(BIN)/python layers/posture/service_reference.py
	$(BIN)/python layers/dependencies/slim_models.py

LOCK := uv pip compile --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade
LOCK_CLI := $(LOCK) pyproject.toml --extra demo --universal --python-version 3.11
lock: ## resolve pyproject.toml again into requirements/ (needs uv)
	$(LOCK_CLI) --group dev -o requirements/dev.txt
	$(LOCK_CLI) --group build --constraint requirements/dev.txt -o requirements/demo.txt
	$(LOCK) --group ministack --universal --python-version 3.11 -o requirements/ministack.txt
	$(LOCK) --group checkov --universal --python-version 3.11 -o requirements/checkov.txt
	$(LOCK) --group cosmic-ray --universal --python-version 3.11 -o requirements/cosmic-ray.txt
	$(LOCK) --group image --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
	  -o requirements/image.txt
	$(LOCK) --group functions --universal --python-version 3.13 --no-emit-package boto3 \
	  --no-emit-package botocore --no-emit-package s3transfer --no-emit-package urllib3 \
	  --no-emit-package python-dateutil --no-emit-package six -o layers/dependencies/requirements.txt

# What a release has: the built stack, the templates of member accounts and of remediations, the
# Terraform module and the wheel of the command, each with its checksum.
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
RELEASE = dist/vpc-endpoint-posture-$(VERSION)
release: $(DEV) ## build what is published: the stack, the command and their checksums, in dist/
	rm -rf dist
	mkdir -p $(RELEASE)
	$(BIN)/sam build --no-cached --build-dir $(RELEASE)/stack
	cp samconfig.toml $(RELEASE)/stack/ # sam deploy reads it from the template's folder
	cp -R member.yaml shared-events.yaml remediation.yaml terraform README.md CHANGELOG.md LICENSE $(RELEASE)/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	cd dist && python3 -m zipfile -c $(notdir $(RELEASE)).zip $(notdir $(RELEASE)) && rm -r $(notdir $(RELEASE))
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

clean: ## remove the virtual environment, builds and caches
	rm -rf $(VENV) .peers .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(DEMO): requirements/demo.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(INSTALL) requirements/demo.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(DEV): requirements/dev.txt $(DEMO)
	$(BIN)/$(INSTALL) requirements/dev.txt
	touch $@

$(MINISTACK): requirements/ministack.txt $(DEV)
	$(PYTHON) -m venv $(VENV)/ministack
	$(VENV)/ministack/bin/$(INSTALL) requirements/ministack.txt
	touch $@

$(CHECKOV): requirements/checkov.txt $(DEV)
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/$(INSTALL) requirements/checkov.txt
	touch $@

$(COSMIC_RAY): requirements/cosmic-ray.txt $(DEV)
	$(PYTHON) -m venv $(VENV)/cosmic-ray
	$(VENV)/cosmic-ray/bin/$(INSTALL) requirements/cosmic-ray.txt
	touch $@
