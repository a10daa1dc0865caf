# make demo: train on real data.  make test: lint, types, tests, doctests.  make bench: compare speed with the peers.
# How well tables are predicted takes hours and isn't part of it: .venv/bin/python -m benchmarks --accuracy
# make quick: lint, types and the tests that find most, in about a minute once the kernels are compiled.
# make test-core, test-insight, test-tables, test-doors: the tests of one district of docs/architecture.md.
# make soak: all random examples and shapes of the tests of kernels, gradients, formulas and readers of files.
# make damages: mistakes in a copy of the package, one after the other; tests have to notice each.
# make coverage: the tests once more, with the share of lines that they run, which doubles their time.
# make library: the kernels of a wheel for this machine's processor, and for pages; networks then compile next to nothing.
# make wheels: wheels with ready kernels, in build/wheels: for all systems, or make wheels SYSTEMS=linux-x86_64.
# make release: whether a tagged version lacks anything; then all tests, wheels and the site. It publishes nothing.
# make extras: what each extra is for, done where it alone is installed, from a wheel with this machine's kernels.
# make docs: the site, in build/site, with links checked; open build/site/index.html.
# make lowest: some tests with the lowest versions of the dependencies that pyproject.toml allows (Python 3.11 or 3.12).
# make parity: after `make test`, the tests that it skipped for want of PyTorch, Keras, JAX, onnxruntime, MPI …
# make pages: after `make test`, the tests in a browser; Chromium has to be on the PATH.
# make web-types: the types of the pages' modules, by TypeScript, which npm fetches; nothing where there is no npm.
PYTHON ?= python3
BIN := .venv/bin
# A container may forbid to keep bytecode; each process that a test starts would then compile the package again.
unexport PYTHONDONTWRITEBYTECODE
# Each core begins with its share of the tests, in their order, and takes half of what another has left.
ON_ALL_CORES := -n auto --dist worksteal

.PHONY: demo lint library native-library pages-library quick test test-core test-insight test-tables test-doors soak damages coverage parity pages web-types lowest wheels release extras bench docs clean

.venv/created:
	$(PYTHON) -m venv .venv
	touch $@

.venv/%: .venv/created pyproject.toml # an extra of pyproject.toml
	$(BIN)/pip install --quiet --editable '.[$*]'
	touch $@

demo: .venv/jit
	$(BIN)/thalweg train examples/penguins.csv --target target --seed 1

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Structure, defaults, gradients and kernels of all instructions, passes, activations, metrics, optimizers, fit,
# saving, formulas, and the command line from end to end.
quick: lint
	$(BIN)/pytest $(ON_ALL_CORES) tests/project/test_structure.py tests/project/test_signatures.py \
		tests/project/test_damages.py tests/program tests/activations/test_activations.py tests/activations/test_formulas.py \
		tests/metrics/test_metric_state.py tests/optimizers/test_optimizer_equations.py \
		tests/optimizers/test_shared_arguments.py tests/layers/test_noise.py tests/models/test_fit.py \
		tests/models/test_saving.py tests/cli/test_cli.py::test_the_whole_way

library: native-library pages-library

native-library: .venv/dev # this machine's ready kernels, which tests would compile one after the other
	$(BIN)/python -m wheels.libraries thalweg/engine/native/ready

pages-library: .venv/dev
	$(BIN)/python -m thalweg.play.webassembly.module thalweg/engine/native/ready

test: .venv/dev
	$(MAKE) --jobs 2 native-library lint pages-library
	$(BIN)/pytest $(ON_ALL_CORES)

CORE := activations applications callbacks engine initializers layers losses metrics models ops optimizers program support utils
INSIGHT := doctor landscapes recordings tracing views
TABLES := data datasets estimators experiments runs series tabular
DOORS := cli export play serve pages
test-core test-insight test-tables test-doors: .venv/dev # those of one district (docs/architecture.md)
	$(BIN)/pytest $(ON_ALL_CORES) $(addprefix tests/,$($(shell echo $(@:test-%=%) | tr a-z A-Z)))

soak: .venv/dev
	$(BIN)/pytest $(ON_ALL_CORES) --hypothesis-profile soak tests/program tests/engine tests/activations tests/data \
		tests/models/test_random_graphs.py tests/tabular

damages: .venv/dev
	$(BIN)/python tests/damages.py
	for pass in input_split winograd image_columns; do $(BIN)/python tests/tables/native_pass_damage.py $$pass || exit 1; done

coverage: .venv/dev
	$(BIN)/pytest $(ON_ALL_CORES) --cov

parity: .venv/parity
	$(BIN)/pytest $(ON_ALL_CORES) --skipped tests --ignore tests/pages

pages: .venv/dev .venv/pages
	$(BIN)/pytest $(ON_ALL_CORES) --skipped tests/pages

web-types:
	@if command -v npx > /dev/null; then \
		npx --yes --package typescript@5 tsc --project thalweg/views/web/jsconfig.json; \
	else \
		echo "web-types: there is no npm, so types aren't checked"; \
	fi

.venv-lowest/installed: tests/lowest.txt pyproject.toml
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet --editable '.[dev,tensorboard]' --constraint tests/lowest.txt
	touch $@

# Not how well real tables are predicted, nor each cell alone, which asks the packages nothing that the others don't.
lowest: .venv-lowest/installed
	.venv-lowest/bin/pytest $(ON_ALL_CORES) tests/models/test_prediction.py tests/data/test_tables.py tests/data/test_formats.py \
		tests/data/test_queries.py tests/models/test_saving.py tests/activations/test_formulas.py tests/cli/test_cli.py \
		tests/cli/test_full_disk.py --deselect tests/cli/test_cli.py::test_real_tables \
		--deselect tests/data/test_formats.py::test_a_cell_says_the_same_alone_and_among_others

wheels: .venv/dev
	$(BIN)/python -m wheels $(SYSTEMS)

release: .venv/dev
	$(BIN)/python -m wheels.release
	$(MAKE) --jobs 2 native-library lint pages-library
	$(BIN)/pytest $(ON_ALL_CORES) --release
	$(MAKE) wheels docs
	@echo "build/wheels and build/site are what this version is; to publish: twine upload build/wheels/*, git push --tags"

extras: .venv/dev
	$(MAKE) library
	$(BIN)/python -m wheels.extras

bench: .venv/bench
	$(BIN)/python -m benchmarks

docs: .venv/docs
	$(BIN)/python docs/reference/generate.py build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict # --quiet would hide warnings from --strict, too

clean:
	rm -rf .venv .venv-lowest
