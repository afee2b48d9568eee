# A compiled model trains and infers with several threads; `make tsan` runs this under ThreadSanitizer, whose report
# is a failure here.
. "$ROOT/tests/cli/common.inc"
cp "$ROOT/examples/dyestuff.hbm" m.hbm
export TSAN_OPTIONS="exitcode=66 halt_on_error=1"
compile m m.hbm
check trains_with_threads ./m train --steps 6 --sets 64 --threads 4 --seed 1 --quiet
check simulates_with_threads ./m simulate --count 8 --threads 4 --out sim.npz
check infers_with_threads ./m infer "$ROOT/examples/data/dyestuff.csv" --draws 64 --threads 4 --out draws.npz
