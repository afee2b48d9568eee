# Effects that are crossed with the rows' other ones, as a vector: what an intercept and they have in common, their prior
# alone says. The guide is exact from the start; 50 data sets, gaps were some 30 nats where f32 lost the prior beside sharp data.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
hyper noise = 0.001;
latent level ~ normal(0, 10);
latent effect[4] ~ normal(0, 1);
plate row(40) {
  given kind ~ category(4);
  observed y ~ normal(level + effect[kind], noise);
}
M
compile m m.hbm
./m train --steps 1 --quiet
./m simulate --count 50 --seed 3 --out sets.npz --quiet
./m elbo sets.npz --draws 500 --json >sharp.json 2>/dev/null
gaps() { sed 's/"elbo"/\n&/g' "$1" | sed -n 's/^"elbo": \([-0-9.e+]*\).*"log_evidence": \([-0-9.e+]*\).*/\1 \2/p'; }
check sharp_data sh -c 'awk "{ n++; gap = \$2 - \$1; if (!(gap < 0.01 && gap > -0.01)) bad++ } END { exit !(n == 50 && !bad) }" <<EOF
'"$(gaps sharp.json)"'
EOF'

# Locations outside plates whose laws read each other, tied by the data again: exact from the start, too.
cat >chain.hbm <<'M'
latent mu ~ normal(1, 1);
latent a[2] ~ normal(mu, 0.5);
latent c ~ normal(a[0] - 2 * a[1], 0.7);
plate row(12) {
  given x ~ normal(0, 1);
  given k ~ category(2);
  observed y ~ normal(mu + a[k] * x + c, 0.4);
}
M
compile chain chain.hbm
./chain train --steps 1 --quiet
./chain simulate --count 20 --seed 5 --out c.npz --quiet
./chain elbo c.npz --draws 500 --json >chain.json 2>/dev/null
check chain_of_locations sh -c 'awk "{ n++; gap = \$2 - \$1; if (!(gap < 0.005 && gap > -0.005)) bad++ } END { exit !(n == 20 && !bad) }" <<EOF
'"$(gaps chain.json)"'
EOF'
