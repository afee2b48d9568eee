# Missing cells: from files of each kind, in training for one of them, and what a model must say of them.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
latent mu ~ normal(0, 1);
plate group(4) {
  latent a ~ normal(mu, 0.5);
  plate obs(3) {
    given t ~ normal(0, 1);
    observed x ~ normal(a + 0.1 * t, 0.4) with missing;
    observed y[2] ~ normal(a, 0.4) with missing;
    observed z ~ normal(a, 0.4);
  }
}
M
compile m m.hbm
check train ./m train --steps 20 --quiet
cat >d.csv <<'D'
group,x,y[0],y[1],z,t
a,0.5,1,1,0.4,0
a,,1,1,0.4,0
a,0.7,NA,,0.4,0
b,,1,1,0.4,0
b,nan,1,1,0.4,0
b,,1,1,0.4,0
c,0.5,1,1,0.4,0
c,0.5,1,1,0.4,0
c,0.5,1,1,0.4,0
d,0.5,1,1,0.4,0
d,0.5,1,1,0.4,0
d,0.5,NaN,NaN,0.4,0
D
check csv sh -c './m infer d.csv --draws 50 >out && grep -q "^4 of 12 cells of x are missing" out && grep -q "^2 of 12 cells of y" out'
check json sh -c './m infer d.csv --draws 50 --json | grep -q "\"missing\": {\"x\": 4, \"y\": 2}"'
sed '4s/NA,,/1,,/' d.csv >partly.csv
refuses parts_of_an_event 1 "y\[0,2,1\] is missing, but other entries" ./m infer partly.csv
sed '4s/,0.4,0/,NA,0/' d.csv >complete.csv
refuses others_are_complete 1 "complete.csv:4:5: a value of z is missing, and the model does not say" ./m infer complete.csv
refuses says_what_to_write 1 "observed z ~ ... with missing;" ./m infer complete.csv
sed '4s/,0$/,/' d.csv >given.csv
refuses covariates_are_there 1 "given.csv:4:6: a value of t is missing" ./m infer given.csv

# NaN in a .bin file: x of 4 groups, three each. The first number of x is 4 bytes.
./m simulate --count 1 --out s.bin -q
{ printf '\0\0\300\177'; tail -c +5 s.bin; } >nan.bin
check simulated_is_complete sh -c './m infer s.bin --draws 50 >out && ! grep -q "are missing" out'
check bin sh -c './m infer nan.bin --draws 50 | grep -q "^1 of 12 cells of x are missing"'
{ head -c 144 s.bin; printf '\0\0\300\177'; tail -c +149 s.bin; } >z.bin
refuses bin_of_others 1 "z\[0,0\]: a value of z is missing" ./m infer z.bin

check for_one_file ./m train --for d.csv --steps 20 --quiet --weights for.weights
check for_is_no_extrapolation sh -c './m infer d.csv --weights for.weights --draws 50 2>err && ! grep -q "share of cells" err'
check few_are_warned_about sh -c 'sed "s/^\(.\),[^,]*,[^,]*,[^,]*/\1,,,/" d.csv >few.csv; ./m infer few.csv --draws 50 2>err && grep -q "the share of cells that are there of x is 0" err'
check refined ./m infer d.csv --refine --steps 5 --draws 50
check fitted ./m fit d.csv --steps 5 --draws 50
check weighed ./m infer d.csv --psis --inner 4 --draws 50
check elbo ./m elbo d.csv
check checked sh -c './m check --count 100 >out; grep -q "exact posterior .*: good" out && grep -q "^gradient .*: good" out'
check timed ./m bench --steps 2
check info sh -c './m info | grep -q "^observed  x.*, cells may be missing" && ./m info --json | grep -q "\"dims\": \[2\], \"missing\": true" && ! ./m info | grep -q present'
