# The additions of docs/howto/ apply to this tree, build and pass their tests: one after the other in a copy of it, on top
# of what the build has compiled already.
. "$ROOT/tests/cli/common.inc"
built=${BUILD#"$ROOT/"}
if nm -D "$ADAVIC" | grep -qE '__(asan|tsan)_init'; then
    echo "skip howto: the copy is built without sanitizers"
    exit
elif [ "$built" = "$BUILD" ]; then
    echo "skip howto: the build stands outside the tree, and what it knows of its sources with it"
    exit
fi
make() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C copy BUILD="$built" OPTIMISE=-O0 "$@"; }
export -f make
export built

# Times of files are kept, so that make sees what a page changes and nothing else.
copy() {
    mkdir copy
    (cd "$ROOT" && tar -cf - Makefile README.md compiler docs grammar runtime stdlib tests examples \
        --exclude='*.weights') | tar -xf - -C copy
    (cd "$ROOT" && find "$built" -name '*.[oad]' -o -name '*.[hcS]' -path "$built/*" | tar -cf - -T -) | tar -xf - -C copy
}

# addition PAGE WHAT-TO-MAKE... -- TESTS...: the diff of the page; what make then builds; words for tests/run.sh
copy
addition() {
    local page=$1 targets=
    shift
    awk '/^```diff$/ {inside = 1; next} /^```$/ {inside = 0} inside' "$ROOT/docs/howto/$page.md" >page.diff
    check "${page}_applies" sh -c 'test -s page.diff && GIT_CEILING_DIRECTORIES="$PWD" git -C copy apply -C1 "$PWD/page.diff"'
    while [ "$1" != -- ]; do targets="$targets $built/$1"; shift; done
    shift
    # shellcheck disable=SC2086
    check "${page}_builds" make $targets
    check "${page}_passes" env BUILD="$PWD/copy/$built" copy/tests/run.sh "$@"
}

addition add-a-distribution adavic tests/unit/test_front_stdlib -- test_front_stdlib
check distribution_is_there sh -c 'copy/$built/adavic --explain-library | grep -q rayleigh'
addition add-a-pass adavic tests/unit/test_ir_passes -- ir/signs test_ir_passes
check pass_is_in_the_pipeline sh -c 'copy/$built/adavic --help | grep -q "^  signs"'
addition add-an-operation adavic tests/unit/test_ir_grad tests/unit/test_back_elementary -- test_ir_grad test_back_elementary cli/language
check operation_is_there sh -c 'copy/$built/adavic --explain-ops | grep -q "asinh"'
