# `fit --objective sequential`: rounds on one data set, against the evidence by quadrature.
. "$ROOT/tests/cli/common.inc"
cat >laplace.hbm <<'END'
latent m ~ normal(0, 2);
plate obs(4) { observed x ~ laplace(m, 0.3); }
END
printf 'obs,x\n1,0.2\n2,0.9\n3,1.0\n4,2.1\n' >data.csv
evidence=$(awk 'BEGIN {
    n = split("0.2 0.9 1.0 2.1", x, " ")
    for (m = -8; m < 8; m += 0.001) {
        l = -m * m / 8
        for (i = 1; i <= n; i++) { d = x[i] - m; l -= (d < 0 ? -d : d) / 0.3 }
        sum += exp(l)
    }
    printf "%.5f", log(sum * 0.001) - log(2 * sqrt(2 * atan2(0, -1))) - n * log(0.6)
}')
compile laplace --family=total-flow --objective=sequential laplace.hbm
number() { sed -n "s/.*\"fitted\": {[^}]*\"$2\": \([-0-9.e]*\).*/\1/p" "$1"; }
check fits sh -c './laplace fit data.csv --steps 1000 --json >fitted'
check says_its_rounds grep -q '"kept": "end", "rounds": 5' fitted
check beyond_its_start awk "BEGIN { exit !($(number fitted elbo) > $(number fitted elbo_start) + 0.05) }"
check near_the_evidence awk "BEGIN { gap = $evidence - ($(number fitted elbo)); exit !(gap > -0.08 && gap < 0.15) }"
check same_for_any_threads sh -c 'for j in 1 3; do ./laplace fit data.csv --steps 150 --json -j$j >t$j; done; cmp t1 t3'
check rounds_as_asked sh -c './laplace fit data.csv --steps 20 --rounds 2 --json | grep -q "\"rounds\": 2"'
check by_time sh -c './laplace fit data.csv --time 0.5s | grep -q "by the objective sequential, in [1-5] rounds"'
check several_data_sets sh -c './laplace simulate --count 2 --out two.npz -q && ./laplace fit two.npz --steps 20 --json | grep -q "rounds.*rounds"'
check another_objective sh -c './laplace fit data.csv --steps 5 --objective reverse-kl --json >t && ! grep -q rounds t'
check trains_by_another sh -c './laplace train --steps 5 -q --json | grep -q "\"objective\": \"reverse-kl\""'
# Latents that round to the end of their support are no atoms: one would spoil every step that it is in.
cat >small.hbm <<'END'
latent w[3] ~ dirichlet(rep(0.1, 3));
plate obs(4) { latent z ~ categorical(w); observed x ~ normal(z, 1); }
END
compile small --family=total-flow --no-exact --objective=sequential small.hbm
check unsound_pairs_are_left_out sh -c './small fit data.csv --steps 500 --json >small.json'
check no_step_is_skipped awk "BEGIN { exit !($(number small.json skipped_steps) <= 1) }"
refuses not_of_train 1 "fit DATA --objective sequential" ./laplace train --objective sequential
refuses no_such_objective 2 "expected  reverse-kl or sequential" ./laplace fit data.csv --objective map
refuses rounds_of_another 2 "expected  --objective sequential" ./laplace fit data.csv --objective reverse-kl --rounds 3
