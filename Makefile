# The commands of the house. `make run` and `make test` are all a newcomer needs.
#
# One rule holds everywhere below: one profile (--release) and one selection
# (--workspace). RocksDB takes 20 to 50 minutes of two cores to compile, once
# for each profile or set of features that differs, so nothing here differs.
# CARGO_TARGET_DIR is respected when it is set.

SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
PARLEY := $(TARGET)/release/parley
FUZZ_SECONDS ?= 60
BENCH_SECONDS ?= 20
BENCH_RATE ?= 1000
BENCH_USERS ?= 100
BENCH_SCENARIOS ?= pairs group mixed storm sync handshake
GOAL_ROUNDS ?= 5
GOAL_SECONDS ?= 60
GOAL_WARMUP ?= 20
GOAL_FLAGS ?=

.PHONY: help run web test test-web setup-test check fix bench compare bench-goals bench-network bench-micro bench-instructions fuzz crash setup audit

help: ## Lists the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-19s %s\n", $$1, $$2 }'

setup: ## Installs what the build needs and is missing (run and test do it by themselves)
	@bash .ci/setup

setup-test: ## The same with what only the tests need
	@bash .ci/setup test

run: setup web ## Builds and starts the server with its web client; ARGS="--data DIR ..." are passed on
	$(CARGO) build --release --workspace
	@exec $(PARLEY) serve $(ARGS)

test: setup-test web ## Runs all tests, those of the web client in Chromium too
	$(CARGO) test --release --workspace
	@CARGO="$(CARGO)" bash .ci/power
	@bash .ci/packaged
	@bash .ci/web test

test-web: setup-test web ## Runs the tests of the TypeScript SDK and the web client alone
	$(CARGO) build --release --workspace
	@bash .ci/web test

web: setup ## Builds the web client, if its sources changed; cargo then takes it into the binary
	@bash .ci/web build

check: setup web ## Checks formatting, lints, documentation and dependencies; never writes
	@bash .ci/check

fix: setup ## Formats, applies lint suggestions, makes the generated files anew
	$(CARGO) clippy --release --workspace --all-targets --fix --allow-dirty --allow-staged
	$(CARGO) fmt --all
	$(CARGO) run --release --example vectors
	$(CARGO) run --release --example errors
	$(CARGO) run --release --example seeds
	@bash .ci/web fix

bench: setup ## Measures each scenario on each transport; BENCH_SECONDS, BENCH_RATE, BENCH_USERS, BENCH_SCENARIOS
	$(CARGO) build --release --workspace
	@BENCH_SCENARIOS="$(BENCH_SCENARIOS)" bash .ci/bench $(BENCH_SECONDS) $(BENCH_RATE) $(BENCH_USERS)

compare: setup ## Measures Parley beside ejabberd, NATS and Redis; COMPARE_ROUNDS, _SECONDS, _WARMUP, _USERS, _LOADS, _SERVERS, _PREFIX
	$(CARGO) build --release --workspace
	@bash benches/compare/run

bench-goals: setup ## Measures all goals, P1 to P15, and prints the table; GOAL_ROUNDS, GOAL_SECONDS, GOAL_WARMUP, GOAL_FLAGS
	$(CARGO) build --release --workspace
	@ulimit -n 20000 2>/dev/null || true; $(TARGET)/release/parley-bench goals --out $(TARGET)/goals --dir $(TARGET) \
	  --rounds $(GOAL_ROUNDS) --seconds $(GOAL_SECONDS) --warmup $(GOAL_WARMUP) $(GOAL_FLAGS)

bench-network: setup ## QUIC against TLS with an MTU of 1,500, with delay, with loss; BENCH_SECONDS, BENCH_RATE, BENCH_USERS
	$(CARGO) build --release --workspace
	@bash .ci/bench-network $(BENCH_SECONDS) $(BENCH_RATE) $(BENCH_USERS)

bench-micro: setup ## Measures the time of each step of a message's way
	$(CARGO) bench --workspace --bench micro

bench-instructions: setup ## Counts their instructions and compares them with the committed baseline
	$(CARGO) build --release --workspace
	$(TARGET)/release/parley-instructions check

crash: setup ## Kills the server 1,000 times under load, cuts its disk's power 100 times, and audits what it kept
	PARLEY_CRASH_KILLS=1000 $(CARGO) test --release --workspace --test crash -- --nocapture
	@CARGO="$(CARGO)" PARLEY_CRASH_CUTS=100 PARLEY_CRASH_ERRORS=200 bash .ci/power --nocapture

fuzz: setup ## Fuzzes every target for FUZZ_SECONDS (60) each; needs cargo-fuzz
	@command -v cargo-fuzz >/dev/null || $(CARGO) install --locked cargo-fuzz@0.13.2
	$(CARGO) build --release --workspace
	@bash fuzz/libfuzzer/run $(FUZZ_SECONDS)

audit: ## Checks the lock file against the advisory database (needs the network)
	@bash .ci/tools
	PATH="$${XDG_CACHE_HOME:-$$HOME/.cache}/parley/tools/bin:$$PATH" cargo deny check advisories
