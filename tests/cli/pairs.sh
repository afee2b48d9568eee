# Data of two plates that cross, through every command; some pairs are absent.
. "$ROOT/tests/cli/common.inc"

# Scales are known: the guide is nearly exact from the start, so that evidences have errors of some hundredths.
cat >m.hbm <<'M'
latent mu ~ normal(0, 2);
plate person(8..16) { latent a ~ normal(mu, 1); }
plate item(3..8) from "question" { given hard ~ normal(0, 1); latent b ~ normal(0.5 * hard, 0.5); }
cross person, item (0.3..1) {
  given t ~ normal(0, 1);
  observed y ~ normal(a - b + 0.2 * t, 0.4);
}
M
compile m m.hbm
./m train --steps 10 --quiet
for kind in csv npz bin; do ./m simulate --seed 2 --size person=11 --size item=5 --out "d.$kind" -q; done
# Of absent pairs a table says nothing, others have their covariates, which guides see, if hardly.
elbo() { ./m elbo "$@" 2>/dev/null | awk 'NR == 2 { print $2 }'; }
all=$(elbo d.npz)
as_all() { awk -v x="$(elbo "$@")" -v y="$all" 'BEGIN { exit !(x - y < 0.02 && y - x < 0.02) }'; }
check the_same_from_a_table as_all d.csv
check the_same_from_numbers test "$(elbo d.bin --size item=5)/$(elbo d.bin --size person=11)" = "$all/$all"
gzip -k d.csv
check packed as_all d.csv.gz
array() { # COLUMN IF_EMPTY: of d.csv, by person and item
    awk -F, -v c="$1" -v none="$2" 'NR > 1 { x[$1, $2] = $c } END {
        for (i = 1; i <= 11; i++) for (j = 1; j <= 5; j++)
            printf "%s%s", (j > 1 ? ", " : i > 1 ? "], [" : "[["), (x[i, j] == "" ? none : x[i, j])
        print "]]" }' d.csv
}
hard=$(sed 1d d.csv | sort -t, -k2,2n -u | cut -d, -f3 | paste -sd,)
echo "{\"y\": $(array 5 null), \"t\": $(array 4 0), \"hard\": [$hard]}" >d.json
check the_same_from_json as_all d.json
refuses both_plates_are_open 1 "state it with --size item=N" ./m elbo d.bin
refuses no_size_of_pairs 2 "expected  --size person=N, or --size item=N" ./m simulate --size 'person*item=3' --out no.npz
refuses other_sizes 1 "5 instances of item, but 4 stated before" ./m elbo d.npz --size item=4
check sizes_of_both sh -c './m simulate --size item=7 --size person=9 --out s.npz -q && ./m elbo s.npz --json | grep -q "\"sizes\": {\"person\": 9, \"item\": 7}"'
refuses one_table_one_data_set 2 "a table holds one data set" ./m simulate --count 2 --out two.csv

