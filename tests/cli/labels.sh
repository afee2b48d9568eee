# Components that may be exchanged: the guide mixed over their orders, against evidences by quadrature.
. "$ROOT/tests/cli/common.inc"
cat >pair.hbm <<'END'
latent m[2] ~ normal(0, 3);
plate obs(8) {
  latent z ~ categorical([0.5, 0.5]);
  observed x ~ normal(m[z], 1);
}
quantity d = m[0] - m[1];
END
cat >sets.hbm <<'END'
plate set(2) {
  latent m[2] ~ normal(0, 3);
  plate obs(8) {
    latent z ~ categorical([0.5, 0.5]);
    observed x ~ normal(m[z], 1);
  }
}
END
far='3.1 3.9 4.2 2.8 -3.3 -2.6 -3.8 -2.9'
near='0.6 1.1 -0.4 0.9 -0.7 -1.2 0.3 -0.5'
csv() { echo obs,x; printf '%s\n' "$@" | awk '{ print NR "," $1 }'; }
csv $far >far.csv
csv $near >near.csv
{ echo set,obs,x; printf '%s\n' $far | awk '{ print "a," NR "," $1 }'; printf '%s\n' $near | awk '{ print "b," NR "," $1 }'; } >sets.csv

# log of the integral over both components, on a grid of 0.1
evidence() {
    printf '%s\n' "$@" | awk '{ x[NR] = $1 }
        END {
            for (a = -9; a < 9; a += 0.1) for (i = 1; i <= NR; i++) one[a, i] = exp(-(x[i] - a) ^ 2 / 2)
            for (a = -9; a < 9; a += 0.1) for (b = -9; b < 9; b += 0.1) {
                p = exp(-(a * a + b * b) / 18)
                for (i = 1; i <= NR; i++) p *= 0.5 * (one[a, i] + one[b, i])
                sum += p
            }
            pi = atan2(0, -1)
            printf "%.5f", log(sum * 0.1 ^ 2 / (2 * pi * 9)) - NR / 2 * log(2 * pi)
        }'
}
field() { grep -o "\"$1\": [-0-9.e]*" "$2" | sed 's/.*: //'; }
near_to() { awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { exit !(a - b <= most && b - a <= most) }' || { echo "$1 against $2"; false; }; }
minus() { awk "BEGIN { printf \"%.5f\", $1 - ($2) }"; }

e_far=$(evidence $far) e_near=$(evidence $near)
compile pair pair.hbm
./pair train --steps 400 --quiet
for data in far near; do
    ./pair elbo $data.csv --draws 4000 --json >$data.mixture
    ./pair elbo $data.csv --draws 4000 --json --labels one >$data.one
done
check evidence_of_modes_apart near_to "$(field log_evidence far.mixture)" "$e_far" 0.02
check evidence_of_modes_that_overlap near_to "$(field log_evidence near.mixture)" "$e_near" 0.08
check bound_below_the_evidence between "$(minus "$e_far" "$(field elbo far.mixture)")" 0 0.1
check one_mode_is_half between "$(minus "$e_far" "$(field elbo far.one)")" 0.693 0.8
check gain_where_apart near_to "$(minus "$(field elbo far.mixture)" "$(field elbo far.one)")" 0.6931 0.001
check gain_where_they_overlap between "$(minus "$(field elbo near.mixture)" "$(field elbo near.one)")" 0 0.2
check one_order_is_said_too near_to "$(field elbo_one_order far.mixture)" "$(field elbo far.one)" 0.0001
check said_in_words sh -c './pair elbo far.csv | grep -q "components in all 2 orders; in the one that the guide finds ELBO -"'

# Draws come in both orders, with log q of the mixture, and what follows from them follows.
numbers() { grep -v '^#' "$1" | tail -n +2; } # of a .csv of draws
export -f numbers
check one_order_for_reading bash -c './pair infer far.csv --out one.csv -q &&
    numbers one.csv | awk -F, "{ up += \$4 > \$5 } END { exit !(up == 0 || up == NR) }"'
check both_orders bash -c './pair infer far.csv --labels mixture --draws 2000 --out both.csv -q &&
    numbers both.csv | awk -F, "{ up += \$4 > \$5 } END { exit !(up > 0.44 * NR && up < 0.56 * NR) }"'
check probabilities_follow bash -c 'numbers both.csv | awk -F, "(\$4 > \$5) != (\$6 > \$7) { bad = 1 } END { exit bad || !NR }"'
check quantities_follow bash -c 'numbers both.csv | awk -F, "{ d = \$NF - (\$4 - \$5); bad += d * d > 1e-8 } END { exit bad || !NR }"'
check log_q_of_the_mixture bash -c './pair infer far.csv --draws 2000 --out one.csv -q &&
    paste -d, <(numbers one.csv) <(numbers both.csv) | awk -F, "{ n = NF / 2; d = \$1 - \$(n + 1) - log(2); bad += d * d > 1e-4 } END { exit bad > 0 }"'
check fitted_in_both_orders sh -c './pair fit far.csv --steps 20 --labels mixture --json | grep -q "\"labels\": \"mixture\""'

# In each instance by itself: the gain is that of each.
compile sets sets.hbm
./sets train --steps 400 --quiet
./sets elbo sets.csv --draws 4000 --json >sets.mixture
./sets elbo sets.csv --draws 4000 --json --labels one >sets.one
check evidence_of_instances near_to "$(field log_evidence sets.mixture)" "$(minus "$e_far" "-($e_near)")" 0.1
check gain_of_instances between "$(minus "$(field elbo sets.mixture)" "$(field elbo sets.one)")" 0.692 0.9

refuses no_such_way 2 "expected  one or mixture" ./pair elbo far.csv --labels two
refuses not_with_inner 2 "one of the two options" ./pair infer far.csv --psis --inner 4 --labels mixture
sed 's/set(2)/set(5)/' sets.hbm >wide.hbm
compile wide wide.hbm --family=total-flow --no-exact
refuses no_inverse 2 "no inverse in one pass" ./wide infer sets.csv --labels mixture
