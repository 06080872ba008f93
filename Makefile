# Every target does its own set-up: a virtual environment in .venv from the locked, hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
MINISTACK := $(VENV)/ministack/ready
CHECKOV := $(VENV)/checkov/ready
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo emulator invoke image scan test faults bench compare check format docs lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## the whole story on this machine, with no AWS account
	$(BIN)/posture demo

emulator: $(READY) ## an emulated AWS on port 4566 with the stack in it, for sam local and boto3
	$(BIN)/posture emulate --host 0.0.0.0

# Without EVENT: what there is to choose from, by events/README.md.
invoke: $(READY) ## list the sample events; EVENT=evaluate/batch runs one in its container
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

scan: $(CHECKOV) ## checkov over both templates; what it may not find is said in them, with the reason
	$(VENV)/checkov/bin/checkov --framework cloudformation --file template.yaml member.yaml \
	  --compact --quiet --skip-download

image: $(READY) ## a stand-in for Lambda's base image, where none can be pulled (root, debootstrap, Docker)
	.ci/lambda-image/build $(BIN)/python

test: $(READY) $(MINISTACK) ## every test that this machine can run
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

STORIES ?= 100
SEED ?= 0
faults: $(READY) ## strike every AWS call with every fault, and tell STORIES=100 stories from SEED=0
	FAULT_STORIES=$(STORIES) $(BIN)/pytest tests/faults -q --hypothesis-seed=$(SEED)

bench: $(READY) ## what a burst, a sweep, one change, a cold start and a storm of alerts take
	$(BIN)/python benchmarks/run.py

PEERS_PYTHON ?= $(PYTHON)
compare: $(READY) ## side by side with Prowler and Cloud Custodian (installs them: 2 GB, 15 minutes)
	$(PEERS_PYTHON) benchmarks/peers/install.py
	$(BIN)/python benchmarks/peers/compare.py docs/labelled-cases.md
	$(BIN)/python benchmarks/peers/lost_events.py
	$(BIN)/python benchmarks/peers/race.py

check: $(READY) ## lint, format, types, import contracts, template lint, generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=layers/posture/python:cli $(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml member.yaml
	$(BIN)/posture rules --output markdown | diff docs/rules.md -
	$(BIN)/posture events --output markdown | diff docs/events.md -

format: $(READY) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## make the generated pages anew
	$(BIN)/posture rules --output markdown > docs/rules.md
	$(BIN)/posture events --output markdown > docs/events.md
	$(BIN)/python layers/posture/rule_texts.py
	$(BIN)/python layers/dependencies/slim_models.py

lock: ## resolve pyproject.toml anew into requirements/ (needs uv)
	uv pip compile pyproject.toml --extra cli --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements/dev.txt
	uv pip compile --group ministack --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements/ministack.txt
	uv pip compile --group checkov --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements/checkov.txt
	uv pip compile --group image --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements/image.txt
	uv pip compile pyproject.toml --universal --python-version 3.13 --no-emit-package boto3 \
	  --no-emit-package botocore --no-emit-package s3transfer --no-emit-package urllib3 \
	  --no-emit-package python-dateutil --no-emit-package six \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade \
	  -o layers/dependencies/requirements.txt

clean: ## remove what was set up and built
	rm -rf $(VENV) .peers .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(MINISTACK): requirements/ministack.txt $(READY)
	$(PYTHON) -m venv $(VENV)/ministack
	$(VENV)/ministack/bin/pip install --quiet --no-deps --require-hashes -r requirements/ministack.txt
	touch $@

$(CHECKOV): requirements/checkov.txt $(READY)
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/pip install --quiet --no-deps --require-hashes -r requirements/checkov.txt
	touch $@
