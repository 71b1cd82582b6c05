# make run    set up what is missing, build the app, serve it, print its address
# make test   set up what is missing, run every layer of tests
# make dev    serve with automatic rebuild and reload
# make check  formatting, lints and tests of the pure crate only; under a minute when warm
# make lint   formatting, lints and figures of the whole
# make simulate SEEDS=1000 NODES=200   swarms of nodes against partitions, loss and liars
# make model SEEDS=10000 SWARMS=200 NODES=60   the rules of the second format in random worlds, in any order of arrival
# make simulate-presence NODES=1000 MINUTES=6   who is online, among many who come and go
# make front-running ROUNDS=50 STOPS=20 SECONDS=30   a neighbour that tries to overtake claims, also around stops of the witness
# make attack  a hostile peer against a real page and a real server, act by act: ACT=crowd,words LIFTED=1
# make flood PEOPLE=1000000 MINUTES=10 PEERS=20   a crowd that costs nothing, offered to a real page and to a native node
# make town PEOPLE=100000 MODULES=20000 NAMES=1000   a fresh page on a slow phone in the network of a town, a third of whose peers lie
# make limits  what breaks first as a network grows: a table
# make pool NODES=600 RELAYS=4   whole nodes at several relays: who finds whom, and the loss of a relay
# make figures  how long an edit and a claim take to a connected peer, with real processes
# make bench  native benchmarks; make bench-page, bench-join, bench-connect, bench-blocks, bench-search,
#             bench-elder: the page's, in Chromium
# make clean  remove what was built (the tools stay)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := run
.PHONY: run build test check typings dev lint test-native test-browser test-e2e e2e-build screenshots simulate model simulate-presence limits pool soak-relay front-running attack flood town figures bench bench-page bench-join bench-connect bench-blocks bench-search bench-elder clean advisories setup setup-lint setup-test setup-bench

ENV := . scripts/env.sh;
HTTP ?= 127.0.0.1:8080
# Where the server keeps its keys and what its witness has seen.
DATA ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/gen-registry
STEP = @printf '\033[1m==> %s\033[0m\n'

run:
	@scripts/run.sh --http $(HTTP) $(if $(P2P),--p2p $(P2P)) $(if $(DATA),--data $(DATA))

setup:
	@scripts/setup.sh

setup-lint:
	@scripts/setup.sh lint

# Known faults in dependencies; the list of them comes from the network.
advisories: setup-lint
	@$(ENV) cargo-deny check advisories

setup-test:
	@scripts/setup.sh test

setup-bench:
	@scripts/setup.sh bench

build: setup
	$(STEP) 'Building the app (release; some minutes the first time)'
	@scripts/page.sh release > /dev/null

dev: setup
	@$(ENV) trunk serve --cargo-profile e2e --dist "$$GEN_REGISTRY_E2E_DIST-dev"

# Quick layers first.
test: setup-test
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-native
	@$(MAKE) --no-print-directory test-browser
	@$(MAKE) --no-print-directory test-e2e

check: setup
	@$(ENV) cargo-fmt fmt --all --check
	@$(ENV) cargo-clippy clippy --quiet --locked --package gen-registry-core --package gen-registry-api --all-targets -- -D warnings
	@$(ENV) cargo test --quiet --locked --package gen-registry-core $(ARGS)

# Called by their own names: cargo would prefer the ones beside rustup over those of the chosen toolchain.
lint: setup-lint
	$(STEP) 'Formatting and lints'
	@$(ENV) cargo-fmt fmt --all --check
	@$(ENV) cargo-clippy clippy --quiet --locked --workspace --all-targets -- -D warnings
	@$(ENV) RUSTDOCFLAGS='-D rustdoc::broken_intra_doc_links' cargo doc --quiet --locked --workspace --no-deps --lib
	@$(ENV) cargo-clippy clippy --quiet --locked --profile e2e --target $$WASM_TARGET --package gen-registry --package gen-registry-ui --lib --bins --test browser --example hostile-peer --example blocks-page -- -D warnings
	@$(ENV) cargo-deny --offline check --hide-inclusion-graph bans licenses sources
	@scripts/measure.sh

