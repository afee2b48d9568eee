# Heavy tails: every step of training counts, and inference runs on real data.
. "$ROOT/tests/cli/common.inc"
compile robust "$ROOT/examples/robust.hbm"
check robust_trains_without_skipped_steps sh -c './robust train --steps 300 2>train.err && grep -q "(0 skipped)" train.err'
check robust_infers ./robust infer "$ROOT/examples/data/dyestuff.csv"

# A Cauchy has no mean: a guide that trusts the moments of the data stays some 20 nats below this bound.
# (Gradients of its extreme data sets are noise in float: at 400 steps where a run stands depends on rounding.)
sed 's/student_t(df, b, scale)/cauchy(b, scale)/; /excess/d' "$ROOT/examples/robust.hbm" >cauchy.hbm
compile cauchy cauchy.hbm
check cauchy_trains_without_skipped_steps sh -c './cauchy train --steps 800 2>train.err && grep -q "(0 skipped)" train.err'
check cauchy_trusts_no_mean sh -c 'sed -n "s/.*steps in .*validation ELBO \(-[0-9.]*\) nats.*/\1/p" train.err | awk "{good = \$1 > -230} END {exit !good}"'

# The training data of heavy-tailed priors end at quantiles, which is said.
cat >wide.hbm <<'END'
latent m ~ normal(0, 1);
latent tau ~ half_cauchy(2);
plate n(8) { latent t ~ normal(m, tau); observed x ~ normal(t, 1); }
END
compile wide wide.hbm
check wide_trains_and_says_where_it_is_cut sh -c './wide train --steps 100 2>train.err && grep -q "(0 skipped)" train.err &&
    grep -q "tau has heavy tails: simulated between" train.err && ! grep -q "m has heavy tails" train.err'
