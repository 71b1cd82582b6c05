#!/usr/bin/env bash
# Builds the page, unless nothing it is made of changed since: scripts/page.sh release|quick [--check]
#
#   release  as people get it, in dist/: small, and slow to build
#   quick    the same behaviour, there soon: hardly optimised and lightly compressed; prints where it is
#
# Prints the folder of the finished page on standard output, everything else on standard error. With --check nothing is
# built: fails when the page would have to be.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/env.sh
. scripts/env.sh

kind="${1:?release or quick}"
clone="$(pwd | cksum | cut -d ' ' -f 1)"
stamp="$GEN_REGISTRY_CACHE/stamps/page-$kind-$clone"
# Everything that a page is made of. A folder's own date changes when a file in it is added or removed.
sources=(Cargo.toml Cargo.lock Trunk.toml index.html .cargo public scripts/pack.sh src style)

case "$kind" in
    release) folder=dist flags=(--release) ;;
    quick) folder="$GEN_REGISTRY_CACHE/page-$clone" flags=(--cargo-profile quick) ;;
    *) echo "scripts/page.sh: release or quick, not '$kind'" >&2; exit 2 ;;
esac

is_current() {
    [ -e "$stamp" ] && [ -e "$folder/index.html" ] && [ -z "$(find "${sources[@]}" -newer "$stamp" -print -quit)" ]
}

if ! is_current; then
    [ "${2:-}" != --check ] || exit 1
    started=$SECONDS
    # Dated before the build: what is changed meanwhile makes the page outdated.
    touch "$stamp.begun"
    rm -f "$stamp"
    GEN_REGISTRY_PACK=1 trunk build "${flags[@]}" --dist "$folder" >&2
    mv "$stamp.begun" "$stamp"
    echo "    the $kind page took $((SECONDS - started)) s" >&2
fi
echo "$folder"
