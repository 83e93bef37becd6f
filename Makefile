# `make run` to try it, `make test` to check everything; `make help` for the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
DATA ?= data
LISTEN ?= 127.0.0.1:8080
WEB := clients/web/dist/index.html

.PHONY: help run test check web bench release clean

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/' | expand -t 18

run: ## Build and start the embedded server in development mode (DATA=data LISTEN=127.0.0.1:8080)
	@scripts/setup run
	@$(MAKE) --no-print-directory web
	cargo run --quiet -p verbatim-server -- serve --dev --data "$(DATA)" --listen "$(LISTEN)"

test: ## Set up and run everything that CI runs
	@scripts/setup test
	@scripts/test

check: ## Format, lints and documents only
	@scripts/setup run
	@scripts/test check

web: ## Build the page that the server serves
	@scripts/web

bench: ## Measure against baselines in the same run
	@scripts/setup run
	cargo build --release -p verbatim-server -p verbatim-bench
	target/release/verbatim-bench

release: ## Build the optimised binary: target/release/verbatim
	@scripts/setup run
	@$(MAKE) --no-print-directory web
	cargo build --release -p verbatim-server

clean: ## Remove what was built (the data folder stays)
	cargo clean
	rm -rf clients/node_modules clients/*/node_modules clients/*/dist
