SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
LINT_VERSION := v2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)
TESTSUM := bin/testsum
SUM := bin/testsum.jsonl
VERSION ?= $(shell git describe --tags --always --dirty 2> /dev/null || echo dev)

# Where goroutines share memory: these run under the race detector.
RACE := ./internal/... ./schemas/... ./capture/... ./transform/... ./sink/... ./status/... ./cmd/...
# Files with tests against real servers, their packages and names (unit tests are not run again), and the packages that run on whichever
# broker SHELFSTREAM_BROKER names.
TAGGED = $(shell grep -rl --include='*_test.go' '^//go:build integration' .)
INTEGRATION = $(sort $(dir $(TAGGED)))
INTEGRATION_TESTS = $(shell grep -hoE '^func Test[A-Z][A-Za-z0-9_]*' $(TAGGED) | sed 's/^func //; /^TestMain$$/d' | sort -u | paste -sd '|')
ON_BROKERS = $(shell grep -rl --include='*_test.go' 'testenv[.]StartBroker' . | xargs -r -n 1 dirname | sort -u)
GOLDEN = $(shell grep -rlE --include='*_test.go' 'flag[.]Bool."update"' . | xargs -r -n 1 dirname | sort -u)
FUZZTIME ?= 10s
TIMEOUT ?= 60m

.PHONY: help
help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/shelfstream (static)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/shelfstream ./cmd/shelfstream

.PHONY: test
test: ## everything: vet, lint, compose, unit, race, integration on the embedded log and on a real Kafka, coverage
	@scripts/install.sh --test
	@rm -f $(SUM)
	@began=$$(date +%s); \
	step() { echo "== $$1 ($$(($$(date +%s) - began)) s)"; $(MAKE) --no-print-directory $$1; }; \
	for s in vet lint compose unit race integration coverage; do step $$s; done; \
	echo "== what ran ($$(($$(date +%s) - began)) s)"; \
	$(TESTSUM) show -need 'embedded log,Apache Kafka,PostgreSQL,M,Chromium' $(SUM)

.PHONY: unit
unit: $(TESTSUM) ## unit tests: no server, no network
	@$(TESTSUM) run -name unit -into $(SUM) -- -cover -coverpkg=./... -coverprofile=bin/unit.cover ./...

.PHONY: race
race: $(TESTSUM) ## unit tests under the race detector
	@$(TESTSUM) run -name race -into $(SUM) -- -race -short $(RACE)

.PHONY: integration
integration: $(TESTSUM) ## tests against real servers: once on the embedded log, once on Apache Kafka
	@scripts/install.sh --test
	@SHELFSTREAM_BROKER=embedded $(TESTSUM) run -name 'integration on the embedded log' -into $(SUM) -- -tags integration -p 1 -timeout $(TIMEOUT) -count=1 -run '^($(INTEGRATION_TESTS))$$' -cover -coverpkg=./... -coverprofile=bin/integration.cover $(INTEGRATION)
	@if [ -n '$(ON_BROKERS)' ]; then \
	  SHELFSTREAM_BROKER=kafka $(TESTSUM) run -name 'integration on Apache Kafka' -into $(SUM) -- -tags integration -p 1 -timeout $(TIMEOUT) -count=1 -run '^($(INTEGRATION_TESTS))$$' $(ON_BROKERS); \
	fi

.PHONY: vet
vet: ## go vet, with the integration tests
	@$(GO) vet -tags integration ./...

.PHONY: lint
lint: $(LINT) ## golangci-lint, pinned and built from source
	@$(LINT) run ./...

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION), about a minute"
	@mkdir -p bin/lint && GOBIN=$(CURDIR)/bin/lint $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/lint/golangci-lint $@ && rmdir bin/lint

$(TESTSUM): $(wildcard scripts/testsum/*.go)
	@$(GO) build -o $@ ./scripts/testsum

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10s)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | while IFS=: read -r file fn; do \
	  echo "== $$(dirname "$$file") $${fn#func }"; \
	  $(GO) test -run '^$$' -fuzz "^$${fn#func }$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" < /dev/null; \
	done

.PHONY: bench
bench: ## measure against the limits and the peers; BENCH_ARGS= for its options
	@scripts/install.sh --test
	$(GO) run ./deploy/bench $(BENCH_ARGS)

.PHONY: coverage
coverage: $(TESTSUM)
	@$(TESTSUM) cover bin/cover.out $$(ls bin/unit.cover bin/integration.cover 2> /dev/null)

.PHONY: cover
cover: unit integration coverage ## coverage of unit and integration tests, with bin/cover.html
	@$(GO) tool cover -html bin/cover.out -o bin/cover.html
	@echo "bin/cover.html"

.PHONY: golden
golden: ## rewrite the golden files with what the code does now (read the diff)
	@if [ -n '$(GOLDEN)' ]; then $(GO) test $(GOLDEN) -update; git diff --stat; fi

.PHONY: compose
compose: ## check docker-compose.yml
	@if docker compose version > /dev/null 2>&1; then docker compose config --quiet && echo "docker compose config: valid"; \
	elif command -v docker-compose > /dev/null; then docker-compose config --quiet && echo "docker-compose config: valid"; \
	else echo "docker compose is not installed: only deploy's tests looked at docker-compose.yml"; fi

.PHONY: up
up: ## the whole stack in containers: Kafka, registry, PostgreSQL, MySQL, shelfstream, Prometheus, Grafana
	docker compose up --detach --build --wait

.PHONY: down
down: ## end the stack and remove its data
	docker compose down --volumes

.PHONY: demo
demo: build ## an ERP, a pipeline and a shop to play with; SECONDS=20 ends and compares by itself
	@scripts/install.sh
	@bin/shelfstream demo $(if $(filter command line environment,$(origin SECONDS)),-seconds $(SECONDS)) $(DEMO_ARGS)

.PHONY: install
install: ## install what the machine lacks: PostgreSQL, MariaDB, and for tests a JVM, Maven, kcat, Python, Chromium
	@scripts/install.sh --test
	@echo "everything is there"

.PHONY: clean
clean: ## remove what was built here
	rm -rf bin
