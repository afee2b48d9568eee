#!/bin/sh
# Prints a page with the grammar in it brought up to date: what stands between the two marked lines is
# replaced by the rules of hbm.y (ebnf.awk). `make docs` rewrites docs/language.md so; tests/cli/docs.sh compares.
set -eu
export LC_ALL=C
here=$(dirname "$0")
rules=$(mktemp)
trap 'rm -f "$rules"' EXIT
awk -f "$here/ebnf.awk" "$here/hbm.y" >"$rules"
awk -v rules="$rules" '
    /^<!-- end of grammar -->$/ {inside = 0}
    !inside {print}
    /^<!-- grammar, / {
        inside = 1
        print "```"
        while ((getline line <rules) > 0) print line
        print "```"
    }' "$1"
