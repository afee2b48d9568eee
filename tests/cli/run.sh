# `run`, all in one, gives what the commands that it names give; `loo`, beside the closed form of a Gaussian model.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
hyper s_a = 0.2;
context noise ~ uniform(0.3, 1);
latent mu ~ normal(0, 1);
plate group(6) {
  latent a ~ normal(mu, s_a);
  plate obs(3) { observed x ~ normal(a, noise); }
}
plate single(5) { observed y ~ normal(mu, 1); }
M
compile m m.hbm
set="--set noise=0.5 --set s_a=0.7"
./m simulate --seed 4 $set --out d.bin -q

check run sh -c "./m run d.bin $set --steps 30 >run.txt 2>run.err"
check run_shows_training grep -q "^30 steps in .* weights in ./m.weights$" run.err
check run_says_what_it_did grep -q "^k-hat .* after training (trust up to 0.67): the draws are .*, as by infer" run.txt
as=$(sed -n 's/^k-hat .* as by //p' run.txt)
without_time() { sed '/^k-hat .* as by /d; s/, [0-9.]* s$//' "$1"; }
check run_keeps_weights sh -c "./m $as d.bin --set noise=0.5 >infer.txt"
without_time run.txt >run.table
without_time infer.txt >infer.table
check run_is_what_it_names cmp run.table infer.table
check run_trains_for_its_hypers sh -c './m info | grep -q "; s_a = 0.7"'
check run_in_json sh -c "./m run d.bin $set --steps 5 --json 2>err | grep -q '^{\"draws\": 1000, .*\"method\": ' && test ! -s err"
check run_keeps_draws sh -c "./m run d.bin $set --steps 5 -q --out draws.csv && grep -q '^log_q,.*mu' draws.csv"
./m simulate --count 2 --set noise=0.5 --out two.npz -q
refuses run_of_one_data_set 1 "training is for one data set, and here are 2" ./m run two.npz --set noise=0.5
refuses run_needs_contexts 1 "context noise is not known" ./m run d.bin --steps 2 --weights none/w -q
refuses run_knows_where_draws_go 2 "written as .npz or .csv" ./m run d.bin --set noise=0.5 --out x.txt
refuses run_needs_data 2 "run needs a data file" ./m run
refuses run_knows_its_settings 2 "no hyper or context nois" ./m run d.bin --set nois=1

# log p(y_g | the rest) of 6 groups of 3 and of 5 numbers: of the means of groups, normal about mu with variance v, and what
# is left within.
od -An -v -tf4 -w4 d.bin | awk '
    function log_normal(x, m, v) { return -0.5 * log(2 * pi * v) - (x - m) ^ 2 / (2 * v) }
    BEGIN { pi = atan2(0, -1); s2 = 0.25; v = 0.49 + s2 / 3 }
    { x[NR - 1] = $1 }
    END {
        for (g = 0; g < 6; g++) {
            for (k = 0; k < 3; k++) mean[g] += x[3 * g + k] / 3
            within[g] = -log(2 * pi * s2) - log(3) / 2
            for (k = 0; k < 3; k++) within[g] -= (x[3 * g + k] - mean[g]) ^ 2 / (2 * s2)
            sum += mean[g] / v
        }
        for (i = 18; i < 23; i++) sum += x[i]
        precision = 1 + 6 / v + 5
        for (g = 0; g < 6; g++) {
            p = precision - 1 / v
            print "group", within[g] + log_normal(mean[g], (sum - mean[g] / v) / p, v + 1 / p)
        }
        for (i = 18; i < 23; i++) print "single", log_normal(x[i], (sum - x[i]) / (precision - 1), 1 + 1 / (precision - 1))
    }' >exact
check exact_numbers sh -c 'test "$(grep -c "^group -*[0-9]" exact)" = 6 && test "$(grep -c "^single -*[0-9]" exact)" = 5'

near() { # PLATE: elpd of all its instances as in the closed form, and their sum
    ./m loo d.bin --set noise=0.5 --by "$1" --json >loo.json || return 1
    grep -o '"elpd": [^,]*' loo.json | awk -v plate="$1" '
        { got[NR - 2] = $2; n = NR - 1 }
        END {
            while ((getline line <"exact") > 0) {
                split(line, word, " ")
                if (word[1] == plate) { want[m++] = word[2]; total += word[2] }
            }
            for (g = 0; g < m; g++) if (!((got[g] - want[g]) ^ 2 < 0.02 ^ 2)) bad = 1
            exit bad || m != n || !((got[-1] - total) ^ 2 < 0.04 ^ 2)
        }'
}
check loo_of_groups near group
check loo_weights_draws sh -c '! grep -q "\"removed\": true" loo.json'
check loo_of_single_numbers near single
check loo_takes_out sh -c '! grep -q "\"removed\": false" loo.json'
check loo_table sh -c './m loo d.bin --set noise=0.5 --by group | grep -q "^elpd .* over 6 instances of group, Monte Carlo error"'
check loo_worst_first sh -c './m loo d.bin --set noise=0.5 --by group | sed -n "2,7p" | awk "{print \$2}" | sort -gc'
check loo_refined sh -c './m loo d.bin --set noise=0.5 --by group --refine --draws 500 | grep -q "^500 draws"'
refuses loo_needs_a_plate 2 "expected  --by group or --by single" ./m loo d.bin
refuses loo_of_inner_plates 2 "it stands in another plate" ./m loo d.bin --by obs
refuses loo_of_no_plate 2 "no such plate" ./m loo d.bin --by grp
refuses loo_of_one_data_set 1 "loo is of one data set, and here are 2" ./m loo two.npz --set noise=0.5 --by group
./m simulate --size single=1 --set noise=0.5 --out one.npz -q
refuses loo_needs_two_instances 1 "nothing is left without it" ./m loo one.npz --set noise=0.5 --by single
