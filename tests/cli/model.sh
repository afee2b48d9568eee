# A compiled model from end to end: simulate, train, infer, evaluate; the same bytes for any number of threads.
. "$ROOT/tests/cli/common.inc"
compile gre "$ROOT/examples/gre.hbm"

# The number behind "key": in a JSON object on stdin.
json_number() { sed -n "s/.*\"$1\": *\\([-+0-9.e]*\\).*/\\1/p" | head -n 1; }

refuses no_command 2 "train" ./gre
refuses unknown_command 2 "did you mean train" ./gre tarin
refuses unknown_option 2 "did you mean --steps" ./gre train --stebs 5
refuses bad_number 2 "steps" ./gre train --steps many
refuses nothing_to_exchange 2 "no components of this model" ./gre infer data.bin --labels mixture
refuses unknown_plate 2 "group" ./gre info --size groop=3
check help sh -c './gre --help | grep -q infer'
refuses infer_before_train 1 "gre.weights.*train\|train.*gre.weights" ./gre infer data.bin

check simulate ./gre simulate --count 1 --out data.bin
check simulate_size test "$(stat -c %s data.bin)" = 1200 # 3 groups of 50 observations of 2 numbers
check simulate_other_size ./gre simulate --size group=5 --count 1 --out five.bin
check simulate_other_size_bytes test "$(stat -c %s five.bin)" = 2000
./gre simulate --count 1 --out again.bin
check same_seed_same_data cmp data.bin again.bin
./gre simulate --seed 2 --count 1 --out other.bin
check other_seed_other_data sh -c '! cmp -s data.bin other.bin'
check simulate_npz ./gre simulate --count 2 --out two.npz
check info_needs_no_weights ./gre info

check train ./gre train --steps 50 --quiet --threads 1
check weights_beside_program test -s gre.weights
mv gre.weights one.weights
check train_two_threads ./gre train --steps 50 --quiet --threads 2
check same_weights_for_any_threads cmp one.weights gre.weights
check train_to_named_file ./gre train --steps 50 --quiet --threads 2 --weights named.weights
check same_weights_under_any_name cmp one.weights named.weights
./gre train --steps 50 --quiet --seed 2 --weights seed.weights
check other_seed_other_weights sh -c '! cmp -s one.weights seed.weights'
mkdir far
cp gre far/mover
check weights_follow_the_program sh -c 'cp gre.weights far/mover.weights && far/mover infer data.bin'

check infer sh -c './gre infer data.bin >table && grep -q "mu_g" table && grep -q "khat\|k-hat" table'
check infer_json sh -c './gre infer data.bin --json >j && grep -q "\"mu_g\[2,0\]\"" j && grep -q "\"q95\"" j'
check infer_same_seed sh -c './gre infer data.bin --json >k && cmp j k'
check infer_threads sh -c './gre infer data.bin --json --threads 2 >k && cmp j k'
check infer_other_size ./gre infer five.bin
check infer_npz_in sh -c './gre simulate --count 1 --out in.npz && ./gre infer in.npz'
check infer_npz_out sh -c './gre infer data.bin --draws 100 --out draws.npz && test -s draws.npz'
check infer_csv_out sh -c './gre infer data.bin --draws 100 --out draws.csv && test "$(grep -vc "^#" draws.csv)" = 101'
check elbo sh -c './gre elbo data.bin --json >e && grep -q "\"elbo_se\"" e && grep -q "\"khat\"" e'
if jq --version >/dev/null 2>&1; then
    check json_is_json sh -c 'for f in j e; do jq -e .sets $f >/dev/null || exit 1; done'
    check info_json_is_json sh -c './gre info --json | jq -e .weights >/dev/null'
else
    echo "skip json_is_json: jq is not here"
fi

small=$(./gre info --json --size group=3 | json_number weights)
large=$(./gre info --json --size group=300 | json_number weights)
if [ -n "$small" ] && [ "$small" -gt 0 ] && [ "$small" = "$large" ]; then echo "ok weights_do_not_grow_with_plates"
else echo "not ok weights_do_not_grow_with_plates: $small at 3 groups, $large at 300"
fi
