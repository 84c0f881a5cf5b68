# Rossio. `make` says what there is; every target makes its own environment first.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .cache/bootstrap/bin/uv
VENV := .venv/bin
PYTHON := $(shell for python in python3.11 python3 python3.12 python3.13; do \
  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$python" && break; done)

MEMBERS := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml))
CODE := libs services $(wildcard tests) charts
# Bytecode is made once: where Python may not write any, each start of a program would make its own, for half its time.
COMPILE := $(VENV)/python -m compileall -q -j 0 .venv/lib libs services protos/rossio
PROTOS := $(shell find protos -name '*.proto') protos/topics.yaml protos/generate.py protos/pyproject.toml
# What `make test` hands to pytest besides: make test ARGS="services/news -x"
ARGS ?=
# What `make images` builds; none: all of them.
IMAGES ?=

.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST))) # every target that is no file

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: .venv/.run ## the environment that runs the suite (Python 3.11 or later and a package index)

run: .venv/.run ## start the whole suite, show one of everything, and stay up until Ctrl-C
	@$(VENV)/rossio up

demo: .venv/.run ## the same, checked step by step; exits 0 only when every step held
	@$(VENV)/rossio demo

# A process of tests that dies ends the run: what xdist (3.8) would start in its place gets nothing to do, and all wait.
test: .venv/.dev tools ## all tests, on a real Apache Kafka; two processes share them
	@$(VENV)/pytest -n 2 --dist loadfile --max-worker-restart 0 $(ARGS)

# The S3 server of `make test-s3`: versitygw, or minio, which takes Go longer.
S3 ?= versitygw

test-s3: .venv/.dev .cache/go/$(S3) ## content on a real S3 server instead of moto; Go builds it first, in minutes
	@S3_SERVER=$(CURDIR)/.cache/go/$(S3) $(VENV)/pytest libs/blobs services/document/tests/component/test_keys.py -k s3

.cache/go/versitygw:
	GOBIN=$(CURDIR)/$(@D) go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

.cache/go/minio:
	GOBIN=$(CURDIR)/$(@D) go install github.com/minio/minio@latest

verify: lint types contracts protos-check collect ## everything that is checked without running the code

lint: .venv/.dev ## ruff: rules and format
	@$(VENV)/ruff check
	@$(VENV)/ruff format --check

types: .venv/.dev ## mypy (strict) and pyright
	@$(VENV)/mypy $(CODE)
	@$(VENV)/pyright

# mypy cannot follow an import inside services/mail-routing/tests, since that is no module name: pytest does.
collect: .venv/.dev
	@$(VENV)/pytest --collect-only -q > .cache/collected || { cat .cache/collected; exit 1; }

contracts: .venv/.dev
	@$(VENV)/lint-imports --no-logo

# A change may not break who speaks the contracts of the main branch; a first commit has nothing to break.
protos-check: .venv/.dev
	@$(VENV)/buf lint protos
	@if git cat-file -e main:protos/buf.yaml 2>/dev/null; \
	then $(VENV)/buf breaking protos --against "$$(git rev-parse --git-common-dir)#format=git,branch=main,subdir=protos"; \
	else echo "no contracts on the branch main yet: nothing to compare with"; fi

bench: .venv/.dev ## measures the mechanisms, into .bench/
	@mkdir -p .bench
	@$(VENV)/python -m tests.bench

bench-document: .venv/.dev ## what document costs: decisions, the tree, search, and content beside nginx, into .bench/document.json
	@$(VENV)/python -m tests.bench document_metadata document_content document_search --into document

bench-mail: .venv/.dev tools ## mail-routing beside Postfix, with a backlog and a bulk, on a real Kafka, into .bench/mail.json
	@$(VENV)/python -m tests.bench mail_peer mail_backlog mail_urgent --into mail

bench-telemetry: .venv/.dev ## what telemetry costs an event, into .bench/telemetry.json
	@$(VENV)/python -m tests.bench event --into telemetry

bench-notification: .venv/.dev tools ## the lanes of notification beside each other, into .bench/notification.json
	@$(VENV)/python -m tests.bench notification --into notification

docs: .venv/.dev ## writes the reference of contracts, streams, metrics and values in docs/reference
	@$(VENV)/python -m reference
	@$(VENV)/python charts/assemble.py --pages docs/reference/charts

bench-news: .venv/.dev tools ## what news costs at the size of the whole ministry, into .bench/news.json
	@$(VENV)/python -m tests.bench news news_over_grpc --into news

dashboards: .venv/.dev ## writes the dashboards, alerts and rules that the charts install
	@$(VENV)/python -m monitoring

pictures: .venv/.dev tools ## draws the dashboards from a suite at work, into docs/pictures
	@mkdir -p docs/pictures
	@PICTURES=$(CURDIR)/docs/pictures $(VENV)/pytest -q tests/e2e/test_dashboards.py

test-traces: .venv/.dev tools ## the traces of a mail and of a share in a real Jaeger, which Go builds in minutes
	@$(VENV)/pytest tests/apart/test_traces.py

test-alerts: .venv/.dev tools ## chaos: what breaks in a running suite is alerted by Prometheus, and is silent when mended
	@$(VENV)/pytest tests/apart/test_alerts.py

