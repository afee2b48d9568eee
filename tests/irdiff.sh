#!/bin/bash
# The tensor IR of every example and family, saved (`irdiff.sh save`) or compared with what was saved. A refactoring
# shows an empty difference; a change that is meant to change the IR shows how.
set -eu
cd "$(dirname "$0")/.."
adavic=${BUILD:-build}/adavic kept=${BUILD:-build}/irdiff

print_all() { # DIR
    rm -rf "$1"
    mkdir -p "$1"
    for model in examples/*.hbm; do
        for family in structured adavi; do
            "$adavic" --family=$family --emit=ir "$model" >"$1/$(basename "$model" .hbm).$family.ir"
        done
    done
}

if [ "${1:-}" = save ]; then
    print_all "$kept"
    echo "saved the IR of $(ls examples/*.hbm | wc -l) examples in $kept"
elif [ ! -d "$kept" ]; then
    echo "irdiff: nothing saved yet; run \`make irsave\` before the change" >&2
    exit 1
else
    print_all "$kept.now"
    diff -ru "$kept" "$kept.now" && echo "the IR of every example is as it was"
fi
