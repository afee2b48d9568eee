# Compiler, runtime and compiled programs under AddressSanitizer with UBSan, and what runs several threads under
# ThreadSanitizer: some of the tests, built again in folders of their own (`make asan` runs all of them).
. "$ROOT/tests/cli/common.inc"
if nm -D "$ADAVIC" | grep -qE '__(asan|tsan)_init'; then
    echo "skip sanitizers: this build has them already"
    exit
fi

# Can the compiler link that sanitizer, and can its programs run here?
has() { # FLAG
    echo 'int main(void) { return 0; }' >try.c
    cc "-fsanitize=$1" try.c -o try 2>/dev/null && ./try 2>/dev/null
}

make() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -j1 -C "$ROOT" OPTIMISE=-O0 "$@"; }
export -f make

# under NAME FLAG SANITIZE PROGRAMS... -- WORDS...
under() {
    local name=$1 flag=$2 sanitize=$3 programs=
    shift 3
    if ! has "$flag"; then
        echo "skip $name: programs with -fsanitize=$flag do not link or run here"
        return
    fi
    while [ "$1" != -- ]; do programs="$programs $BUILD/$name/tests/$1"; shift; done
    shift
    # shellcheck disable=SC2086
    check "${name}_builds" make BUILD="$BUILD/$name" SANITIZE="$sanitize" all $programs
    check "${name}_passes" env BUILD="$BUILD/$name" "$ROOT/tests/run.sh" "$@"
}

# The seeds of test_fuzz_front are the models of tests/diag, too.
under asan address 1 unit/test_front_model unit/test_rt_files fuzz/test_fuzz_front fuzz/test_fuzz_data -- \
    test_front_model test_rt_files test_fuzz_front test_fuzz_data
under tsan thread thread unit/test_rt_program -- test_rt_program cli/threads
