# Covariates: part of every data file, whatever its format, and checked as what is observed is.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
latent b ~ normal(0, 1);
latent e[3] ~ normal(0, 1);
given dose ~ lognormal(0, 1);
plate group(3) {
  given w[2] ~ normal(0, 1);
  latent a ~ normal(b * w[0] + w[1], dose);
  plate obs(2) {
    given se ~ uniform(0.5, 2);
    given t = obs.index;
    given arm ~ category(3);
    observed x ~ normal(a + b * t + e[arm], se);
  }
}
M
compile m m.hbm
check simulate_shows_them sh -c './m simulate --count 1 --out s.npz >out && grep -q "^t  *0  *1  *1$" out'
check train ./m train --steps 20 --quiet
./m simulate --count 1 --out s.bin -q
check bin_holds_them_behind_the_observed sh -c 'test "$(stat -c %s s.bin)" = $((4 * (6 + 1 + 6 + 6 + 6 + 6)))'
answer() { ./m infer "$1" --draws 50 --json | sed 's/"settings.*//'; }
answer s.npz >npz
check same_from_bin sh -c './m infer s.bin --draws 50 --json | sed "s/\"settings.*//" >bin && cmp npz bin'
check bin_solves_a_size sh -c './m simulate --size group=5 --count 1 --out five.bin -q && ./m infer five.bin --draws 20'
dd if=s.bin of=short.bin bs=4 count=30 status=none
refuses bin_of_another_length 1 "then w\[group = 3, 2\]" ./m infer short.bin

printf 'group,x,dose,w[0],w[1],arm,se,t\na,1,1,.5,2,0,1,0\na,2,1,.5,2,2,2,1\nb,0,1,1,1,0,1,0\nb,1,1,1,1,1,1,1\n' >d.csv
check csv ./m infer d.csv --draws 20
sed '3s/,2,2,2,1$/,3,2,2,1/' d.csv >varies.csv
refuses csv_outer_ones_are_constant 1 "varies.csv:3:5: w changes within an instance of group" ./m infer varies.csv
sed '3s/^a,2,1/a,2,4/' d.csv >dose.csv
refuses csv_root_ones_are_constant 1 "dose changes within an instance of the data set" ./m infer dose.csv
cut -d, -f1-6,8 d.csv >lacks.csv
refuses csv_needs_the_column 1 "no column named se" ./m infer lacks.csv
refuses csv_says_what_for 1 "a column per covariate" ./m infer lacks.csv
sed '2s/,1,0$/,NA,0/' d.csv >missing.csv
refuses csv_none_is_missing 1 "missing.csv:2:7: a value of se is missing" ./m infer missing.csv
sed '2s/,1,0$/,-1,0/' d.csv >negative.csv
refuses csv_of_scales_are_positive 1 "negative.csv:2:7: se is out of range" ./m infer negative.csv
check csv_others_are_free sh -c 'sed "2s/,1,0$/,1,-7/" d.csv >free.csv && ./m infer free.csv --draws 20 2>err && grep -q "the spread of t is" err'
check designed_like_training sh -c './m simulate --count 3 --seed 5 --out t.npz -q && ./m elbo t.npz --draws 20 2>err && ! grep -q " of t is" err'

# Categories: numbers, or labels in the order in which they appear.
sed 's/,0,\(.,.\)$/,placebo,\1/; s/,2,\(.,.\)$/,low dose,\1/; s/,1,\(.,.\)$/,high dose,\1/' d.csv >arms.csv
sed 's/,2,\(.,.\)$/,one,\1/; s/,1,\(.,.\)$/,2,\1/; s/,one,/,1,/' d.csv >arms_by_number.csv
answer arms_by_number.csv >numbers
check csv_labels_are_numbered sh -c './m infer arms.csv --draws 50 --json | sed "s/\"settings.*//; s/, \"categories.*]}//" >labels && cmp numbers labels'
check csv_labels_are_shown sh -c './m infer arms.csv --draws 50 | grep -q "^arm: 0 is placebo, 1 is low dose, 2 is high dose$"'
check csv_labels_in_json sh -c './m infer arms.csv --draws 50 --json | grep -q "\"categories\": {\"arm\": \[\"placebo\", \"low dose\", \"high dose\"\]}"'
sed '4s/placebo/none/' arms.csv >four.csv
refuses csv_too_many_labels 1 "four.csv:5:6: one category of arm too many" ./m infer four.csv
sed '2s/,0,1,0$/,3,1,0/' d.csv >three.csv
refuses csv_no_such_category 1 "a whole number from 0 to 2" ./m infer three.csv

