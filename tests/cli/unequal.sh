# Groups of unequal size, from a model's range to an answer with the file's keys: radon in counties of 1 to 116 houses.
. "$ROOT/tests/cli/common.inc"

data=$ROOT/examples/data/radon.csv
compile radon "$ROOT/examples/radon.hbm"
check trained_on_all_sizes ./radon train --steps 2 --sets 4 --draws 4 --quiet
check inferred sh -c './radon infer "$0" --json >all.json 2>err && ! grep -q "plate county\|plate house" err' "$data"
check counties_keep_their_names grep -q '"a\[84\]": {"mean": [^{]*"labels": \["85"\]' all.json
check in_csv sh -c './radon infer "$0" --draws 10 --out draws.csv -q 2>err && grep -q ",a\.1,.*,a\.85,b\.1," draws.csv' "$data"
check draws_say_how_groups_are_cut sh -c './radon simulate --out sets.npz -q && grep -aq house.count.npy sets.npz && ./radon elbo sets.npz --draws 50 >out'
check trained_for_the_file sh -c './radon train --for "$0" --steps 2 --sets 4 --draws 4 --quiet && ./radon elbo "$0" --draws 50 --json >e 2>err && grep -q "\"elbo\": -[0-9]" e' "$data"
check equal_by_size sh -c './radon simulate --size county=20 --size house=3 --out sets.bin -q && test "$(wc -c <sets.bin)" = $((4 * (60 + 60 + 20)))'
check predicted sh -c './radon predict "$0" --draws 50 --json 2>err | grep -q "\"log_radon\[84,0\]\""' "$data"
check left_out sh -c './radon loo "$0" --by county --draws 200 --json 2>err | grep -q "\"elpd\""' "$data"
sed 's/house(1..120)/house(11)/' "$ROOT/examples/radon.hbm" >equal.hbm
compile equal equal.hbm
refuses not_in_equal_groups 1 "plate house(1..116)" ./equal fit "$data" --steps 2
