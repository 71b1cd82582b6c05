#!/usr/bin/env bash
# Trunk's post_build hook: finishes the page with `gen-registry-pack`.
#
# A development build (plain `trunk build`, `trunk serve`) stays as Trunk made it, without an offline copy that would
# hide the next change; GEN_REGISTRY_PACK=1 asks for the whole thing.
set -euo pipefail

if [ "${TRUNK_PROFILE:-}" != release ] && [ -z "${GEN_REGISTRY_PACK:-}" ]; then
    exit 0
fi
# What steers the build of the page must not steer the build of the native program.
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS RUSTFLAGS
cd "$TRUNK_SOURCE_DIR"
exec cargo run --quiet --locked --package gen-registry-pack
