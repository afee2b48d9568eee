#!/bin/bash
# The one test runner. A test is one short file; what a file is follows from where it stands:
#
#   tests/*/test_*.c   a program (built by make) that prints `ok NAME`, `not ok NAME: why`, `skip NAME: reason`
#   tests/*/*.sh       the same from a script, run in an empty directory of its own; see tests/cli/common.inc
#   tests/diag/*.hbm   a model; the lines `// expect: L:C: error E0201: text` are what adavic must say, in order
#                      (none: nothing, and exit 0); `// args: ...` adds options
#   tests/ir/*.ir      tensor IR; `# run: PASS`, and after `# expect:` the text that adavic --run=PASS must print,
#                      each line behind `# `
#
# Usage: BUILD=build tests/run.sh [--bless] [WORD...]     words: only files whose path contains one of them
# --bless rewrites the expectations of tests/diag and tests/ir. The last line is `N passed, N failed` and, where some
# were, `, N skipped`. Exit status 1 if any failed.
set -u
export LC_ALL=C
cd "$(dirname "$0")/.."
export ROOT=$PWD BUILD=$(realpath -m "${BUILD:-build}")
export ADAVIC=$BUILD/adavic
limit=600 # seconds for one file

# ---- one kind of file each: prints the lines of its tests ----

# What a program or script printed, plus a line if it died or said nothing.
finish() { # NAME STATUS OUTPUT-FILE
    cat "$3"
    if [ "$2" = 124 ]; then echo "not ok $1: not done after $limit s"
    elif [ "$2" != 0 ] && ! grep -q '^not ok ' "$3"; then echo "not ok $1: ended with status $2"
    elif ! grep -Eq '^(ok|not ok|skip) ' "$3"; then echo "not ok $1: ran no test"
    fi
}

run_program() { # FILE DIR
    timeout $limit "$BUILD/${1%.c}" >"$2/out" 2>"$2/err" </dev/null
    local status=$?
    if [ $status != 0 ]; then sed 's/^/  | /' "$2/err" >>"$2/out"; fi
    finish "$(basename "$1" .c)" $status "$2/out"
}

run_script() { # FILE DIR
    mkdir "$2/work"
    (cd "$2/work" && TMPDIR=$2 timeout $limit bash "$ROOT/$1" >"$2/out" 2>"$2/err" </dev/null)
    local status=$?
    if [ $status != 0 ]; then tail -n 60 "$2/err" | sed 's/^/  | /' >>"$2/out"; fi
    finish "$(basename "$1" .sh)" $status "$2/out"
}

# "unknown_name.hbm:3:28: error E0201: text" -> "3:28: error E0201: text"
reports() { sed -nE 's/^[^:]*:([0-9]+:[0-9]+: (error|warning) [A-Z][0-9]+: .*)$/\1/p' "$1"; }

