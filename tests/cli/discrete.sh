# A model with labels: they are drawn by `simulate`, and their probabilities are inferred.
. "$ROOT/tests/cli/common.inc"
compile two "$ROOT/tests/models/two_components.hbm"
{
    echo obs,x
    for i in 0 1 2 3 4 5 6 7 8 9; do echo "a$i,-1.$i"; echo "b$i,0.$i"; done
} >two.csv
check trains_without_skipped_steps sh -c './two train --steps 300 2>train.err && grep -q "(0 skipped)" train.err'

# x of b9 is 0.9, of a9 -1.9; the components are within 1 of 0.45 and -1.45
probable() { # ROW: the mean of that row of the table is above 0.9
    ./two infer two.csv | grep -F "$1" | awk -v label="${1##* }" '{for (i = 1; i <= NF; i++) if ($i == label) exit !($(i + 1) > 0.9)}'
}
check the_table_has_probabilities probable 'z[19] = 1  b9'
check of_the_other_value probable 'z[6] = 0  a3'
check long_plates_are_cut sh -c './two infer two.csv | grep -q "\.\.\. 25 more"'
check json_has_probabilities sh -c './two infer two.csv --json | grep -q "\"discrete\": {\"z\[0\] = 0\": {\"mean\": 0\.[0-9]*, .*\"labels\": \[\"a0\"\]}"'
check draws_have_probabilities sh -c './two infer two.csv --draws 5 --out d.csv -q && grep -v "^#" d.csv | sed -n 1p | grep -q ",z.1.1,z.1.2,z.2.1," &&
    tail -n 1 d.csv | awk -F, "{s = \$7 + \$8; exit !(s > 0.9999 && s < 1.0001)}"'
check info_lists_it sh -c './two info --json | grep -q "\"discrete\": {\"z\": {\"plates\": \[\"obs\"\]" && ./two info | grep -q "z *summed"'

# `simulate` draws labels, one number for each instance; what it writes can be inferred.
check labels_are_simulated sh -c './two simulate --count 3 --out s.npz | grep -q "^z  *0  *[01]  *1$" && ./two infer s.npz --json >s.json &&
    [ "$(grep -ao "(3, 20)" s.npz | wc -l)" = 2 ]'
check elbo_sums_them_out sh -c './two elbo s.npz --json | grep -q "\"elbo\": -"'
check check_says_nothing_of_labels sh -c './two check --count 100 >check.txt; grep -q "^m " check.txt && ! grep -q "^z" check.txt'

# A label outside all plates chooses where the latents of a plate lie.
cat >global.hbm <<'M'
latent m[2] ~ normal([-3, 3], 1);
latent z ~ bernoulli(0.3);
plate g(2..6) {
  latent a ~ normal(m[z], 0.2);
  plate o(2..9) { observed x ~ normal(a, 0.5); }
}
M
check label_above_a_location sh -c '"$ADAVIC" --emit=ir:step global.hbm | grep -q "output \"loss\""'
