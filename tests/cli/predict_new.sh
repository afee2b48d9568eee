# predict DATA --new FILE: the rows of another table, of groups that DATA has and of others.
. "$ROOT/tests/cli/common.inc"

# x about a with variance .09 + .16, a about mu, all scales known: of mu the posterior is N(2.72165, .257732), of g3's a
# N(3.228866, .040412). Observations have a latent of their own, known where a row has the key of one. A guide that is exact from the start; 4000 draws, so that means and sds are within 4 standard
# errors, but for one time in 1,600 (ten numbers); the seed is fixed.
cat >m.hbm <<'M'
latent mu ~ normal(0, 5);
plate group(4) {
  latent a ~ normal(mu, 1);
  plate obs(6) {
    latent e ~ normal(a, 0.3);
    observed x ~ normal(e, 0.4);
  }
}
M
compile m m.hbm
./m train --steps 1 --quiet
{ echo group,obs,x; for g in 1 2 3 4; do for o in 0 1 2 3 4 5; do echo "g$g,$o,$g.$o"; done; done; } >d.csv
printf 'group\nzz\ng3\nyy\nzz\n' >new.csv
predicted() { ./m predict d.csv --draws 4000 "$@"; }
predicted --new new.csv --json --out p.csv >out.json
check known_mean between "$(posterior out.json 'x\[1,0\]' mean)" 3.1948 3.2630
check known_sd between "$(posterior out.json 'x\[1,0\]' sd)" 0.5148 0.5630
check new_mean between "$(posterior out.json 'x\[0,0\]' mean)" 2.6439 2.7994
check new_sd between "$(posterior out.json 'x\[0,0\]' sd)" 1.1730 1.2829
check new_quantile between "$(posterior out.json 'x\[0,0\]' q95)" 4.56 4.92 # 2.72165 + 1.645 * 1.2279, and 4 of .041
spread() { # A B: sd of the difference of two columns
    grep -v '^[#l]' p.csv | awk -F, -v a="$1" -v b="$2" '{d = $a - $b; s += d; q += d * d} END {print sqrt(q / NR - (s / NR) ^ 2)}'
}
check columns_of_the_rows_there_are grep -q "^log_q,log_prior,log_likelihood,x.1.1,x.1.2,x.2.1,x.3.1$" p.csv
check rows_of_a_new_group_share_it between "$(spread 4 5)" 0.675 0.739   # sqrt(2 * .25)
check new_groups_differ between "$(spread 4 7)" 1.510 1.652              # sqrt(2 * 1.25)
check says_what_is_known sh -c './m predict d.csv --new new.csv >out && grep -qx "group: 1 known, 2 new: zz, yy" out && grep -qx "obs: 0 known, 4 new" out && grep -q "^x\[0,1\]  zz  new group  *missing" out'
check and_in_json grep -q '"plates": {"group": {"known": 1, "new": 2}, "obs": {"known": 0, "new": 4}}.*"x\[2,0\]": {"observed": null, [^}]*"labels": \["yy"\], "new": "group"}' out.json
check nothing_to_check sh -c '! grep -q "of all cells" out'

# DATA's own rows have DATA's own predictions, wherever they stand; outcomes are shown, and change nothing.
predicted --out same.csv -q
check rows_of_data sh -c './m predict d.csv --draws 4000 --new d.csv --out new_same.csv -q && cmp same.csv new_same.csv'
{ echo x,group; sed 1d d.csv | tac | awk -F, '{print NR % 2 ? 1000 * NR : "", $1}' OFS=,; } >back.csv
sed 1,7d d.csv | sed '1s/.*/group,obs,x/; /^g4,5/s/5,/6,/' >some.csv
check rows_by_key sh -c './m predict d.csv --new some.csv | grep -qx "obs: 16 known, 1 new: 6"'
cut -d, -f 1,3 d.csv >nameless.csv
check data_without_keys sh -c './m predict nameless.csv --new some.csv 2>err >out; grep -q "warning: nameless.csv has no column obs: every obs of some.csv is taken as a new one" err && grep -q "^x\[0,0\]  g2/1  new obs" out'
./m predict d.csv --draws 4000 --new back.csv --json >out.json
check in_another_order between "$(posterior out.json 'x\[1,5\]' mean)" 3.1948 3.2630
check outcomes_are_shown test "$(posterior out.json 'x\[0,0\]' observed)/$(posterior out.json 'x\[0,1\]' observed)" = 1000/null
check and_checked grep -q '"checks": {"x": {"mean": {"observed": 12000, ' out.json
check padding_in_npz sh -c './m predict d.csv --new new.csv --draws 5 --out p.npz -q && grep -aq "(5, 3, 2)" p.npz'

