# The command `check` on compiled models: table, JSON, the same for any number of threads, exit status 3 where the
# guide is not good; and what training shows of the prior.
. "$ROOT/tests/cli/common.inc"
compile gre "$ROOT/examples/gre.hbm"
compile nc --no-exact "$ROOT/examples/nc.hbm"

refuses check_before_train 1 "train" ./gre check
refuses check_takes_no_file 2 "takes no file" ./gre check data.csv
check preview sh -c './gre train --steps 60 2>err && grep -q "^data by the prior .*5%.*95%" err && grep -q "^x\[1\] " err'
check no_preview_when_quiet sh -c './gre train --steps 2 -q --weights w 2>err && test ! -s err'
check no_preview_with_json sh -c './gre train --steps 2 --json --weights w 2>err >out && ! grep -q "by the prior" err'

# GRE's guide starts from the exact posterior of every mu_g, and is good after few steps; NC's, without the exact path, from nothing.
check good_guide sh -c './gre check --count 300 >table && grep -q "^mu_g .* good$" table && grep -q "^overall: " table'
check exact_where_gaussian sh -c 'grep -q "^exact posterior .*: good$" table && grep -q "^exact evidence .* over 8 data sets$" table'
check table_fits_the_screen sh -c 'sed "s/[^ -~]//g" table | awk "length > 100 {exit 1}"'
check same_for_any_threads sh -c './gre check --count 150 --json -j1 >a && ./gre check --count 150 --json -j3 >b && cmp a b'
check gradient_is_tested sh -c 'grep -q "\"gradient\": {\"errors\": {\"mu\": [0-9.e-]*, \"mu_g\": [0-9.e-]*}" a'
check other_size sh -c './gre check --count 100 --size group=5 --json | grep -q "\"mu_g\": {\"scalars\": 10,"'
./nc train --steps 2 -q
check not_exact_elsewhere sh -c './nc check --count 100 | grep -q "^gradient" && ! ./nc check --count 100 | grep -q "^exact"'
check poor_guide_is_status_3 sh -c './nc check --count 200 >bad; test $? = 3 && grep -q "^overall: bad" bad && grep -q "^  a: " bad'
if jq --version >/dev/null 2>&1; then
    check json_is_json sh -c 'jq -e ".latents.mu_g.coverage, .log_densities.log_prior.chi_square, .importance.ess" a'
else
    echo "skip json_is_json: jq is not here"
fi
