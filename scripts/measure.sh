#!/usr/bin/env bash
# Prints how the source reads: comment lines in words of our own instead of the field's, documentation per code line, and
# type names with two meanings. Figures for a reviewer; it refuses nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Words that say of a machine what only people do, or that are rarer than the thing they say.
DIALECT='whoever|nobody|tells?|told|hears?|heard|stands|anew|for ever|whom'
# The formats below are going to be replaced as a whole; their prose goes with them.
REPLACED='src/(core/(document|ownership|fact|identity|name_proof|read_model|block_list)|core/sync/(session|version_vector|wire|witness)|node/(admit|registry|profile|receipts|witness|key_store|backup|network|replication))[./]'

comment_lines() { # files on standard input
    xargs -r grep -hE '^\s*//' | grep -ciwE "$DIALECT" || true
}

rust_files() { git ls-files 'src/*.rs' | while read -r file; do [ ! -e "$file" ] || echo "$file"; done; }

printf 'comment lines in dialect: %s, of these in files that are to be replaced: %s\n' \
    "$(rust_files | comment_lines)" "$(rust_files | grep -E "$REPLACED" | comment_lines)"

echo 'documentation lines per code line, tests left out:'
for crate in core api node ui server pack; do
    rust_files | grep "^src/$crate/" | grep -vE '/tests(/|\.rs$)' | xargs awk -v crate="$crate" '
        FNR == 1 { tests = 0 }
        /^#\[cfg\(test\)\]/ { tests = 1 }
        tests { next }
        /^[[:space:]]*\/\/[\/!]/ { docs++; next }
        /^[[:space:]]*\/\// { comments++; next }
        /[^[:space:]]/ { code++ }
        END { printf "  %-7s %.2f (%d comments per 1,000 code lines)\n", crate, docs / code, 1000 * comments / code }'
done

# Names that several foreign traits or every error module has are nobody's meaning.
CONVENTIONAL='Err|Error|Output|Input|Event|Command|Entry|State|Message|ToSwarm|FromBehaviour|ToBehaviour|ConnectionHandler|InboundProtocol|OutboundProtocol|InboundOpenInfo|OutboundOpenInfo|ListenerUpgrade|Dial|Upgrade|Future|Fruit|Child'
echo 'type names with two meanings:'
rust_files | grep -v '/tests' | xargs grep -ohE '^[[:space:]]*(pub(\([a-z: ]+\))? )?(struct|enum|trait) [A-Z][A-Za-z0-9]*' \
    | awk '{ print $NF }' | sort | uniq -d | grep -vxE "$CONVENTIONAL" | paste -sd' ' | fold -sw 110 | sed 's/^/  /'
