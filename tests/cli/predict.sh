# The command predict: predictive draws of all cells beside what was observed, and checks of the whole.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
latent mu ~ normal(0, 5);
plate group(4) {
  latent a ~ normal(mu, 1);
  plate obs(6) {
    observed x ~ normal(a, 0.5) with missing;
  }
}
observed n ~ poisson_log(mu);
M
compile m m.hbm
./m train --steps 20 --quiet
{
    echo group,x,n
    for g in 1 2 3 4; do for o in 0 1 2 3 4 5; do echo "g$g,$g.$o,9"; done; done
} | sed '3s/,1[.]1,/,,/; 16s/,3[.]2,/,NA,/' >d.csv
check predict sh -c './m predict d.csv >out && grep -q "^x\[0,1\]  g1  *missing " out && grep -q "^n  *9 " out'
check missing_cells_come_first sh -c 'test "$(grep -c "missing" out)" = 2 && grep -q "^x\[2,2\]  g3  *missing" out && grep -q "... 22 more" out'
./m predict d.csv --json >out.json
# given its group's other cells, 1.0 and 1.2 to 1.5, x is about 1.3 with an sd of .5 and a little
check predicted_mean between "$(posterior out.json 'x\[0,1\]' mean)" 1.1 1.5
check predicted_sd between "$(posterior out.json 'x\[0,1\]' sd)" 0.5 0.62
check what_is_missing_is_null test "$(posterior out.json 'x\[0,1\]' observed)" = null
check labels sh -c 'grep -q "\"x\[3,5\]\": {\"observed\": 4.5, .*\"labels\": \[\"g4\"\]}" out.json'
check checks_of_each sh -c 'for t in mean sd min max; do grep -q "^$t of x  *[-0-9.]" out || exit 1; done; grep -q "^mean of n  *9 " out; ! grep -q "^sd of n" out'
check checks_are_of_what_is_there sh -c 'grep -q "\"checks\": {\"x\": {\"mean\": {\"observed\": 2.8045" out.json'
# Rows of the future: a new group, of which nothing is measured, has the law of groups (sd 1) about mu (+- .5) and noise.
{ cat d.csv; for o in 0 1 2 3 4 5; do echo "new,,9"; done; } >new.csv
./m predict new.csv --json >out.json 2>err
check a_new_group_is_predicted between "$(posterior out.json 'x\[4,0\]' sd)" 1.1 1.5
check about_what_all_have_in_common between "$(posterior out.json 'x\[4,0\]' mean)" 2 3.2
sed '$s/4.5/40/' d.csv >outlier.csv
./m predict outlier.csv --json >out.json 2>err
check an_outlier_shows sh -c 'sed -n "s/.*\"max\": {\"observed\": 40, [^}]*\"above\": \([0-9.]*\)}.*/\1/p" out.json | grep -qx 0'
./m predict d.csv --threads 1 --json | sed 's/"settings.*//' >one
check same_for_any_threads sh -c './m predict d.csv --threads 2 --json | sed "s/\"settings.*//" | cmp - one'
check draws_in_npz sh -c './m predict d.csv --out p.npz -q && unzip -l p.npz 2>/dev/null | grep -q x.npy || grep -q x.npy p.npz'
check draws_in_csv sh -c './m predict d.csv --draws 30 --out p.csv -q && test "$(grep -vc "^#" p.csv)" = 31 && grep -q "^log_q,log_prior,log_likelihood,x.1.1,.*,x.4.6,n$" p.csv'
check weighted sh -c './m predict d.csv --psis --out w.csv | grep -q reweighted && grep -q "log_likelihood,log_weight,x.1.1" w.csv'
# the array is one float, behind its name and a header of 128 bytes
steps_in() { tail -c +$(($(grep -abo steps_on_data.npy "$1" | head -n 1 | cut -d: -f1) + 146)) "$1" | head -c 4 | od -An -f | tr -d ' '; }
check refined ./m predict d.csv --refine --steps 200 --draws 50 --out refined.npz
check says_how_many_steps test "$(steps_in refined.npz)" = 200
check several_sets sh -c './m simulate --count 3 --out s.npz -q && ./m predict s.npz --draws 50 | grep -c "^data set" | grep -qx 3'
refuses no_fit_for_steps 2 "expected  --refine --steps" ./m predict d.csv --steps 5
refuses no_such_file 1 "none.csv" ./m predict none.csv
refuses other_kinds_of_files 2 "written as .npz or .csv" ./m predict d.csv --out p.txt
cat >pair.hbm <<'M'
latent m ~ normal(0, 1);
plate obs(4) {
  latent j ~ bernoulli(0.5);
  latent k ~ categorical([[0.2, 0.8], [0.5, 0.5]][j]);
  observed x ~ normal(m + j + k, 0.5);
}
M
compile pair pair.hbm
./pair train --steps 5 -q
printf 'x\n1\n2\n1\n1\n' >pair.csv
refuses labels_that_hang_on_each_other 1 "discrete latents of this model depend on each other" ./pair predict pair.csv
