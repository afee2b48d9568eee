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
refuses more_than_float_counts 1 "plate house has 16800000 instances here, and this program, in float, counts to 16777216" ./radon simulate --size county=4200000 --size house=4 --out big.bin
check predicted sh -c './radon predict "$0" --draws 50 --json 2>err | grep -q "\"log_radon\[84,0\]\""' "$data"
check left_out sh -c './radon loo "$0" --by county --draws 200 --json 2>err | grep -q "\"elpd\""' "$data"
sed 's/house(1..120)/house(11)/' "$ROOT/examples/radon.hbm" >equal.hbm
compile equal equal.hbm
refuses not_in_equal_groups 1 "plate house(1..116)" ./equal fit "$data" --steps 2

# What the loops count is printed: all instances, the most in one group, how many on average. Groups in groups compile,
# and have gradients as differences have them.
check loops_are_shown sh -c '"$ADAVIC" --emit=loops "$ROOT/tests/models/ragged.hbm" | grep -q "most(obs)"'
cat >nested.hbm <<'M'
latent s ~ gamma(2, 2);
plate group(2..5) {
  latent a ~ normal(0, 1);
  plate mid(0..4) {
    latent b ~ normal(a, 1);
    plate obs(1..4) { latent y ~ normal(b, s); observed x ~ normal(y, 1); }
  }
}
M
compile nested nested.hbm
./nested train --steps 20 -q
check gradient_through_groups_in_groups sh -c './nested check --count 100 | grep -q "^gradient .*: good"'

check reads_its_own_sets sh -c './nested simulate --seed 3 --out own.npz -q && ./nested elbo own.npz --draws 20 >out'
check reads_its_own_even_groups sh -c './nested simulate --size mid=2 --out even.npz -q && ./nested elbo even.npz --draws 20 >out'
check sizes_as_stated sh -c './nested simulate --size group=4 --out four.npz -q && ./nested elbo four.npz --size group=4 --draws 20 >out'
refuses size_against_the_file 1 "mid.count has 4 numbers" ./nested elbo four.npz --size group=3
refuses size_against_the_counts 1 "of array obs.count is [0-9]*, but --size says 9" ./nested elbo four.npz --size obs=9

# No name of a plate is taken for something else.
simulated() { # NAME of the inner plate
    sed "s/plate obs/plate $1/" "$ROOT/tests/models/ragged.hbm" >named.hbm
    compile named named.hbm && ./named simulate --seed 5 | grep "^x "
}
check plate_named_index test "$(simulated index)" = "$(simulated obs)"

# A guide without latents starts from the means of groups, and from the mean of all in groups that hold nothing.
sed 's/(2..20)/(20)/; s/(0..8)/(0..4)/' "$ROOT/tests/models/ragged.hbm" >means.hbm
starts_near means 400 --family=adavi

# Components by label in groups of unequal size, empty ones too, and sets of components that are.
cat >labels.hbm <<'M'
latent w[2] ~ dirichlet([1, 1]);
latent top[2] ~ normal(0, 3);
latent tau ~ gamma(2, 2);
plate g(5) {
  latent mid[2] ~ normal(top, tau);
  plate s(0..4) { latent z ~ categorical(w); observed y ~ normal(mid[z], 0.3); }
}
M
starts_near labels 400
cat >sets.hbm <<'M'
latent w[2] ~ dirichlet([1, 1]);
latent top[2] ~ normal(0, 3);
latent tau ~ gamma(2, 2);
plate g(5) {
  latent mid[2] ~ normal(top, 1);
  plate s(0..4) {
    latent mu[2] ~ normal(mid, tau);
    plate i(10) { latent z ~ categorical(w); observed y ~ normal(mu[z], 0.3) with missing; }
  }
}
M
starts_near sets 2000
