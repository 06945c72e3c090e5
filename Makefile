# make demo   environment, installation, Figure 1 at demo scale (digits, no network needed)
# make test   environment with the development tools, the whole suite
# make test-oldest         the suite on the oldest versions that pyproject.toml declares
# make test-gpu-versions   the suite on those that GPU machines have
#                          either with TESTS="files", and PYTHON310= or PYTHON312=
# make test-slurm          jobs of a cluster, on a Slurm of one node where it is installed
# make test-trackio        the sink that wants an older pillow than the rest
# make lint   ruff and mypy
# make abuse  an hour of kills, damage and hostile input; SHARE=0.1 for a tenth
# make docs   the tables in docs/, from what is registered
# make site   README, docs/ and a reference as a site, in build/site
# make gpu MINUTES=9 DATA=cifar10-jpeg.tar.xz OUT=folder   all that wants a GPU
# make gallery SIZE=cpu DATA="cifar10=PATH cifar100=PATH"   pictures and tables, some hours

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: abuse demo test test-oldest test-gpu-versions test-slurm test-trackio lint docs site clean gallery gpu

demo: $(VENV)/.installed
	$(BIN)/rofit run fig1_gradnorm --scale demo

SUITE = -m pytest -n 2 --dist loadfile --durations 15 -m "not slurm"
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

test-slurm: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/cluster

test-trackio: $(VENV)/.installed-dev
	$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(VENV)/trackio trackio
	PYTHONPATH=$(abspath $(VENV)/trackio) $(BIN)/python -m pytest \
		tests/interop -k "sinks and trackio"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

SHARE ?= 1
abuse: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/abuse/abuse.py $(SHARE)

docs: $(VENV)/.installed
	$(BIN)/python docs/tables.py

site: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) $(OLDEST) $(GPU_VERSIONS) build *.egg-info

# The pictures and tables that docs/results.md links; DATA is one or several of archives and
# folders, each as --data takes it: DATA="cifar10=PATH cifar100=PATH tiny_imagenet=PATH".
SHOWN = fig1_gradnorm fig2_label_assignment fig3_confidence fig4_memorization \
	fig5_embedding fig6_cifar100 fig7_iiw fig8_iiw_noise fig9_ablation fig10_strength \
	fig11_landscape fig12_calibration table1_main table2_remedies table3_architectures \
	table4_threats table5_attacks table6_datasets table7_components table8_cost \
	theorem1_information
SIZE ?= cpu
gallery: $(VENV)/.installed
	rm -rf $(VENV)/gallery
	$(BIN)/rofit run $(SHOWN) --scale $(SIZE) $(addprefix --data ,$(DATA)) --jobs 2 \
		--out $(VENV)/gallery
	for result in $(VENV)/gallery/*/*; do \
		shown=figures/gallery/$(SIZE)/$$(basename $$result) && mkdir -p $$shown && \
		cp $$result/claims.* $$result/manifest.json $$result/*.png $$shown/ 2>/dev/null || \
		cp $$result/claims.* $$result/manifest.json $$result/*.md $$shown/ || exit 1; done

# What minutes of a GPU are for, in order of worth; .ci/gpu says what can be set. Nothing is
# installed: without the environment of `make demo`, PY=python3 takes what is there.
gpu:
	.ci/gpu