check fit_takes_them sh -c './m fit d.csv --steps 30 --draws 50 --quiet'
check refined ./m infer d.csv --refine --draws 50
check checked sh -c './m check --count 100 -q; test $? = 0 || test $? = 3'
check timed ./m bench --steps 2
check info_lists_them sh -c './m info --json | grep -q "\"given\": {\"dose\": {\"plates\": \[\], \"dims\": \[\]}, \"w\": {\"plates\": \[\"group\"\], \"dims\": \[2\]}"'
refuses they_are_not_set 2 "no hyper or context se" ./m simulate --set se=1 --count 1
./m train --steps 10 --threads 1 --quiet --weights one.weights
./m train --steps 10 --threads 2 --quiet --weights two.weights
check same_weights_for_any_threads cmp one.weights two.weights

# Training for a file: every other step is on data near its own, here far from what the prior expects.
printf 'group,x,dose,w[0],w[1],arm,se,t\na,20,1,.5,2,0,1,0\na,-12,1,.5,2,2,2,1\nb,10,1,1,1,0,1,0\nb,11,1,1,1,1,1,1\n' >far.csv
./m train --for far.csv --steps 40 --threads 1 --quiet --log near.jsonl --weights near.weights
./m train --for far.csv --steps 40 --threads 2 --quiet --weights near2.weights
check near_for_any_threads cmp near.weights near2.weights
check near_every_other_step sh -c 'sed -n "s/.*\"step\": \([0-9]*\), \"loss\": \([0-9.e+-]*\),.*/\1 \2/p" near.jsonl | \
    awk "{ n[\$1 % 2]++; sum[\$1 % 2] += \$2 } END { exit !(n[0] == 20 && n[1] == 20 && sum[1] > 40 * 20 && sum[0] < 15 * 20) }"'
check near_is_no_news sh -c './m infer far.csv --weights near.weights --draws 20 2>err && ! test -s err'
cut -d, -f1,3- far.csv >design.csv
./m train --design design.csv --steps 40 --quiet --log prior.jsonl --weights design.weights
./m train --design far.csv --steps 40 --quiet --weights design2.weights
check design_reads_no_outcomes cmp design.weights design2.weights
check design_is_the_prior sh -c '! grep -q "\"loss\": [0-9]\{3\}" prior.jsonl && ./m infer far.csv --weights design.weights --draws 20 2>&1 | grep -q "spread of x"'
check design_takes_covariates sh -c '! cmp -s design.weights one.weights && ./m info --weights design.weights | grep -q "group.* 2"'
refuses for_needs_outcomes 1 "no column named x" ./m train --for design.csv --steps 5
refuses design_or_for 1 "expected  one of them" ./m train --for far.csv --design far.csv --steps 5

check drawn sh -c '"$ADAVIC" --emit=dot m.hbm >m.dot && grep -q "\"q:w\" -> \"e:group\"" m.dot && grep -q "\"q:dose\" -> \"e:\"" m.dot'

# Real data beside known answers: lme4's 251.4 and 10.47 with errors of 6.8 and 1.5, and the posterior of eight
# schools (mu 4.4, tau 3.6). A short training is as near as this; Monte Carlo errors are a tenth of the bounds.
compile sleepstudy "$ROOT/examples/sleepstudy.hbm"
./sleepstudy train --steps 50 --quiet
./sleepstudy infer "$ROOT/examples/data/sleepstudy.csv" --json >sleep.json 2>err
check sleepstudy_without_a_warning sh -c '! grep -q "in training" err'
check sleepstudy_intercept between "$(posterior sleep.json 'm\[0\]' mean)" 249 254
check sleepstudy_slope between "$(posterior sleep.json 'm\[1\]' mean)" 9.9 11
check sleepstudy_noise between "$(posterior sleep.json sigma mean)" 25 26.5
compile eight "$ROOT/examples/eight_schools.hbm"
./eight train --steps 200 --quiet
./eight infer "$ROOT/examples/data/eight_schools.csv" --json >eight.json
check eight_schools_mu between "$(posterior eight.json mu mean)" 3.7 5
check eight_schools_tau between "$(posterior eight.json tau mean)" 2.9 4.3

# train --for: sizes and covariates of the file instead of the design's. Covariates that are the same in all data sets leave
# validation sets alike in them; other data are warned about.
sed 's/^\([ab]\),\([0-9]\),1,/\1,\2,9,/' d.csv >far.csv
check train_for_a_file ./m train --steps 20 --quiet --for d.csv --weights for.weights
check sizes_of_the_file sh -c './m info --weights for.weights | grep -Eq "group( =)? *2"'
check info_names_them sh -c './m info | grep -q "^given  *se"'
check its_own_data_are_known sh -c '! ./m infer d.csv --weights for.weights --draws 20 2>&1 >/dev/null | grep -q "dose"'
check other_covariates_are_not sh -c './m infer far.csv --weights for.weights --draws 20 2>&1 >/dev/null | grep -q "dose"'
refuses for_what_is_no_file 1 "cannot" ./m train --for none.csv
refuses for_data_that_do_not_fit 1 "no column named se" ./m train --for lacks.csv
