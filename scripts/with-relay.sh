#!/usr/bin/env bash
# Runs a command, the browser's tests, beside a real relay: scripts/with-relay.sh COMMAND...
#
# The relay takes free ports. The tests are served from this folder, so they read where it is from
# target/beside/network.json: what its own /network.json says. A js-libp2p peer for them lies there, too.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

PATIENCE_SECONDS=20
TOLD=target/beside

work="$(mktemp -d)"
mkdir -p "$TOLD"
rm -f "$TOLD/network.json"
relay=
clean_up() {
    [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
    rm -rf "$work" "$TOLD"
    rmdir --ignore-fail-on-non-empty target
}
trap clean_up EXIT

fail() {
    echo "scripts/with-relay.sh: the relay did not start: $1" >&2
    cat "$work/errors" >&2
    exit 1
}

echo 'a relay for tests' >"$work/index.html"
mkfifo "$work/says"
# Some tests have more peers in one page than the relay has places for one address.
"$CARGO_TARGET_DIR/debug/gen-registry" serve --http 127.0.0.1:0 --p2p /ip4/127.0.0.1/tcp/0/ws --no-metrics --no-witness --no-catalogue --dist "$work" \
    --limit-places-address 128 \
    >"$work/says" 2>"$work/errors" &
relay=$!
exec 4<"$work/says"
read -r -t "$PATIENCE_SECONDS" line <&4 || fail 'it said nothing'
address="${line#http://}"
address="${address%/}"

NODE_PATH="$GEN_REGISTRY_JS_PEER/node_modules" "$GEN_REGISTRY_JS_PEER/node_modules/.bin/esbuild" \
    tests/browser/js-peer/peer.mjs --bundle --format=esm --log-level=warning --outfile="$TOLD/js-peer.js"

exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /network.json HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&3
sed '1,/^\r$/d' <&3 >"$TOLD/network.json"
exec 3<&-
grep -q '/ws/p2p/' "$TOLD/network.json" || fail 'it names no relay'

status=0
"$@" || status=$?
kill -0 "$relay" 2>/dev/null || fail 'it ended during the tests'
exit "$status"
