# Contexts: drawn in training, stated afterwards, on the command line or in the data.
. "$ROOT/tests/cli/common.inc"
compile ps "$ROOT/examples/prior_scale.hbm"
data=$ROOT/examples/data/dyestuff.csv

refuses train_draws_contexts 2 "draws context scale anew.*data set" ./ps train --set scale=3
check train ./ps train --steps 300 --quiet
refuses infer_without_it 1 "context scale is not known" ./ps infer "$data"
refuses infer_says_how 1 "expected  --set scale=X, or a column or an array named scale" ./ps infer "$data"
refuses unknown_context 2 "did you mean scale" ./ps infer "$data" --set scal=3
refuses context_must_be_positive 2 "a number above 0" ./ps infer "$data" --set scale=-3
refuses context_must_fit_a_float 2 "holds numbers in float" ./ps infer "$data" --set scale=1e300
refuses context_must_be_a_number 2 "expected  1 finite number" ./ps infer "$data" --set scale=3,4
refuses not_in_info 2 "infer has it" ./ps info --set scale=3

mean_of() { sed -n 's/.*"sd_batch": {"mean": \([0-9.]*\),.*/\1/p' "$1"; }
./ps infer "$data" --set scale=10 --json >narrow.json
./ps infer "$data" --set scale=200 --json >wide.json
check json_says_it grep -q '"contexts": {"scale": 200}}' wide.json
answer() { sed 's/"settings".*//' "$1"; } # without what was set
answer narrow.json >narrow
answer wide.json >wide
check the_prior_matters sh -c "awk 'BEGIN {exit !($(mean_of narrow) * 1.5 < $(mean_of wide))}'"
{ sed -n '1s/$/,scale/p' "$data"; sed '1d; s/$/,200/' "$data"; } >column.csv
check column_in_csv sh -c './ps infer column.csv --json | sed "s/\"settings.*//" >k && cmp k wide'
check the_option_wins sh -c './ps infer column.csv --set scale=10 --json | sed "s/\"settings.*//" >k && cmp k narrow'
sed '3s/200$/201/' column.csv >changes.csv
refuses column_must_not_change 1 "scale changes within an instance of the data set" ./ps infer changes.csv

# A warning outside what was trained alone.
check inside_the_range sh -c './ps infer "$1" --set scale=100 --draws 20 2>err >out && ! test -s err' - "$data"
check outside_the_range sh -c './ps infer "$1" --set scale=1e5 --draws 20 2>err >out &&
    grep -q "context scale is 100000 here, [0-9.]* to [0-9.e+]* in training" err' - "$data"

check simulate_draws_them sh -c './ps simulate --count 2 --out s.npz >out && grep -q "^scale  *[0-9.]" out'
check npz_holds_them ./ps elbo s.npz --draws 50
check simulate_sets_them sh -c './ps simulate --count 2 --set scale=7 --out s.npz >out && grep -q "^scale  *7  *7  *7$" out'
check bin_needs_the_option sh -c './ps simulate --count 1 --set scale=7 --out s.bin -q && ! ./ps infer s.bin && ./ps infer s.bin --set scale=7'
check check_at_one_value sh -c './ps check --count 100 --set scale=50 -q; test $? = 0 || test $? = 3'
check info_lists_them sh -c './ps info --json | grep -q "\"contexts\": {\"scale\": {\"plates\": \[\], \"dims\": \[\]}}"'
./ps train --steps 20 --threads 1 --quiet --weights one.weights
./ps train --steps 20 --threads 2 --quiet --weights two.weights
check same_weights_for_any_threads cmp one.weights two.weights

# A vector, with columns of its own; --paper reads contexts, too.
cat >vector.hbm <<'M'
context at[2] ~ normal(0, 1);
latent m ~ normal(at[0], 1);
plate k(3) { observed x ~ normal(m + at[1], 1); }
M
compile vector vector.hbm
check vector_is_timed ./vector bench --steps 2
check vector_trains ./vector train --steps 20 --quiet
printf 'x,at[0],at[1]\n1,0.5,2\n2,0.5,2\n3,0.5,2\n' >v.csv
printf 'x,at.1,at.2\n1,0.5,2\n2,0.5,2\n3,0.5,2\n' >dots.csv
printf 'x\n1\n2\n3\n' >none.csv
check vector_columns sh -c './vector infer v.csv --json | sed "s/\"settings.*//" >a && ./vector infer dots.csv --json | sed "s/\"settings.*//" >b && cmp a b'
check vector_option sh -c './vector infer none.csv --set at=0.5,2 --json | sed "s/\"settings.*//" >b && cmp a b'
refuses vector_advice 1 "at=X,Y,..." ./vector infer none.csv
compile paper --paper vector.hbm
check paper_trains sh -c './paper train --steps 20 --quiet && ./paper infer v.csv --draws 20'
