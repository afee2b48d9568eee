# The certificate and `bench` of a compiled model: what is said of memory is what is used, what is said of work what the
# manifest says, and the answer has the keys that other programs read.
. "$ROOT/tests/cli/common.inc"
compile gre --paper "$ROOT/examples/gre.hbm"

# Memory is said beforehand: of more than 100 MiB within 20 %. The program itself, as measured on a small size, is no growth.
measured() { sed -n 's/^memory *\([0-9.]*\) MiB at most, as measured/\1/p' "$1"; }
check train_large ./gre train -v --threads 1 --steps 2 --size group=700 --weights large.weights
mv check.out large
check train_small ./gre train -v --threads 1 --steps 2 --size group=1 --size obs=1 --sets 1 --draws 1 --weights small.weights
mv check.out small
said=$(sed -n 's/^memory *\([0-9.]*\) MiB, all of it allocated.*/\1/p' large)
if nm "$ADAVIC" 2>/dev/null | grep -q "__asan_init\|__tsan_init"; then
    echo "skip memory_is_what_was_said: sanitizers use memory of their own"
elif awk -v said="$said" -v large="$(measured large)" -v small="$(measured small)" 'BEGIN {
    grown = large - small
    exit !(said > 100 && grown > 0.8 * said && grown < 1.2 * said)
}'; then echo "ok memory_is_what_was_said"
else echo "not ok memory_is_what_was_said: said $said MiB, measured $(measured large) and $(measured small) without"
fi
check same_weights_at_every_size sh -c './gre info --size group=300 --json >a; ./gre info --json >b
    n=$(sed "s/.*\"weights\": \([0-9]*\).*/\1/" a); test "$n" -gt 0 && grep -q "\"weights\": $n," b'

# The formula of the manifest at these sizes is what info says; it grows with the plates as it should.
"$ADAVIC" --paper --emit=manifest "$ROOT/examples/gre.hbm" | awk '
    $1 == "program" {step = $2 == "step"}
    step && $1 == "flop" {
        term = $2
        for (i = 4; i <= NF; i++) term *= $i == "data" ? 32 : $i == "draw" ? 32 : $i == "group" ? 3 : 50
        sum += term
    }
    END {printf "%d", sum}' >by_hand
check work_is_the_formula sh -c './gre info --json | grep -q "\"flop_per_step\": $(cat by_hand),"'
check info_prints_the_certificate sh -c './gre info | grep -q "one more group: + .*KiB, + .*MFLOP"'

check bench_in_help sh -c './gre --help | grep -q "^  bench "'
check bench_help sh -c './gre bench --help | grep -q -- "--steps N"'
check bench_json sh -c './gre bench --json --steps 20 --threads 1 >bench'
for key in threads step_ms min median max stages_ms simulate step optimiser posterior flop gflops peak_gflops rss_mib; do
    check "bench_json_has_$key" grep -q "\"$key\": " bench
done
if jq --version >/dev/null 2>&1; then
    check bench_json_is_sound jq -e '.threads == 1 and .step_ms.min <= .step_ms.median and .gflops < .peak_gflops and
        .stages_ms.step < .step_ms.max and (.flop | tostring) == $flop' --arg flop "$(cat by_hand)" bench
else
    echo "skip bench_json_is_sound: jq is not here"
fi
check bench_table sh -c './gre bench --time 0.2 --size group=5 --sets 16 --draws 8 | grep -q "^whole step .* % of peak"'
check bench_writes_nothing sh -c '! test -e gre.weights'
refuses bench_takes_no_data 2 "takes no file" ./gre bench data.bin
refuses bench_time 2 "a time such as" ./gre bench --time soon
