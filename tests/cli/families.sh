# The families that are baselines: they train, say what they are, and refuse what they are not for.
. "$ROOT/tests/cli/common.inc"
elbo() { sed 's/.*"validation_elbo": \([-0-9.]*\).*/\1/' "$1"; }
# rises MODEL FAMILY EVIDENCE: of the validation sets of seed 1, at most so many nats in the mean (measured: no family is above)
rises() {
    compile "$1" --family="$2" "$ROOT/examples/$1.hbm"
    check "$2_trains_$1" sh -c "./$1 train --steps 3 -j 2 -q --json >first && ./$1 train --steps 400 -j 2 -q --json >last"
    awk "BEGIN { exit !($(elbo first) < $(elbo last) && $(elbo last) < $3) }" && echo "ok $2_rises_on_$1" ||
        echo "not ok $2_rises_on_$1: from $(elbo first) to $(elbo last), evidence $3"
}
rises nc mean-field -14.6
rises nc cascading -14.6
rises gre total-flow 240.95

# One flow over all instances is for one size.
refuses another_size_to_train 1 "plate group has 5 instances here, and in this program always 3" ./gre train --steps 5 -q --size group=5
check simulating_is_free ./gre simulate --size group=4 --out four.npz -q
refuses another_size_to_infer 1 "plate group has 4 instances here" ./gre infer four.npz
check info_says_so sh -c './gre info | grep -q "for one size of plates around latents"'
check check_works ./gre check --count 100 --draws 99 -q

# Plates that no latent stands in, nor around, have any size.
echo 'latent m ~ normal(0, 1); plate obs(2..40) { observed x ~ normal(m, 1); }' >free.hbm
check free_plates_are_free sh -c "'$ADAVIC' --family=total-flow --emit=ir:step free.hbm | grep -q 'axis obs : plate'"

for f in mean-field cascading total-flow; do
    check "help_explains_$f" sh -c "'$ADAVIC' --help | grep -q '^  $f '"
    check "analysis_names_$f" sh -c "'$ADAVIC' --family=$f --emit=analysis '$ROOT/examples/gre.hbm' | grep -q '^Factors of the family $f'"
    check "json_names_$f" sh -c "'$ADAVIC' --family=$f --emit=json '$ROOT/examples/nc.hbm' | grep -q '\"family\": *\"$f\"'"
done
check cascading_follows_the_prior sh -c "'$ADAVIC' --family=cascading --emit=analysis '$ROOT/examples/gre.hbm' | grep -q 'q(mu_g | mu; x)'"
