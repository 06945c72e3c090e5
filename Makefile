# make demo   environment, installation, Figure 1 at demo scale (digits, no network needed)
# make test   environment with the development tools, the whole suite
# make test-oldest         the suite on the oldest versions that pyproject.toml declares
# make test-gpu-versions   the suite on those that GPU machines have
#                          either with TESTS="files", and PYTHON310= or PYTHON312=
# make lint   ruff and mypy
# make docs   the tables in docs/, from what is registered
# make gpu MINUTES=9 DATA=cifar10-jpeg.tar.xz OUT=folder   all that wants a GPU
# make gallery DATA=cifar10-jpeg.tar.xz   pictures and tables of the gallery, some hours

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-oldest test-gpu-versions lint docs clean gallery gpu

demo: $(VENV)/.installed
	$(BIN)/rofit run fig1_gradnorm --scale demo

SUITE = -m pytest -n 2 --dist loadfile --durations 15
test: $(VENV)/.installed-dev
	$(BIN)/python $(SUITE)

# Environments of their own; uv takes from its cache what it has fetched before.
TESTS ?=
ENGINE_TESTS = $(wildcard tests/training/test_engine*.py tests/attacks/test_c*.py \
	tests/*/test_rehearsal*.py tests/training/test_step_graphs.py)
PYTHON310 ?= python3.10
PYTHON312 ?= python3.12
OLDEST = .venv-oldest
GPU_VERSIONS = .venv-gpu-versions
$(OLDEST)/.installed: INTERPRETER = $(PYTHON310)
$(OLDEST)/.installed: CHOICE = --resolution lowest-direct --constraints tests/oldest.txt
$(GPU_VERSIONS)/.installed: INTERPRETER = $(PYTHON312)
$(GPU_VERSIONS)/.installed: CHOICE = --overrides tests/gpu-versions.txt

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python $(SUITE) $(TESTS)

test-gpu-versions: $(GPU_VERSIONS)/.installed
	$(GPU_VERSIONS)/bin/python $(SUITE) $(TESTS)

OTHERS = $(OLDEST)/.installed $(GPU_VERSIONS)/.installed
$(OTHERS): pyproject.toml tests/oldest.txt tests/gpu-versions.txt | $(VENV)/.installed-dev
	@$(INTERPRETER) --version > /dev/null 2>&1 || \
		{ echo "$(@D) needs $(INTERPRETER), which is not here (PYTHON310=, PYTHON312=)"; exit 1; }
	$(BIN)/uv venv --quiet --clear --python $(INTERPRETER) $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python $(CHOICE) --editable ".[dev]"
	touch $@

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.installed
	$(BIN)/python docs/tables.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(OLDEST) $(GPU_VERSIONS) build *.egg-info

# The pictures and tables that docs/results.md links; DATA is an archive of CIFAR-10's class folders.
SHOWN = fig1_gradnorm fig2_label_assignment fig3_confidence fig4_memorization \
	fig5_embedding fig7_iiw fig9_ablation fig10_strength fig11_landscape fig12_calibration \
	table1_main table2_remedies table4_threats table5_attacks table7_components \
	table8_cost theorem1_information
gallery: $(VENV)/.installed
	$(BIN)/rofit run $(SHOWN) --scale cpu --data $(DATA) --jobs 2 --out $(VENV)/gallery
	cd $(VENV)/gallery/* && for name in $(SHOWN); do \
		mkdir -p $(CURDIR)/figures/gallery/$$name && \
		cp $$name/claims.md $$name/manifest.json $(CURDIR)/figures/gallery/$$name/ && \
		cp $$name/$$name.md $(CURDIR)/figures/gallery/$$name/ 2>/dev/null || \
		cp $$name/$$name.png $(CURDIR)/figures/gallery/$$name/; done

# What minutes of a GPU are for, in order of worth; .ci/gpu says what can be set. Nothing is
# installed: without the environment of `make demo`, PY=python3 takes what is there.
gpu:
	.ci/gpu
