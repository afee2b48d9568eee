# Observations that are whole numbers: simulated, read from every format, and checked there.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
latent mu ~ normal(0, 1);
plate ward(3) {
  given n ~ poisson(20);
  latent a ~ normal(mu, 1);
  observed died[2] ~ binomial_logit(n, a);
  plate week(2) {
    given days ~ lognormal(0, 1);
    observed falls ~ poisson(exp(a) * days);
  }
}
M
compile m m.hbm
check preview sh -c './m simulate --count 1 --out s.npz >out && grep -q "^falls " out'
check train ./m train --steps 20 --quiet
check simulated_are_whole sh -c './m simulate --count 50 --out s.bin -q && ./m elbo s.bin --batch --draws 20 >/dev/null'
answer() { ./m infer "$1" --draws 50 --json | sed 's/"settings.*//'; }
./m simulate --count 1 --out one.bin -q
answer s.npz >npz
check same_from_bin sh -c './m infer one.bin --draws 50 --json | sed "s/\"settings.*//" >bin && cmp npz bin'
printf 'ward,n,died[0],died[1],days,falls\na,20,3,5,1,2\na,20,3,5,2,0\nb,9,0,9,1,7\nb,9,0,9,.5,1\n' >d.csv
check csv ./m infer d.csv --draws 20
no() { # no NAME ROW FROM TO TEXT: the data with one number changed are refused
    sed "$2s/$3/$4/" d.csv >"$1.csv"
    refuses "$1" 1 "$5" ./m infer "$1.csv"
}
no csv_no_fraction 2 ',2$' ',2.5' "csv_no_fraction.csv:2:6: falls is out of range"
no csv_says_what_is 2 ',2$' ',2.5' "a whole number from 0 on"
no csv_none_below_0 5 ',1$' ',-1' "csv_none_below_0.csv:5:6: falls is out of range"
sed 's/^b,9,0,9/b,9,0,10/' d.csv >above.csv
refuses csv_up_to_a_covariate 1 "above.csv:4:4: died is out of range" ./m infer above.csv
refuses csv_says_which_covariate 1 "at most 9, which is n there" ./m infer above.csv
sed 's/^b,9,/b,9.5,/' d.csv >part.csv
refuses csv_covariates_are_whole 1 "part.csv:4:2: n is out of range" ./m infer part.csv
# died of the first ward, beyond any n
number() { printf '\000\000\310\102'; } # 100 as float32
{ number; tail -c +5 one.bin; } >above.bin
refuses bin_up_to_a_covariate 1 "died\[0,0\] is 100" ./m infer above.bin

echo 'latent p ~ beta(1, 1); plate obs(4) { observed won ~ bernoulli(p); }' >two.hbm
compile two two.hbm
check of_two sh -c './two train --steps 20 --quiet'
printf 'obs,won\na,1\nb,0\nc,0\nd,1\n' >won.csv
check of_two_csv ./two infer won.csv --draws 20
sed '3s/0/2/' won.csv >more.csv
refuses of_two_no_more 1 "a whole number from 0 to 1" ./two infer more.csv

# Starts know what counts say: before training (one step) the mean gap of 25 data sets is far below a nat.
cat >rate.hbm <<'M'
latent mu ~ normal(0, 1);
latent tau ~ half_normal(1);
latent slope ~ normal(0, 0.5);
plate group(10) {
  given t ~ lognormal(1, 1);
  given x ~ normal(0, 1);
  latent b ~ normal(mu + slope * x, tau);
  observed y ~ neg_binomial_2(exp(b) * t, 3);
}
M
cat >yes.hbm <<'M'
latent mu ~ normal(0, 1);
latent tau ~ half_normal(1);
plate group(10) {
  latent b ~ normal(mu, tau);
  plate obs(10) { observed y ~ bernoulli_logit(b); }
}
M
cat >bounded.hbm <<'M'
latent p ~ beta(1, 1);
latent q ~ beta(2, 2);
plate obs(9) {
  given n ~ poisson(30);
  observed y ~ binomial(n, p);
  observed z ~ binomial(n, p * q);
}
M
starts_near rate 60
starts_near yes 40
starts_near bounded 60

# Real data beside a quadrature of the same model, over mu, tau and every hospital's effect.
compile surgical "$ROOT/examples/surgical.hbm"
./surgical train --steps 50 --quiet
./surgical infer "$ROOT/examples/data/surgical.csv" --draws 4000 --json >surgical.json 2>err
check surgical_without_a_warning sh -c '! grep -q "in training" err'
check surgical_typical between "$(posterior surgical.json typical mean)" 0.0716 0.0740 # 0.07282, its spread 0.0101
check surgical_mu between "$(posterior surgical.json mu mean)" -2.571 -2.537           # -2.5539, 0.151
check surgical_tau between "$(posterior surgical.json tau mean)" 0.395 0.429           # 0.4121, 0.140
check surgical_first between "$(posterior surgical.json 'risk\[0\]' mean)" 0.0505 0.0545 # 0.05253