# Mails that the torture sends: make torture-mail MAILS=20000
MAILS ?= 5000

torture-mail: .venv/.dev tools ## mail under SIGKILL at every point, dying servers and a full disk, at a size of your own
	@TORTURE_MAILS=$(MAILS) $(VENV)/pytest -p no:xdist -v --timeout 3600 services/mail-routing/tests/component/test_torture.py

# Seconds that fuzzing takes: make fuzz-smtp FUZZ=3600
FUZZ ?= 120
SMTP_CORPUS := services/mail-routing/tests/unit/corpus/smtp

fuzz-smtp: .venv/.dev ## looks for octets that the SMTP session does not stand; the suite tries what it finds ever after
	@$(UV) pip install --python $(VENV)/python -q "atheris==3.0.0"
	@mkdir -p .fuzz/smtp
	@$(VENV)/python services/mail-routing/tests/unit/fuzz_smtp.py -max_total_time=$(FUZZ) -max_len=1024 \
	  -artifact_prefix=$(SMTP_CORPUS)/ .fuzz/smtp $(SMTP_CORPUS)

lock: $(UV) ## resolves what the pyproject files ask for and writes the two requirements files
	@$(UV) lock
	@$(UV) export -q --frozen --no-header --no-annotate --format requirements.txt --no-emit-workspace \
	  --no-default-groups --group embedded --output-file requirements.lock
	@$(UV) export -q --frozen --no-header --no-annotate --format requirements.txt --no-emit-workspace \
	  --output-file requirements-dev.lock

charts: .venv/.dev ## the charts as they are installed, into .charts/
	@$(VENV)/python charts/assemble.py

images: .venv/.dev ## all images without Docker (Debian's buildah), into .images/; IMAGES="news document" makes some
	@$(VENV)/python charts/images/build.py $(IMAGES)

test-charts: .venv/.dev ## the charts without a cluster: they render, refuse what is wrong, and fit the code
	@$(VENV)/pytest tests/charts
	@$(VENV)/python -m tests.charts

test-skaffold: .venv/.dev charts ## what skaffold itself makes of skaffold.yaml, with each profile; Go builds it in minutes
	-@$(VENV)/python -m tests.cluster.binaries skaffold
	@$(VENV)/pytest tests/apart/test_skaffold.py

lint-charts: .venv/.dev tools ## what Kubernetes' schemas and checkov say of what the charts render
	@$(VENV)/python -m tests.charts

cluster: .venv/.dev tools ## a real Kubernetes on this machine (root, Go) with the suite's images, and a shell beside it
	@for part in debian sources programs; do $(VENV)/python -m tests.cluster.binaries $$part || exit; done
	@$(MAKE) --no-print-directory images charts
	@$(VENV)/python -m tests.cluster $(COMMAND)

test-cluster: .venv/.dev tools ## a real Kubernetes on this machine (root, Go): install, test, upgrade, roll back, remove
	@$(VENV)/python -m tests.cluster.ci --insist

test-cluster-ci: .venv/.dev tools ## the same with limits in time; a machine that cannot carry it says what it lacks
	@$(VENV)/python -m tests.cluster.ci

clean: ## removes what was made: environment, generated code, state, caches
	rm -rf .venv .cache .rossio .bench .charts .fuzz .images .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find protos/rossio -name '*.py' -delete -o -name '*.pyi' -delete -o -name py.typed -delete

# How the environment comes to be. A stamp file says that a step is done; it is made anew when what it rests on changes.

$(UV):
	@test -n "$(PYTHON)" || { echo "Rossio needs Python 3.11 or later: install it and call make again" >&2; exit 1; }
	@echo "making the environment with $(PYTHON): uv $(UV_VERSION)"
	@"$(PYTHON)" -m venv .cache/bootstrap || \
	  { echo "this Python makes no environments: apt-get install python3-venv" >&2; exit 1; }
	@.cache/bootstrap/bin/python -m pip install -q "uv==$(UV_VERSION)"

.venv/bin/python: | $(UV)
	@$(UV) venv -q --python "$(PYTHON)" .venv

.venv/.run: requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml) .venv/.protos | $(UV)
	@$(UV) pip install --python $(VENV)/python -r requirements.lock
	@echo "installing the $(words $(MEMBERS)) libs and services of this folder"
	@$(UV) pip install --python $(VENV)/python -q --no-deps $(MEMBERS:%=-e %)
	@$(COMPILE)
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.run | $(UV)
	@$(UV) pip install --python $(VENV)/python -r requirements-dev.lock
	@$(COMPILE)
	@touch $@

.venv/.protos: $(PROTOS) | $(UV) .venv/bin/python
	@echo "making the contracts' Python package"
	@$(UV) pip install --python $(VENV)/python -q --no-deps --reinstall-package rossio-protos -e protos
	@touch $@

tools: .venv/.dev ## what tests need beside Python: programs from Debian, Apache Kafka
	@.ci/tools
	@$(VENV)/python -m devstack.kafka
	@.ci/clients
	@$(VENV)/python -m tests.cluster.binaries
	@$(VENV)/python -m tests.cluster.binaries charts || echo "the charts' suites are not run" >&2