# Casks in batches of unequal numbers, each cask known by its key in its batch; arms by their name in DATA.
cat >nested.hbm <<'M'
latent mu ~ normal(0, 3);
latent effect[3] ~ normal(0, 2);
plate batch(3..6) {
  latent b ~ normal(mu, 1);
  plate cask(1..4) {
    latent c ~ normal(b, 0.3);
    plate assay(1..5) {
      given arm ~ category(3);
      observed y ~ normal(c + effect[arm], 0.1);
    }
  }
}
M
compile nested nested.hbm
./nested train --steps 1 --quiet
cat >n.csv <<'D'
batch,cask,arm,y
A,a,drug,1.0
A,a,none,3.1
A,b,none,3.5
A,b,drug,1.5
B,c,none,6.0
B,c,drug,4.1
C,a,drug,-1
C,a,none,1.1
D
cat >n_new.csv <<'D'
arm,cask,batch
none,a,A
none,z,A
drug,c,A
none,z,Q
drug,a,C
drug,a,A
D
./nested predict n.csv --new n_new.csv --draws 4000 --json >out.json 2>err
check cask_of_a_batch between "$(posterior out.json 'y\[0,0,0\]' mean)" 2.9 3.2
check its_sd between "$(posterior out.json 'y\[0,0,0\]' sd)" 0.1 0.2
check new_cask_of_a_known_batch between "$(posterior out.json 'y\[0,1,0\]' sd)" 0.3 0.55
check and_about_where_its_batch_is between "$(posterior out.json 'y\[0,1,0\]' mean)" 2.9 3.7
check a_key_is_one_within_its_batch grep -q '"y\[0,2,0\]": {[^}]*"labels": \["A", "c"\], "new": "cask"}' out.json
check new_batch sh -c 'grep -q "\"y\[1,0,0\]\": {[^}]*\"labels\": \[\"Q\", \"z\"\], \"new\": \"batch\"}" out.json && grep -q "\"batch\": {\"known\": 2, \"new\": 1}, \"cask\": {\"known\": 2, \"new\": 3}" out.json'
check has_the_spread_of_batches between "$(posterior out.json 'y\[1,0,0\]' sd)" 1 2.5
check same_key_in_another_batch between "$(posterior out.json 'y\[2,0,0\]' mean)" -1.2 -0.7
check arms_keep_their_numbers between "$(posterior out.json 'y\[0,0,1\]' mean)" 0.9 1.2
check unequal_in_csv sh -c './nested predict n.csv --new n_new.csv --draws 5 --out q.csv -q && grep -q "y.1.1.1,y.1.1.2,y.1.2.1,y.1.3.1,y.2.1.1,y.3.1.1$" q.csv'
printf 'batch,cask,arm\nA,a,other\n' >other.csv
check new_arm_is_said sh -c './nested predict n.csv --new other.csv --json >out.json 2>err && grep -q "other.csv:2:3: no arm is called other in the data: it is taken as category 2" err'
check new_arm_has_its_prior between "$(posterior out.json 'y\[0,0,0\]' sd)" 1.5 2.5

printf 'batch,cask\nA,a\n' >no_arm.csv
refuses no_covariate 1 "no column named arm" ./nested predict n.csv --new no_arm.csv
printf 'batch,arm\nA,drug\n' >no_key.csv
refuses no_key 1 "no column named cask" ./nested predict n.csv --new no_key.csv
printf 'batch,cask,arm\nA,a,other\nA,a,yet\n' >many.csv
refuses arm_too_many 1 "expected  3, and there are drug, none, other" ./nested predict n.csv --new many.csv
printf 'batch,cask,arm\nA,a,0\n' >number.csv
check a_number_is_a_name sh -c './nested predict n.csv --new number.csv 2>err >out; grep -q "no arm is called 0" err'
refuses no_table 1 "expected  DATA and --new FILE as .csv" ./m predict d.csv --new p.npz
refuses data_no_table 1 "p.npz: not a table" ./m predict p.npz --new d.csv
{ echo group; for i in $(seq 11999); do printf '%s\ng0\n' "$i"; done; } >skew.csv
refuses groups_too_unequal 1 "groups of plate obs are too unequal" ./m predict d.csv --new skew.csv
refuses no_file 1 "none.csv" ./m predict d.csv --new none.csv
cat >tied.hbm <<'M'
latent m ~ normal(0, 1);
plate g(3) { observed y ~ normal(m, 1 / g.size); }
M
compile tied tied.hbm
refuses size_of_a_plate 1 "the law of y reads all instances of plate g" ./tied predict d.csv --new d.csv

# A covariate of the whole data set that is another one for the new rows.
cat >dose.hbm <<'M'
latent slope ~ normal(0, 1);
given dose ~ lognormal(0, 1);
plate g(3) {
  latent a ~ normal(slope * dose, 1);
  observed y ~ normal(a, 1);
}
M
compile dose dose.hbm
./dose train --steps 2 --quiet
printf 'g,dose,y\na,1,2\nb,1,1\nc,1,0\n' >dose.csv
printf 'g,dose\na,3\nz,3\n' >dose_new.csv
check another_dose_is_said sh -c './dose predict dose.csv --new dose_new.csv --draws 20 2>err >out && grep -q "dose_new.csv: dose: 3, and 1 in dose.csv, under which its latents are known" err'
check the_same_dose_is_not sh -c 'sed "s/,3/,1/" dose_new.csv >same.csv; ./dose predict dose.csv --new same.csv --draws 20 2>err >out && ! grep -q dose: err'
