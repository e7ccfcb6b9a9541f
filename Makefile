# Every target sets up what it needs: an environment in .venv and the kernels.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard src/medcost/_core/*.pyx src/medcost/_core/*.pxd)
DEMO := demo
# A process for each processor; the tests of a file share what they set up.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile

FUZZ_SECONDS ?= 300
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all

.PHONY: demo test test-checked fuzz-pages check bench docs format clean

$(VENV)/ready: pyproject.toml setup.py requirements-dev.lock $(KERNELS)
	@echo "Setting up $(VENV) and building the kernels: a minute or two."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements-dev.lock \
		setuptools cython numpy
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c requirements-dev.lock -e ".[dev]"
	touch $@

demo: $(VENV)/ready
	rm -rf $(DEMO)
	$(BIN)/medcost run data/samples --period 2026-01 --model three_level_step_down_2021 --out $(DEMO)

test: $(VENV)/ready
	$(PYTEST)

# The kernels rebuilt with bounds checks, the whole suite on them, then the fast ones back.
test-checked: $(VENV)/ready
	MEDCOST_CHECKED=1 $(BIN)/python setup.py --quiet build_ext --inplace --force
	$(PYTEST); status=$$?; \
		$(BIN)/python setup.py --quiet build_ext --inplace --force; exit $$status

# Damaged files under AddressSanitizer, with the kernels built once more, outside the source tree.
# Python's and Arrow's own memory pools would hide what is read beyond a buffer.
fuzz-pages: $(VENV)/ready
	CFLAGS="$(SANITIZE) -g" LDFLAGS="$(SANITIZE)" MEDCOST_OPTIMISE=-O1 \
		$(BIN)/python setup.py --quiet build --force --build-base build/fuzz --build-lib build/fuzz/lib
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc ARROW_DEFAULT_MEMORY_POOL=system \
		PYTHONPATH=build/fuzz/lib:tests $(BIN)/python -m fuzz.fuzz_pages $(FUZZ_SECONDS)

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/python -m mypy.stubtest --allowlist .ci/stubtest_allowlist.txt \
		medcost._core.split medcost._core.sums \
		medcost._core.step_down medcost._core.residual medcost._core.case_cost \
		medcost._core.labels medcost._core.page_headers medcost._core.footers \
		medcost._core.plain_values medcost._core.text_hashes medcost._core.zstd_frames medcost._core.pages \
		medcost._core.key_table medcost._core.net_lines medcost._core.part_costs medcost._core.group_cells \
		medcost._core.fixed_point medcost._core.memory medcost._core.sha256
	$(BIN)/lint-imports
	$(BIN)/python docs/build_reference.py --check

bench: $(VENV)/ready
	mkdir -p .benchmarks
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks --benchmark-enable --benchmark-only \
		--benchmark-columns=min,median,max,rounds --benchmark-sort=name \
		--benchmark-json=.benchmarks/kernels.json
	$(BIN)/python -m benchmarks run
	$(BIN)/python -m benchmarks.explain

docs: $(VENV)/ready
	$(BIN)/python docs/build_reference.py

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist $(DEMO) src/*.egg-info src/medcost/_core/*.so
