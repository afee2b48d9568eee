#!/bin/bash
# Fuzzing for longer than the tests do: every harness of tests/fuzz in turn, FUZZ_SECONDS each, guided by coverage
# where clang has libFuzzer, else by the harness's own mutations.
#
# Usage: BUILD=build FUZZ_SECONDS=60 tests/fuzz.sh [WORD...]     words: only targets whose name contains one of them
# The corpus grows in $BUILD/fuzz/corpus; findings are left in $BUILD/fuzz/findings. Exit status 1 if there is one.
set -u
cd "$(dirname "$0")/.."
BUILD=$(realpath -m "${BUILD:-build}")
seconds=${FUZZ_SECONDS:-60}
out=$BUILD/fuzz
findings=$out/findings
mkdir -p "$findings"

# Can clang link a fuzzer?
has_libfuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 9 ? 0 : 0; }' >"$out/try.c"
    clang -fsanitize=fuzzer,address -o "$out/try" "$out/try.c" 2>"$out/try.err"
}

# Last lines of libFuzzer that say how far it came: executions, coverage, memory.
summary_of() { # LOG
    grep -E '(DONE|pulse|NEW|REDUCE|INITED) +cov:' "$1" | tail -n 1 | sed -E 's/^#([0-9]+).*cov: ([0-9]+) ft: ([0-9]+) corp: ([0-9]+).*/\1 executions, \2 edges, \3 features, \4 inputs kept/'
}

guided() { # NAME
    local program=$BUILD/tests/fuzz/test_fuzz_$1 corpus=$out/corpus/$1 log=$out/$1.log status
    mkdir -p "$corpus" "$out/seeds/$1"
    "$program" --seeds "$out/seeds/$1"
    "$program" --dictionary "$out/$1.dict"
    "$out/clang/tests/fuzz/test_fuzz_$1" "$corpus" "$out/seeds/$1" -dict="$out/$1.dict" -max_len=65536 -timeout=20 \
        -rss_limit_mb=2048 -max_total_time="$seconds" -artifact_prefix="$findings/$1-" >"$log" 2>&1
    status=$?
    echo "$1: $(summary_of "$log")"
    if [ $status != 0 ]; then
        grep -E 'ERROR|SUMMARY|internal error|runtime error|BINGO|Test unit written' "$log" | sed 's/^/  /'
    fi
    return $status
}

unguided() { # NAME
    BUILD=$findings "$BUILD/tests/fuzz/test_fuzz_$1" --seconds "$seconds" | sed "s/^/$1: /"
    return "${PIPESTATUS[0]}"
}

way=unguided
if has_libfuzzer; then
    way=guided
    MAKEFLAGS= make -j"$(nproc)" BUILD="$out/clang" SANITIZE=fuzzer CC=clang OPTIMISE=-O1 WARN= fuzzers || exit 1
else
    echo "no libFuzzer here (clang -fsanitize=fuzzer does not link): mutations without guidance"
fi
status=0
for harness in tests/fuzz/test_fuzz_*.c; do
    name=$(basename "$harness" .c)
    name=${name#test_fuzz_}
    chosen=1
    for word; do chosen=; case $name in *"$word"*) chosen=1; break ;; esac; done
    [ -z "$chosen" ] || "$way" "$name" || status=1
done
if [ $status != 0 ]; then echo "findings are in $findings"; fi
exit $status
