# `fit` and `infer --refine`: one data set alone, beside its exact evidence. Without the exact path the guide starts from
# nothing, so that what it learns it learns from this data set.
. "$ROOT/tests/cli/common.inc"
compile gre "$ROOT/examples/gre.hbm"
compile blind --no-exact "$ROOT/examples/gre.hbm"
cc -O1 -I"$ROOT" -I"$ROOT/tests/measure" -o gap "$ROOT/tests/measure/gap.c" "$ROOT/tests/exact/exact.c" -lm
./gre simulate --seed 3 --out data.bin -q
evidence=$(./gap gre data.bin)

# The JSON number of a key of the object "fitted" or "refined".
number() { sed -n "s/.*\"\(fitted\|refined\)\": {[^}]*\"$2\": \([-0-9.e]*\).*/\2/p" "$1"; }
within() { awk "BEGIN {d = $evidence - ($1); exit !(d > -0.02 && d < $2)}"; }

check fit_needs_no_weights sh -c './gre fit data.bin --steps 100 --json >fit && test ! -e gre.weights'
check fit_is_exact within "$(number fit elbo)" 0.05
check fit_from_nothing sh -c './blind fit data.bin --steps 400 --json >blindly'
check fit_starts_far_away awk "BEGIN {exit !($evidence - ($(number blindly elbo_start)) > 100)}"
check fit_learns within "$(number blindly elbo)" 3
./blind train --steps 60 -q
cp blind.weights before
check refine_learns sh -c './blind infer data.bin --refine --steps 300 --json >refined'
check refine_is_better within "$(number refined elbo)" 3
check weights_stay cmp before blind.weights
check table_says_refined sh -c './blind infer data.bin --refine --steps 5 | grep -q "refined to this data set alone: 5 steps"'
check draws_say_refined sh -c './blind infer data.bin --refine --steps 5 --out d.csv -q && head -n 1 d.csv | grep -q ", refined$"'
check weights_of_draws_say_so sh -c './blind infer data.bin --refine --steps 5 --psis --out d.csv -q && head -n 1 d.csv | grep -q "refined, to be weighted by exp(log_weight)"'
refuses steps_need_refine 2 "expected  --refine --steps" ./blind infer data.bin --steps 5
refuses fit_needs_data 2 "fit needs a data file" ./blind fit

# Weights on the latents outside all plates: the evidence is the exact one, by any number of inner draws, and draws of
# instances are chosen with them.
evidence_of() { ./gre elbo data.bin --weights w "$@" --json | sed -n 's/.*"log_evidence": \([-0-9.e]*\),.*/\1/p'; }
./gre train --steps 40 --weights w -q
check inner_evidence within "$(evidence_of --inner 8)" 0.02
check inner_evidence_of_one_draw within "$(evidence_of --inner 1)" 0.02
check inner_answers sh -c './gre infer data.bin --weights w --psis --inner 8 --json >inner && ./gre infer data.bin --weights w --json >plain'
check inner_sd awk "BEGIN {r = $(posterior inner 'mu_g\[2,1\]' sd) / $(posterior plain 'mu_g\[2,1\]' sd); exit !(r > 0.88 && r < 1.14)}"
check inner_same_for_any_threads sh -c 'for j in 1 3; do ./gre infer data.bin --weights w --psis --inner 3 --json -j$j >t$j; done; cmp t1 t3'
refuses inner_needs_psis 2 "psis --inner 4" ./gre infer data.bin --weights w --inner 4

# Draws to be weighted are wider outside the plates; their weights take that back. Unweighted, the sd would be 17 % too large.
for how in "" --psis; do ./gre infer data.bin --weights w $how --draws 8000 --json >"mu$how"; done
check wider_draws_are_weighted_back awk "BEGIN {r = $(posterior mu--psis 'mu\[0\]' sd) / $(posterior mu 'mu\[0\]' sd); exit !(r > 0.96 && r < 1.04)}" # 2.5 errors of 1.6 %
check wider_draws_cost_little sh -c 'ess=$(sed -n "s/.*\"ess\": \([0-9]*\).*/\1/p" mu--psis); test "$ess" -gt 6800 && test "$ess" -lt 7900'

# A context of the data set, as stated: fits under different ones differ.
compile ps "$ROOT/examples/prior_scale.hbm"
data=$ROOT/examples/data/dyestuff.csv
refuses fit_needs_contexts 1 "context scale is not known" ./ps fit "$data"
mean_of() { ./ps fit "$data" --steps 60 --set "scale=$1" --json | sed -n 's/.*"sd_batch": {"mean": \([0-9.]*\),.*/\1/p'; }
check fit_minds_contexts sh -c "awk 'BEGIN {exit !($(mean_of 10) * 1.5 < $(mean_of 200))}'"
