# Heavy tails: every step of training counts, and inference runs on real data.
. "$ROOT/tests/cli/common.inc"
compile robust "$ROOT/examples/robust.hbm"
check robust_trains_without_skipped_steps sh -c './robust train --steps 300 2>train.err && grep -q "(0 skipped)" train.err'
check robust_infers ./robust infer "$ROOT/examples/data/dyestuff.csv"

# A Cauchy has no mean: without moments the scale is near the one that the middle half of the residuals shows.
sed 's/student_t(df, b, scale)/cauchy(b, scale)/; /excess/d' "$ROOT/examples/robust.hbm" >cauchy.hbm
compile cauchy cauchy.hbm
check cauchy_trains_without_skipped_steps sh -c './cauchy train --steps 500 2>train.err && grep -q "(0 skipped)" train.err'
check cauchy_scale_is_found sh -c './cauchy infer "$ROOT/examples/data/dyestuff.csv" >table && awk "\$1 == \"scale\" {exit !(\$2 > 18 && \$2 < 45 && \$3 > 4)}" table'