test-native: setup
	$(STEP) 'Native tests'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server --package gen-registry-pack
	@$(ENV) cargo test --locked --workspace $(ARGS)
	@$(ENV) cargo test --quiet --locked --package gen-registry-api --features typings --test typings

# Writes public/gen-registry.d.ts.
typings: setup
	@$(ENV) BLESS=1 cargo test --quiet --locked --package gen-registry-api --features typings --test typings

test-browser: setup-test
	$(STEP) 'Tests in the browser'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) WASM_BINDGEN_TEST_WEBDRIVER_JSON=tests/browser/webdriver.json WASM_BINDGEN_TEST_TIMEOUT=300 \
		scripts/with-relay.sh cargo test --locked --profile e2e --target $$WASM_TARGET --test browser $(ARGS)

# The people whom stories and the benchmark page meet.
CROWD = cargo run --quiet --locked --example people -- "$$GEN_REGISTRY_CACHE/people.jsonl"

e2e-build: setup-test
	$(STEP) 'Building the app for the end-to-end tests'
	@$(ENV) $(CROWD)
	@$(ENV) cargo build --quiet --locked --package gen-registry-server --package gen-registry-pack
	@$(ENV) cargo build --quiet --locked --example rivals
	@$(ENV) GEN_REGISTRY_PACK=1 trunk build --cargo-profile e2e --dist "$$GEN_REGISTRY_E2E_DIST"
	@$(ENV) cargo build --quiet --locked --profile e2e --target $$WASM_TARGET --example hostile-peer
	@$(ENV) wasm-bindgen --target web --no-typescript --out-dir "$$GEN_REGISTRY_E2E_DIST-hostile" \
		"$$CARGO_TARGET_DIR/$$WASM_TARGET/e2e/examples/hostile-peer.wasm"

# Two files at once; ONE=name runs one file, JOBS=1 one at a time.
test-e2e: e2e-build
	$(STEP) 'End-to-end tests'
	@$(ENV) node --test --test-concurrency=$(or $(JOBS),2) --test-reporter=spec tests/e2e/$(or $(ONE),*).test.mjs

# Pictures of every page, for looking at: make screenshots FOLDER=/tmp/pictures
screenshots: e2e-build
	@$(ENV) node scripts/screenshots.mjs $(FOLDER)

# FIRST=n begins with seed n; JOBS=n runs as many at once (default: one for each processor); one seed again:
# make simulate SEEDS=1 FIRST=n NODES=200
simulate: setup
	$(STEP) 'Simulated swarms'
	@$(ENV) SIMULATED_SEEDS=$(or $(SEEDS),20) SIMULATED_NODES=$(or $(NODES),200) FIRST_SEED=$(or $(FIRST),1) $(if $(JOBS),JOBS=$(JOBS)) \
		cargo test --locked --profile bench --test it simulated_swarms_converge -- --ignored --nocapture

# The second format: witnesses that come, go, lie and are robbed; logs in any order and any pieces; whole nodes with
# partitions.
model: setup
	$(STEP) 'Random worlds'
	@$(ENV) SUCCESSION_SEEDS=$(or $(SEEDS),10000) ORDER_SEEDS=$(or $(SEEDS),10000) SWARM_SEEDS=$(or $(SWARMS),200) SWARM_NODES=$(or $(NODES),60) \
		cargo test --locked --profile bench --package gen-registry-core --lib -- --nocapture successions orders swarm_with

# A thousand nodes that come and go: SEED=7 NODES=1000 MINUTES=6
simulate-presence: setup
	$(STEP) 'Simulated presence'
	@$(ENV) SIMULATED_PRESENCE=$(or $(NODES),1000) SIMULATED_MINUTES=$(or $(MINUTES),6) SEED=$(or $(SEED),7) \
		cargo test --locked --profile bench --test it simulated_presence_converges -- --ignored --nocapture

# The real relay (the build of the tests) and native clients that do what a browser does, and come and go:
# make soak-relay CLIENTS=100 MINUTES=30; LIFE=120 is how many seconds each stays in the mean
soak-relay: setup
	$(STEP) 'The relay under load'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) cargo build --quiet --locked --example soak-relay
	@$(ENV) PROGRAM="$$CARGO_TARGET_DIR/debug/gen-registry" CLIENTS=$(or $(CLIENTS),100) MINUTES=$(or $(MINUTES),30) \
		$(if $(LIFE),LIFE=$(LIFE)) \
		"$$CARGO_TARGET_DIR/debug/examples/soak-relay"

# A neighbour that asks the witness for every name whose claim it hears: rounds with a witness that answers, and rounds in
# which it stands still for some seconds (SIGSTOP), or is killed and started again: a quarter of an hour.
front-running: setup
	$(STEP) 'Attempts to overtake claims'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) PLAIN_ROUNDS=$(or $(ROUNDS),50) STOPPED_ROUNDS=$(or $(STOPS),20) STOPPED_SECONDS=$(or $(SECONDS),30) \
		cargo test --locked --test it overtaker_gets_none_of_many -- --ignored --nocapture

# Fails if own data, a restart of the page, an honest peer's changes or the bound on memory do not hold. ACT=name,name runs
# these acts only; LIFTED=1 runs each with its defence switched off, and fails if it holds all the same.
attack: e2e-build
	$(STEP) 'Attacks'
	@$(ENV) cargo build --quiet --locked --example hostile-peer
	@$(ENV) $(if $(ACT),ACT=$(ACT)) $(if $(LIFTED),LIFTED=$(LIFTED)) node tests/attack/main.mjs

# So many identities are offered by so many hostile peers for so long to a real page with the usual limits, and then to a
# native node that keeps QUOTA of them, with the allowance for newcomers lifted; without numbers 50,000 for a minute. Fails if
# a bound does not hold. ONLY=page or ONLY=replica does one half. A million takes 600 MB of the disk and some minutes to make.
flood: e2e-build
	$(STEP) 'A flood of identities'
	@$(ENV) cargo build --quiet --locked --profile bench --example hostile-peer --example replica
	@$(ENV) $(if $(PEOPLE),PEOPLE=$(PEOPLE)) $(if $(MINUTES),MINUTES=$(MINUTES)) $(if $(PEERS),PEERS=$(PEERS)) $(if $(QUOTA),QUOTA=$(QUOTA)) \
		$(if $(ONLY),ONLY=$(ONLY)) node tests/attack/flood.mjs

# A town is made once, in some minutes, and kept in the cache; its nodes then take 2 GB of the disk for 100,000 people, 11 GB of
# memory, and two minutes to start. SECONDS=60 is how long the page is watched afterwards, SLOWED=4 how slow its processor is.
# Without numbers a village of 2,000 people. Fails if a bound does not hold; what else runs on the machine counts, too.
town: e2e-build
	$(STEP) 'A town'
	@$(ENV) cargo build --quiet --locked --profile bench --example town
	@$(ENV) $(if $(PEOPLE),PEOPLE=$(PEOPLE)) $(if $(MODULES),MODULES=$(MODULES)) $(if $(NAMES),NAMES=$(NAMES)) $(if $(SECONDS),SECONDS=$(SECONDS)) \
		$(if $(SLOWED),SLOWED=$(SLOWED)) node tests/bench/town.mjs

# Native nodes around the server program: edits, bursts and claims as a connected peer sees them, and joining. ROUNDS=100
figures: setup
	$(STEP) 'Figures of native nodes'
	@$(ENV) cargo build --quiet --locked --profile bench --package gen-registry-server
	@$(ENV) FIGURES_ROUNDS=$(or $(ROUNDS),100) \
		cargo test --locked --profile bench --test it measured -- --ignored --nocapture --test-threads 1

# What breaks first as a network grows: a table.
limits: setup
	$(STEP) 'What breaks at which figure'
	@$(ENV) cargo test --locked --profile bench --test it measured_limits -- --ignored --nocapture

# Whole nodes at several relays of the real program: whether all find each other, what that takes, and the loss of a relay:
# make pool NODES=600 RELAYS=4 PAIRS=200 SEED=7; JOIN_EVERY=50 is how many milliseconds lie between two that join. A node takes some
# 15 file descriptors of this process.
pool: setup
	$(STEP) 'Many nodes at a pool of relays'
	@$(ENV) cargo build --quiet --locked --profile bench --package gen-registry-server
	@$(ENV) POOL_NODES=$(or $(NODES),600) POOL_RELAYS=$(or $(RELAYS),4) POOL_PAIRS=$(or $(PAIRS),200) \
		$(if $(JOIN_EVERY),POOL_JOIN_EVERY=$(JOIN_EVERY)) $(if $(SEED),SEED=$(SEED)) \
		cargo test --locked --profile bench --test it measured_pool -- --ignored --nocapture

bench: setup
	$(STEP) 'Native benchmarks'
	@$(ENV) cargo bench --locked --bench registry $(ARGS)

# A cold start of the release page with 10,000 people in the store, in Chromium.
bench-page: setup-test build
	$(STEP) 'Benchmark page'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) $(CROWD)
	@$(ENV) GEN_REGISTRY_E2E_DIST=dist node tests/bench/page.mjs

# A fresh profile joins a network of 1,000 and of 10,000 people: release page, real relay, real WebRTC. The same task for
# automerge-repo beside it. SIZES=100,5000
bench-join: setup-bench build
	$(STEP) 'Benchmark: joining'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) $(CROWD)
	@$(ENV) GEN_REGISTRY_E2E_DIST=dist node tests/bench/join.mjs

# First 50 pairs of peers in one page that dial each other in the same moment; then two browsers whose pages, which know
# each other from before, are reloaded at once, again and again: ATTEMPTS=10. Both with the builds of the tests.
bench-connect: e2e-build
	$(STEP) 'Benchmark: pairs that dial each other in the same moment'
	@$(ENV) WASM_BINDGEN_TEST_WEBDRIVER_JSON=tests/browser/webdriver.json WASM_BINDGEN_TEST_TIMEOUT=900 \
		scripts/with-relay.sh cargo test --locked --profile e2e --target $$WASM_TARGET --test browser -- \
		--include-ignored --nocapture measured_glares
	$(STEP) 'Benchmark: two browsers that are reloaded at once'
	@$(ENV) node tests/bench/connect.mjs

# A file between two browsers, beside a plain data channel between the same two. SIZE=8 (MiB) ROUNDS=5 PROFILE=release
bench-blocks: setup-test
	$(STEP) 'Benchmark: blocks'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) cargo build --quiet --locked --profile $(or $(PROFILE),e2e) --target $$WASM_TARGET --example blocks-page
	@$(ENV) wasm-bindgen --target web --no-typescript --out-dir "$$GEN_REGISTRY_E2E_DIST-blocks" \
		"$$CARGO_TARGET_DIR/$$WASM_TARGET/$(or $(PROFILE),e2e)/examples/blocks-page.wasm"
	@$(ENV) node tests/bench/blocks.mjs

# 10,000 modules in the release page's index, and in MiniSearch beside it.
bench-search: setup-bench build
	$(STEP) 'Benchmark: searching'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) GEN_REGISTRY_E2E_DIST=dist node tests/bench/search.mjs

# A fresh page meets somebody who has used the registry daily for fifty years: release page, real witnesses, real WebRTC.
# Her life takes some minutes to write, with the few crates optimised that it spends them in. YEARS=5
ELDER = cargo run --quiet --locked $(foreach crate,automerge hexane gen-registry-core,--config profile.dev.package.$(crate).opt-level=3) \
	--example elder -- "$$GEN_REGISTRY_CACHE/elder" $(or $(YEARS),50)
bench-elder: setup-test build
	$(STEP) 'Benchmark: fifty years of one person'
	@$(ENV) cargo build --quiet --locked --package gen-registry-server
	@$(ENV) rm -rf "$$GEN_REGISTRY_CACHE/elder"
	@$(ENV) $(ELDER)
	@$(ENV) GEN_REGISTRY_E2E_DIST=dist ELDER="$$GEN_REGISTRY_CACHE/elder" node tests/bench/elder.mjs

clean:
	@$(ENV) rm -rf dist "$$GEN_REGISTRY_CACHE"/page-* "$$GEN_REGISTRY_CACHE"/stamps/page-* "$$GEN_REGISTRY_E2E_DIST" "$$GEN_REGISTRY_E2E_DIST-dev" "$$GEN_REGISTRY_E2E_DIST-hostile" "$$GEN_REGISTRY_E2E_DIST-blocks" \
		"$$CARGO_TARGET_DIR"
