# Wide layers on OpenBLAS: the same training as by our own kernels, the same bits for any number of threads, linked
# only where it is used, and done without where `cc` does not find it.
. "$ROOT/tests/cli/common.inc"
model=$ROOT/examples/gre_wide.hbm size="-D D=16"

refuses bad_threshold 2 'expected auto, off, or a number' "$ADAVIC" "$model" --blas=many -o none
refuses zero_threshold 2 'expected auto, off, or a number' "$ADAVIC" "$model" --blas=0 -o none
calls() { "$ADAVIC" "$model" $size --emit=loops:step "$@" | grep -c '^ *gemm y = x w\|^ *gemm w = x'; }
check products_are_in_the_loops test "$(calls --blas=16)" -gt 20
check none_without test "$(calls --blas=off)" = 0
check narrow_layers_stay test "$(calls)" = 0

# a `cc` that knows no such library
mkdir bin
printf '%s\n' '#!/bin/sh' 'case "$*" in *openblas*) echo "${1#*=}"; exit 0;; esac' "exec $(command -v cc) \"\$@\"" >bin/cc
chmod +x bin/cc
# shellcheck disable=SC2086
PATH=$PWD/bin:$PATH "$ADAVIC" "$model" $size --blas=16 -o without 2>said
check missing_is_said grep -q 'cc. does not find OpenBLAS.*libopenblas-serial-dev.*compiled without it' said
check missing_is_done_without sh -c './without info >/dev/null && ! ldd without | grep -q openblas'

if [ "$(cc -print-file-name=libopenblas.so)" = libopenblas.so ]; then
    echo "skip trains_with_openblas: cc does not find OpenBLAS"
    exit 0
fi
elbo() { sed -n 's/.*"validation_elbo": *\(-*[0-9.e+]*\).*/\1/p' "$1"; }
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN {exit !(a != "" && b != "" && a - b <= t && b - a <= t)}'; }
for precision in f32 f64; do
    # shellcheck disable=SC2086
    compile with_$precision "$model" $size --precision=$precision --blas=16
    # shellcheck disable=SC2086
    compile own_$precision "$model" $size --precision=$precision --blas=off
    check linked_$precision sh -c "ldd with_$precision | grep -q openblas && ! ldd own_$precision | grep -q openblas"
    for way in with own; do
        check ${way}_trains_$precision sh -c "./${way}_$precision train --steps 12 --seed 3 -j1 --json >$way.json"
    done
    # in double the sums differ by rounding alone
    [ $precision = f64 ] && most=1e-4 || most=0.5
    check same_training_$precision near "$(elbo with.json)" "$(elbo own.json)" $most
done
for threads in 1 2 5; do
    check trains_on_$threads ./with_f32 train --steps 5 --sets 80 --seed 2 --threads $threads -q --weights w$threads
done
check same_bits_for_any_threads sh -c 'cmp w1 w2 && cmp w1 w5'
check infers_with_openblas sh -c './with_f32 simulate --count 1 --seed 4 --out x.npz && ./with_f32 infer x.npz --weights w1 --draws 100'
# shellcheck disable=SC2086
check library_with_openblas "$ADAVIC" "$model" $size --blas=16 --shared -o libwide.so
check library_is_linked sh -c 'ldd libwide.so | grep -q openblas'
