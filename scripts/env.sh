# Sourced by the other scripts: where tools and build output live, and which Rust toolchain builds the page.
#
#   GEN_REGISTRY_CACHE      cache folder (default: ~/.cache/gen-registry)
#   GEN_REGISTRY_TOOLCHAIN  "rustup" or "debian": insist on one route (default: whichever works)
#   CARGO_TARGET_DIR        respected when already set

GEN_REGISTRY_CACHE="${GEN_REGISTRY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gen-registry}"
export GEN_REGISTRY_CACHE
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$GEN_REGISTRY_CACHE/target}"

TRUNK_VERSION=0.21.14
WASM_BINDGEN_VERSION=0.2.108
CARGO_DENY_VERSION=0.20.2
# Cargo.toml's rust-version.
RUST_MINOR_NEEDED=95
WASM_TARGET=wasm32-unknown-unknown

# $1: a folder with cargo and rustc. Succeeds when they are new enough.
toolchain_is_new_enough() {
    local minor
    [ -x "$1/cargo" ] && [ -x "$1/rustc" ] || return 1
    minor="$("$1/rustc" -V 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')"
    [ -n "$minor" ] && [ "$minor" -ge "$RUST_MINOR_NEEDED" ]
}

# $1: as above. Succeeds when it can also build for the browser.
toolchain_has_wasm() {
    local libs
    toolchain_is_new_enough "$1" || return 1
    libs="$("$1/rustc" --print sysroot 2>/dev/null)/lib/rustlib/$WASM_TARGET/lib"
    ls "$libs"/libstd-*.rlib >/dev/null 2>&1
}

# The folders that may hold a toolchain, best first, one a line.
toolchain_folders() {
    local cargo rustup_bin="${CARGO_HOME:-$HOME/.cargo}/bin"
    case "${GEN_REGISTRY_TOOLCHAIN:-}" in
        rustup) echo "$rustup_bin"; return ;;
        debian) echo /usr/bin; return ;;
    esac
    type -ap cargo 2>/dev/null | while read -r cargo; do dirname "$cargo"; done
    echo "$rustup_bin"
    echo /usr/bin
}

# Prints the first folder whose toolchain passes the check named $1.
find_toolchain() {
    local folder
    while read -r folder; do
        if "$1" "$folder"; then
            echo "$folder"
            return 0
        fi
    done < <(toolchain_folders | awk '!seen[$0]++')
    return 1
}

# Prints a folder with links to the Rust programs in $1.
only_rust_of() {
    local links="$GEN_REGISTRY_CACHE/tools/system-rust" program
    mkdir -p "$links"
    for program in cargo rustc rustdoc rustfmt cargo-fmt cargo-clippy clippy-driver; do
        [ ! -x "$1/$program" ] || [ -e "$links/$program" ] || ln -sf "$1/$program" "$links/$program"
    done
    echo "$links"
}

# Puts the project's own tools, then the chosen toolchain, first on PATH.
use_toolchain() {
    local folder
    if folder="$(find_toolchain toolchain_has_wasm)"; then
        # The system's folder holds everything else too; only its Rust may go first.
        [ "$folder" != /usr/bin ] || folder="$(only_rust_of "$folder")"
        PATH="$folder:$PATH"
    fi
    PATH="$GEN_REGISTRY_CACHE/tools/bin:$PATH"
    export PATH
}

use_toolchain

# Where the set-up put a Node.js because the system's was too old.
use_node() {
    local folder="$GEN_REGISTRY_CACHE/node/node_modules/.bin"
    if [ -x "$folder/node" ]; then
        PATH="$folder:$PATH"
        export PATH
    fi
}

use_node

# Everything Trunk needs is set up beforehand; a missing tool is an error, never a download.
export TRUNK_OFFLINE=true TRUNK_SKIP_VERSION_CHECK=true

find_program() {
    local name
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then
            command -v "$name"
            return 0
        fi
    done
    return 1
}

if [ -z "${CHROMIUM:-}" ] && CHROMIUM="$(find_program chromium chromium-browser google-chrome google-chrome-stable)"; then
    export CHROMIUM
fi
if [ -z "${CHROMEDRIVER:-}" ] && CHROMEDRIVER="$(find_program chromedriver)"; then
    export CHROMEDRIVER
fi

# The page the end-to-end tests run against; one per clone.
export GEN_REGISTRY_E2E_DIST="${GEN_REGISTRY_E2E_DIST:-$GEN_REGISTRY_CACHE/e2e-dist-$(pwd | cksum | cut -d ' ' -f 1)}"

# The packages of the peer of another make that the browser's tests meet; one folder for each set of them.
GEN_REGISTRY_JS_PEER="$GEN_REGISTRY_CACHE/js-peer-$(cksum <tests/browser/js-peer/package-lock.json | cut -d ' ' -f 1)"
export GEN_REGISTRY_JS_PEER

# automerge-repo, beside which joining a network is measured.
GEN_REGISTRY_AUTOMERGE_REPO="$GEN_REGISTRY_CACHE/automerge-repo-$(cksum <tests/bench/automerge-repo/package-lock.json | cut -d ' ' -f 1)"
export GEN_REGISTRY_AUTOMERGE_REPO

# MiniSearch, beside which searching is measured.
GEN_REGISTRY_MINISEARCH="$GEN_REGISTRY_CACHE/minisearch-$(cksum <tests/bench/minisearch/package-lock.json | cut -d ' ' -f 1)"
export GEN_REGISTRY_MINISEARCH
