#!/usr/bin/env bash
# Renders the PNG icons from the SVG marks in public/icons with headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh

render() { # $1: svg, $2: pixels, $3: png
    local work
    work="$(mktemp -d)"
    printf '<!doctype html><style>html,body{margin:0;background:transparent}img{display:block;width:%spx;height:%spx}</style><img src="data:image/svg+xml;base64,%s">' \
        "$2" "$2" "$(base64 -w0 "$1")" > "$work/icon.html"
    "$CHROMIUM" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --hide-scrollbars \
        --default-background-color=00000000 --force-device-scale-factor=1 --window-size="$2,$2" \
        --screenshot="$PWD/$3" "file://$work/icon.html" >/dev/null 2>&1
    rm -rf "$work"
    echo "$3"
}

render public/icons/mark.svg 192 public/icons/icon-192.png
render public/icons/mark.svg 512 public/icons/icon-512.png
render public/icons/maskable.svg 512 public/icons/maskable-512.png
