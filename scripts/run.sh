#!/usr/bin/env bash
# Sets up what is missing, builds what changed, serves the page: scripts/run.sh ARGUMENTS-OF-SERVE...
#
# A first build has much to do and a newcomer waits for it, so nothing waits for anything else without need: tools, native
# program and page are built side by side, and a page in a quick build is served until the release build is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
minutes() { printf '%d:%02d min' "$((SECONDS / 60))" "$((SECONDS % 60))"; }

scripts/setup.sh toolchain
# shellcheck source=scripts/env.sh
. scripts/env.sh

current="$GEN_REGISTRY_CACHE/page-$(pwd | cksum | cut -d ' ' -f 1)-served"
jobs=()
release=
clean_up() {
    [ ${#jobs[@]} -eq 0 ] || kill "${jobs[@]}" 2>/dev/null || true
    [ -z "$release" ] || pkill -P "$release" 2>/dev/null || true
    [ -z "$release" ] || kill "$release" 2>/dev/null || true
}
trap clean_up EXIT

# Runs a step in the background and says how long it took.
begin() { # $1: what it is; the rest: the command
    local what="$1" begun=$SECONDS
    shift
    {
        "$@" || { echo "    $what: failed" >&2; exit 1; }
        [ $((SECONDS - begun)) -lt 3 ] || echo "    $what: $((SECONDS - begun)) s"
    } &
    jobs+=($!)
}

finish() {
    local job
    for job in "${jobs[@]}"; do wait "$job"; done
    jobs=()
}

serve_folder() { ln -sfn "$(cd "$1" && pwd)" "$current"; }

if [ ! -e "$GEN_REGISTRY_CACHE/tools/bin/trunk" ]; then
    say 'First build: the tools, the server and the page, side by side (about ten minutes on two cores)'
    begin 'tools' scripts/setup.sh
    begin 'server' cargo build --quiet --locked --package gen-registry-server --package gen-registry-pack
    begin 'page, compiled' cargo build --quiet --locked --profile quick --target "$WASM_TARGET" --package gen-registry --bins
    finish
else
    scripts/setup.sh
    begin 'server' cargo build --quiet --locked --package gen-registry-server --package gen-registry-pack
    finish
fi

if page="$(scripts/page.sh release --check)"; then
    serve_folder "$page"
else
    say 'Building the page (quick build; the release build follows while this one is served)'
    serve_folder "$(scripts/page.sh quick)"
    (
        nice -n 10 scripts/page.sh release >/dev/null 2>"$GEN_REGISTRY_CACHE/release.log" || {
            say "The release build failed; the quick build stays. See $GEN_REGISTRY_CACHE/release.log"
            exit 1
        }
        serve_folder dist
        say "The release build is served now (after $(minutes)); open pages offer it by themselves"
    ) &
    release=$!
fi

say "Ready after $(minutes); stop with ctrl-c"
"$CARGO_TARGET_DIR/debug/gen-registry" serve --dist "$current" "$@"
