# make demo: train on real data.  make test: lint, types, tests, doctests.  make bench: compare with the peers.
# make docs: the reference pages, in build/site.
# make parity: after `make test`, the tests that it skipped for want of PyTorch, Keras, JAX or TensorBoard.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test parity bench docs clean

.venv/created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/demo: .venv/created pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/%: .venv/created pyproject.toml # an extra of pyproject.toml
	$(BIN)/pip install --quiet --editable '.[$*]'
	touch $@

demo: .venv/demo
	$(BIN)/thalweg train examples/penguins.csv --target target --seed 1

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile

parity: .venv/parity
	$(BIN)/pytest -n auto --dist loadfile --skipped tests

bench: .venv/bench
	$(BIN)/python -m benchmarks

docs: .venv/docs
	$(BIN)/python docs/reference/generate.py build/docs
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv
