#!/usr/bin/env bash
# Sets up all that is missing to build (setup.sh), to build and test (setup.sh test) or to build, test and measure
# (setup.sh bench) this project; with `setup.sh toolchain`, the compiler only.
#
# Asks nothing. Installs into the user's cache folder where it can; uses the system's package manager, with sudo if it
# must and saying so, where it can't. What is there already is left alone: a second run does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh

wanted="${1:-build}"
stamps="$GEN_REGISTRY_CACHE/stamps"
NODE_MAJOR_NEEDED=20

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
give_up() {
    printf '\n\033[1mSet-up stopped: %s\033[0m\n' "$1" >&2
    shift
    printf '  %s\n' "$@" >&2
    exit 1
}

bounded() { # $1: seconds
    if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi
}

fingerprint() { cat "$@" | cksum | tr -d ' '; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        note "needs administrator rights: sudo $*"
        sudo "$@"
    else
        give_up "administrator rights are needed" "Run this as root, then run the set-up again:" "$*"
    fi
}

is_debian() { command -v apt-get >/dev/null 2>&1; }

apt_install() {
    local package missing=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    note "installing with apt-get: ${missing[*]}"
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; then
        as_root apt-get update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
    fi
}

# ---- Rust -----------------------------------------------------------------------------------------------------------

rustup_route() {
    local rustup
    [ "${GEN_REGISTRY_TOOLCHAIN:-rustup}" = rustup ] || return 1
    rustup="$(find_program rustup "${CARGO_HOME:-$HOME/.cargo}/bin/rustup")" || return 1
    note "adding the target $WASM_TARGET with rustup"
    bounded 300 "$rustup" target add "$WASM_TARGET" >&2 || return 1
    find_toolchain toolchain_has_wasm >/dev/null
}

debian_route() {
    [ "${GEN_REGISTRY_TOOLCHAIN:-debian}" = debian ] || return 1
    is_debian || return 1
    apt-cache show rustc-web >/dev/null 2>&1 || as_root apt-get update
    apt-cache show rustc-web >/dev/null 2>&1 || return 1
    note "Debian's own Rust, and its standard library built once for the browser (about 3 minutes)"
    note "(its packages take the place of the older rustc and cargo packages, should those be installed)"
    local llvm
    llvm="$(apt-cache depends rust-web-llvm 2>/dev/null | sed -n 's/.*Depends: llvm-\([0-9]*\)$/\1/p' | head -n 1)"
    apt_install rustc-web cargo-web rust-web-src rust-web-llvm rustfmt-web rust-web-clippy gcc libc6-dev "lld-${llvm:-22}"
    build_std /usr/bin
    toolchain_has_wasm /usr/bin
}

# $1: a folder with a toolchain whose standard library's source is installed. A sysroot can only be completed with
# libraries built by exactly its own compiler.
build_std() {
    local bin="$1" work libs
    libs="$("$bin/rustc" --print sysroot)/lib/rustlib/$WASM_TARGET/lib"
    if ls "$libs"/libstd-*.rlib >/dev/null 2>&1; then return 0; fi
    work="$(mktemp -d)"
    mkdir -p "$work/empty/src"
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n' > "$work/empty/Cargo.toml"
    : > "$work/empty/src/lib.rs"
    # Without embedded bitcode, every later build with lto = true fails.
    (cd "$work/empty" && PATH="$bin:$PATH" RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cembed-bitcode=yes" CARGO_TARGET_DIR="$work/target" \
        "$bin/cargo" build --release -Zbuild-std=std,panic_abort,proc_macro,test --target "$WASM_TARGET") >&2
    rm -f "$work/target/$WASM_TARGET/release/deps/"libempty-*
    note "copying the libraries to $libs"
    if mkdir -p "$libs" 2>/dev/null && [ -w "$libs" ]; then
        cp "$work/target/$WASM_TARGET/release/deps/"*.rlib "$libs/"
    else
        as_root mkdir -p "$libs"
        as_root cp "$work/target/$WASM_TARGET/release/deps/"*.rlib "$libs/"
    fi
    rm -rf "$work"
    # The crates built against the old sysroot don't fit this one.
    rm -rf "${CARGO_TARGET_DIR:?}/$WASM_TARGET"
}

set_up_rust() {
    if find_toolchain toolchain_has_wasm >/dev/null; then return 0; fi
    say "Rust for the browser ($WASM_TARGET)"
    if rustup_route || debian_route; then
        use_toolchain
        hash -r
        return 0
    fi
    give_up "no Rust toolchain here can build for the browser" \
        "Install Rust 1.$RUST_MINOR_NEEDED or newer with the target $WASM_TARGET, then run this again. With rustup (https://rustup.rs):" \
        "    rustup update stable && rustup target add $WASM_TARGET" \
        "On Debian 12 or newer the set-up can do it by itself from the packages rustc-web, cargo-web, rust-web-src, rust-web-llvm and lld." \
        "A C compiler (gcc or clang) is needed too."
}

# ---- build tools ----------------------------------------------------------------------------------------------------

# $1: crate, $2: version, $3: its program, $4: how long it takes
#
# Built to be there soon: lightly optimised, and without the default features, which are TLS and a look for newer
# versions. Neither tool ever reaches the network here.
cargo_tool() {
    local program="$GEN_REGISTRY_CACHE/tools/bin/$3" started=$SECONDS
    if [ -x "$program" ] && "$program" --version 2>/dev/null | grep -qF " $2"; then return 0; fi
    say "$1 $2 (built once, about $4)"
    CARGO_TARGET_DIR="$GEN_REGISTRY_CACHE/tools-target" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --locked --force --no-default-features --root "$GEN_REGISTRY_CACHE/tools" "$1@$2" >&2
    note "$1 took $((SECONDS - started)) s"
}

set_up_crates() {
    local stamp
    stamp="$stamps/crates-$(fingerprint Cargo.lock)"
    [ -e "$stamp" ] && return 0
    say "Fetching the crates of Cargo.lock"
    cargo fetch --locked >&2
    touch "$stamp"
}

set_up_lint() { cargo_tool cargo-deny "$CARGO_DENY_VERSION" cargo-deny "4 minutes on two cores"; }

# ---- test tools -----------------------------------------------------------------------------------------------------

node_is_new_enough() {
    local major
    command -v npm >/dev/null 2>&1 && major="$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)" \
        && [ "$major" -ge "$NODE_MAJOR_NEEDED" ]
}

set_up_browser() {
    if [ -n "${CHROMIUM:-}" ] && [ -n "${CHROMEDRIVER:-}" ]; then return 0; fi
    say "Chromium and its driver, for the tests"
    is_debian && apt_install chromium chromium-driver
    CHROMIUM="${CHROMIUM:-$(find_program chromium chromium-browser google-chrome || true)}"
    CHROMEDRIVER="${CHROMEDRIVER:-$(find_program chromedriver || true)}"
    if [ -z "$CHROMIUM" ] || [ -z "$CHROMEDRIVER" ]; then
        give_up "no Chromium or no chromedriver" \
            "Install Chromium (or Chrome) and the chromedriver of the same version, put both on PATH" \
            "or name them in CHROMIUM and CHROMEDRIVER, then run this again."
    fi
}

set_up_node() {
    if ! node_is_new_enough; then
        say "Node.js, for the end-to-end tests"
        if ! command -v npm >/dev/null 2>&1 && is_debian; then apt_install nodejs npm; fi
        if ! node_is_new_enough && command -v npm >/dev/null 2>&1; then
            note "the system's Node.js is too old; a newer one goes to $GEN_REGISTRY_CACHE/node"
            mkdir -p "$GEN_REGISTRY_CACHE/node"
            (cd "$GEN_REGISTRY_CACHE/node" && npm install --prefix . --no-audit --no-fund node@22) >&2 || true
            use_node
            hash -r
        fi
        node_is_new_enough || give_up "Node.js $NODE_MAJOR_NEEDED or newer with npm is needed for the tests" \
            "Install it (https://nodejs.org), then run this again."
    fi
    local stamp
    stamp="$stamps/npm-$(fingerprint tests/e2e/package-lock.json)-$(pwd | cksum | tr -d ' ')"
    if [ -e "$stamp" ] && [ -d tests/e2e/node_modules ]; then return 0; fi
    say "The end-to-end tests' packages"
    (cd tests/e2e && npm ci --ignore-scripts --no-audit --no-fund) >&2
    touch "$stamp"
}

# $1: what it is, $2: the folder they go to, $3: the folder that names them. They are bundled for a page, so no package
# builds anything.
set_up_packages() {
    [ ! -e "$2/complete" ] || return 0
    say "The packages of $1"
    rm -rf "$2"
    mkdir -p "$2"
    cp "$3"/{package.json,package-lock.json,.npmrc} "$2/"
    (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
    touch "$2/complete"
}

# js-libp2p, which the browser's tests meet.
set_up_js_peer() { set_up_packages "a js-libp2p peer, for the tests" "$GEN_REGISTRY_JS_PEER" tests/browser/js-peer; }

set_up_automerge_repo() {
    set_up_packages "automerge-repo, for the benchmarks" "$GEN_REGISTRY_AUTOMERGE_REPO" tests/bench/automerge-repo
}

set_up_minisearch() {
    set_up_packages "MiniSearch, for the benchmarks" "$GEN_REGISTRY_MINISEARCH" tests/bench/minisearch
}

# ---- all of it ------------------------------------------------------------------------------------------------------

mkdir -p "$stamps"
set_up_rust
[ "$wanted" != toolchain ] || exit 0
cargo_tool trunk "$TRUNK_VERSION" trunk "4 minutes on two cores"
cargo_tool wasm-bindgen-cli "$WASM_BINDGEN_VERSION" wasm-bindgen "1 minute on two cores"
set_up_crates
case "$wanted" in
    build) ;;
    lint) set_up_lint ;;
    test) set_up_lint; set_up_browser; set_up_node; set_up_js_peer ;;
    bench) set_up_browser; set_up_node; set_up_js_peer; set_up_automerge_repo; set_up_minisearch ;;
    *) give_up "unknown argument '$wanted'" "Use: scripts/setup.sh [toolchain|build|lint|test|bench]" ;;
esac
rm -rf "$GEN_REGISTRY_CACHE/tools-target"
note "set up: $(rustc -V), trunk $TRUNK_VERSION, wasm-bindgen $WASM_BINDGEN_VERSION; cache in $GEN_REGISTRY_CACHE"