# Absent pairs are no rows; a row without an outcome is predicted. Either key is a label.
cat >few.csv <<'D'
question,person,y,t,hard
q1,ann,1,0,0.5
q2,ann,0.5,1,1
q2,bob,,0,1
q3,bob,-1,1,-1
q1,cy,0,2,0.5
D
./m infer few.csv --json >out.json 2>err
check outside_of_training grep -q "plate person has 3 instances here, 8 to 16 in training" err
check keys sh -c 'grep -q "\"a\[1\]\": {[^}]*\"labels\": \[\"bob\"\]" out.json && grep -q "\"b\[2\]\": {[^}]*\"labels\": \[\"q3\"\]" out.json'
check counted sh -c './m infer few.csv 2>err >out && grep -q "^1 of 5 cells of y are missing" out && grep -q "^5 of 9 pairs of person and item are in the file" out'
./m predict few.csv --json >out.json 2>err
check predicted_rows test "$(grep -o '"y\[[^"]*"' out.json | tr -d '\n')" = '"y[0,0]""y[0,1]""y[1,1]""y[1,2]""y[2,0]"'
check an_empty_one_is_predicted grep -q '"y\[1,1\]": {"observed": null, [^}]*"labels": \["bob", "q2"\]' out.json
check columns_of_the_rows sh -c './m predict few.csv --out p.csv -q 2>err && grep -q "log_likelihood,y.1.1,y.1.2,y.2.2,y.2.3,y.3.1$" p.csv'
check labels_once grep -qx '# labels {"person": \["ann", "bob", "cy"\], "item": \["q1", "q2", "q3"\]}' p.csv
sed '$a q2,ann,0,0,1' few.csv >twice.csv
refuses a_pair_twice 1 "twice.csv:7:1: the pair occurs twice: person = ann, question = q2" ./m infer twice.csv
refuses what_to_do_about_it 1 "average or sum them up first" ./m infer twice.csv
cut -d, -f2-5 few.csv >keyless.csv
sed '4s/,1$/,2/' few.csv >changes.csv
refuses an_item_is_one_item 1 "changes.csv:4:5: hard changes within an instance of item" ./m infer changes.csv
refuses no_key_of_items 1 "keyless.csv:1: no column named question" ./m infer keyless.csv

check trained_for_it sh -c './m train --for d.csv --steps 5 --weights w -q && ./m elbo d.csv --weights w 2>err >out && ! grep -q warning err'
sed '/,$/d' d.csv >done.csv
cut -d, -f1-4 done.csv >plan.csv
check trained_for_its_pairs sh -c './m train --design plan.csv --steps 5 --weights w -q && ./m elbo done.csv --weights w 2>err >out && ! grep -q warning err'
check fitted sh -c './m fit few.csv --steps 5 | grep -q "^5 of 9 pairs"'
check refined ./m infer few.csv --refine --psis --steps 5
check run ./m run d.csv --steps 5 --weights w
check timed sh -c './m bench --steps 2 | grep -q "person = 11, item = 5; "'
check described sh -c './m info >out; grep -q "^cross     person, item  exchangeable" out && grep -q "^observed  y\[person = 11, item = 5\], cells may be missing" out && grep -q "one more item:" out'
./m info --json >out.json
check in_json grep -q '"person\*item": {"size": \[3, 8\], [^}]*"across": "item"' out.json
check sound sh -c './m check --count 100 >out; grep -q "^gradient .*: good" out'

# What loo says of an instance, the evidences of the data with it and without say, too.
evidence() { ./m elbo "$1" --draws 4000 --json 2>err | sed 's/.*"log_evidence": \([^,]*\),.*/\1/'; }
left_out() { # PLATE FIELD: of instance 3, what loo says is what the evidences of both files say
    awk -F, -v f="$2" '$f != 3' d.csv >less.csv
    ./m loo d.csv --by "$1" --json | sed 's/.*"label": "3", "elpd": \([^,]*\),.*/\1/' >elpd
    awk -v x="$(cat elpd)" -v a="$(evidence d.csv)" -v b="$(evidence less.csv)" 'BEGIN { d = x - a + b; exit !(d < 0.1 && d > -0.1) }'
}
check a_person_left_out left_out person 1
check an_item_left_out left_out item 2
refuses no_pair_left_out 2 "expected  --by person or --by item" ./m loo d.csv --by 'person*item'

# y of new and known ones: a - b + .2 t, of draws of a and b where they are known, else about mu and 0 with their sds.
as_it_is=$(echo "$hard" | cut -d, -f3)
printf 'question,person,t,hard\n3,zoe,1,%s\n3,2,1,%s\nnew,2,1,0\nnew,zoe,1,0\n' "$as_it_is" "$as_it_is" >new.csv
./m predict d.csv --new new.csv --draws 4000 --json >out.json
./m infer d.csv --draws 4000 --json >known.json
known() { posterior known.json "$1" mean; }
check pairs_of_new sh -c "grep -q '\"person\": {\"known\": 1, \"new\": 1}, \"item\": {\"known\": 1, \"new\": 1}' out.json"
near() { # NAME MINUEND SUBTRAHEND SD: mean within 4 standard errors (4000 draws) of their difference + .2, and sd below so much
    awk -v x="$(posterior out.json "$1" mean)" -v s="$(posterior out.json "$1" sd)" -v a="$2" -v b="$3" -v sd="$4" \
        'BEGIN { d = x - (a - b + 0.2); e = 4 * sd / sqrt(4000); exit !(d < e && d > -e && s < sd && s > 0.7 * sd) }'
}
check new_person_known_item near 'y\[0,0\]' "$(known mu)" "$(known 'b\[2\]')" 1.3
check known_pair near 'y\[1,0\]' "$(known 'a\[1\]')" "$(known 'b\[2\]')" 0.6
check known_person_new_item near 'y\[1,1\]' "$(known 'a\[1\]')" 0 0.8
check new_of_both near 'y\[0,1\]' "$(known mu)" 0 1.4
check says_what_is_new grep -q '"y\[1,1\]": {[^}]*"labels": \["2", "new"\], "new": "item"}' out.json
check old_rows_as_ever sh -c './m predict d.csv --out a.csv -q && ./m predict d.csv --new d.csv --out b.csv -q && cmp a.csv b.csv'

# Cells that may be missing are none of simulate's: it leaves out pairs alone, and here all of them have to be there.
cat >whole.hbm <<'END'
plate person(8..16) { latent a ~ normal(0, 1); }
plate item(3..8) from "item, no" { latent b ~ normal(0, 1); }
cross person, item { observed y ~ normal(a - b, 0.4) with missing; }
END
"$ADAVIC" whole.hbm -o whole || exit 1
whole_table() { # SEED: every pair has a row with an outcome, under a key whose name has to be in quotes
    ./whole simulate --seed "$1" --size person=11 --size item=5 --out whole.csv -q
    [ "$(wc -l <whole.csv)" = 56 ] && ! grep -q ',$' whole.csv && head -n 1 whole.csv | grep -q '^person,"item, no",y$'
}
for seed in 7 9 12; do check "whole_table_$seed" whole_table $seed; done
# A design says which pairs there are, not which of their outcomes will be missing.
awk -F, 'NR % 6 == 3 { print $1 "," $2 ","; next } { print }' whole.csv >holes.csv
check missing_as_trained sh -c './whole train --design whole.csv --steps 5 --weights ww -q && ./whole elbo holes.csv --weights ww 2>err >out && ! grep -q "share of cells" err'