run_diag() { # FILE DIR
    local name=${1#tests/} want=0 again
    # lines of expectations shift the lines below them: blessed until nothing moves
    for again in $bless 1; do
        say_of "$1" "$2"
        if [ -n "$bless" ]; then bless_diag "$1" "$2/got"; fi
    done
    grep -q ': error ' "$2/got" && want=1
    sed -n 's|^// expect: ||p' "$1" >"$2/expected"
    if [ $status != $want ]; then
        echo "not ok $name: exit status $status"
        sed 's/^/  | /' "$2/err"
    elif ! diff -u --label expected "$2/expected" --label printed "$2/got" >"$2/diff"; then
        echo "not ok $name: says something else"
        sed 's/^/  | /' "$2/diff"
    else
        echo "ok $name"
    fi
}

# What adavic says about a model, into DIR/got; $status is its exit status.
say_of() { # FILE DIR
    local args
    args=$(sed -n 's|^// args: ||p' "$1")
    # shellcheck disable=SC2086
    timeout 20 "$ADAVIC" --color=never --emit=analysis $args "$1" >"$2/out" 2>"$2/err" </dev/null
    status=$?
    reports "$2/err" >"$2/got"
}

bless_diag() { # FILE REPORTS
    { grep '^// args: ' "$1"; sed 's|^|// expect: |' "$2"; grep -vE '^// (args|expect): ' "$1"; } >"$1.new"
    replace "$1"
}

run_ir() { # FILE DIR
    local name=${1#tests/} pass
    pass=$(sed -n 's/^# run: //p' "$1" | head -n 1)
    timeout 20 "$ADAVIC" --run="$pass" "$1" >"$2/got" 2>"$2/err" </dev/null
    local status=$?
    # an error is expected as the text on stderr
    if [ $status != 0 ]; then sed 's|^adavic: error: [^:]*: |error: |' "$2/err" >>"$2/got"; fi
    if [ -n "$bless" ]; then bless_ir "$1" "$2/got"; fi
    sed -n '/^# expect:/,$ { s/^# expect:.*//; t; s/^# \{0,1\}//; p; }' "$1" >"$2/expected"
    if [ $status -gt 1 ]; then
        echo "not ok $name: exit status $status"
        sed 's/^/  | /' "$2/err"
    elif ! diff -u --label expected "$2/expected" --label printed "$2/got" >"$2/diff"; then
        echo "not ok $name: prints something else"
        sed 's/^/  | /' "$2/diff"
    else
        echo "ok $name"
    fi
}

bless_ir() { # FILE PRINTED
    { sed '/^# expect:/,$d' "$1"; echo '# expect:'; sed 's/^/# /; s/ $//' "$2"; } >"$1.new"
    replace "$1"
}

# FILE.new takes FILE's place, and is named, if it differs.
replace() {
    if cmp -s "$1" "$1.new"; then rm "$1.new"; else mv "$1.new" "$1" && echo "blessed $1" >&2; fi
}

run_one() { # FILE
    local dir start=$EPOCHREALTIME
    dir=$(mktemp -d "$scratch/XXXXXX")
    case $1 in
    *.c) run_program "$1" "$dir" ;;
    *.sh) run_script "$1" "$dir" ;;
    *.hbm) run_diag "$1" "$dir" ;;
    *.ir) run_ir "$1" "$dir" ;;
    esac >"$scratch/results/${1//\//%}"
    chmod -R u+w "$dir"
    rm -rf "$dir"
    echo "$(((${EPOCHREALTIME/./} - ${start/./}) / 1000000)) s $1" >>"$scratch/times"
}

# ---- all of them ----

list_files() {
    ls tests/*/test_*.c tests/diag/*.hbm tests/ir/*.ir tests/*/*.sh 2>/dev/null |
        grep -v '^tests/measure/'
}

main() {
    bless= words=
    for word; do
        case $word in --bless) bless=1 ;; *) words="$words$word"$'\n' ;; esac
    done
    export bless scratch limit
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/adavic-tests.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    mkdir "$scratch/results"
    list_files >"$scratch/files"
    if [ -n "$bless" ]; then grep -E '\.(hbm|ir)$' "$scratch/files" >"$scratch/some"; mv "$scratch/some" "$scratch/files"; fi
    if [ -n "$words" ]; then
        printf '%s' "$words" | grep -Ff - "$scratch/files" >"$scratch/some"
        mv "$scratch/some" "$scratch/files"
    fi
    local start=$SECONDS
    export -f finish run_program run_script reports run_diag say_of bless_diag run_ir bless_ir replace run_one
    xargs -P "$(nproc)" -I{} bash -c 'run_one "$1"' run {} <"$scratch/files"
    summary "$((SECONDS - start))"
}

summary() { # SECONDS
    local passed failed skipped
    cat "$scratch"/results/* >"$scratch/all" 2>/dev/null
    passed=$(grep -c '^ok ' "$scratch/all")
    failed=$(grep -c '^not ok ' "$scratch/all")
    skipped=$(grep -c '^skip ' "$scratch/all")
    grep '^skip ' "$scratch/all"
    # a failure in full: its line and what is indented below it
    awk '/^not ok /{show=1; print; next} /^ /{if (show) print; next} {show=0}' "$scratch/all"
    echo "$(wc -l <"$scratch/files") files, $1 s; the slowest:"
    sort -rn "$scratch/times" | head -n 3 | sed "s/^/  /"
    echo "$passed passed, $failed failed$([ "$skipped" != 0 ] && echo ", $skipped skipped")"
    [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

main "$@"
