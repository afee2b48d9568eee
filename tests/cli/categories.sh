# Observations that are one of several categories: simulated, read, checked; and where the guide starts.
. "$ROOT/tests/cli/common.inc"
cat >m.hbm <<'M'
latent c[3] ~ push(ordered, normal(0, 1));
latent slope ~ normal(0, 1);
plate judge(8) {
  given n ~ poisson(9);
  latent a ~ normal(0, 1);
  observed seen[2, 3] ~ multinomial_logit(n, [0, a, slope]);
  observed colour[2] ~ categorical_logit([0, a, slope]);
  plate wine(4) {
    given cold ~ bernoulli(0.5);
    observed bitter ~ ordered_logistic(a + slope * cold, c);
  }
}
M
# It knows what categories say: before training (one step) the mean gap of 25 data sets is far below a nat.
starts_near m 60
check train ./m train --steps 20 --quiet
check simulated_are_categories sh -c './m simulate --count 50 --out s.bin -q && ./m elbo s.bin --batch --draws 20 >/dev/null'
echo 'judge,wine,cold,colour[0],colour[1],n,"seen[0,0]","seen[0,1]","seen[0,2]","seen[1,0]","seen[1,1]","seen[1,2]",bitter' >d.csv
for judge in a b; do
    for wine in 1 2 3; do echo "$judge,$wine,0,2,0,9,2,4,3,0,9,0,$wine" >>d.csv; done
done
check csv ./m infer d.csv --draws 20
sed '3s/2$/4/' d.csv >high.csv
refuses csv_none_above 1 "high.csv:3:13: bitter is out of range" ./m infer high.csv
refuses csv_says_what_is 1 "a whole number from 0 to 3" ./m infer high.csv
sed '3s/2$/red/' d.csv >red.csv
refuses csv_no_text 1 "red.csv:3:13" ./m infer red.csv
sed 's/^b\(.*\),0,9,0/b\1,0,9,1/' d.csv >sum.csv
refuses csv_sums 1 "sum.csv:5:12: seen is out of range" ./m infer sum.csv
refuses csv_says_which_sum 1 "numbers whose sum is 9, not 10: which is n there" ./m infer sum.csv
