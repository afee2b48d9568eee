# Data unlike what training saw: answered with a warning that says what differs, once; like data: without.
. "$ROOT/tests/cli/common.inc"
compile pastes "$ROOT/examples/pastes.hbm"
check trains ./pastes train --steps 20 --quiet
data="$ROOT/examples/data/pastes.csv"
check real_data_is_like_training sh -c './pastes infer "$1" 2>err >/dev/null && ! grep -q warning err' sh "$data"

# 100 added to every strength; then ten times as far apart
awk -F, -v OFS=, 'NR > 1 {$4 += 100} {print}' "$data" >high.csv
awk -F, -v OFS=, 'NR > 1 {$4 = 60 + 30 * ($4 - 60)} {print}' "$data" >wide.csv
check a_far_mean_is_said sh -c './pastes infer high.csv 2>err >/dev/null &&
    grep -q "warning: the mean of strength is 160.*in training" err && [ $(grep -c warning err) = 1 ]'
check a_wide_spread_is_said sh -c './pastes elbo wide.csv 2>err >/dev/null && grep -q "warning: the spread of strength is" err'
