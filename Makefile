# Every target makes the environment first; nothing else needs to be set up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS ?= .peers
MINUTES ?= 10
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: quickstart bench test test-all fuzz lint types clean

quickstart: $(READY)  ## train on the embedded digits, evaluate, write the report
	@rm -rf runs/quickstart
	$(BIN)/vitreous train digits --out runs/quickstart
	@echo "open runs/quickstart/report.html in a browser"

bench: $(PEERS)/.ready  ## speed beside timm, transformers, torchvision and vit-pytorch
	$(PEERS)/bin/vitreous bench --out benchmarks $(BENCH)

test: $(READY)  ## the fast tests
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: $(READY)  ## every test
	$(BIN)/python -m pytest -n 2

fuzz: $(READY)  ## mutated inputs against everything that reads: make fuzz MINUTES=10
	$(BIN)/python tests/fuzz/campaign.py --minutes $(MINUTES) --seed $(or $(SEED),0)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(READY)

$(PEERS)/.ready: pyproject.toml constraints.txt benchmarks/peers.sh benchmarks/peers.txt
	sh benchmarks/peers.sh $(PEERS)
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) runs build dist
