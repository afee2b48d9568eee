# `adavic init`: what docs/howto/start-from-data.md shows is what it writes, its models compile, and what is wrong is said.
. "$ROOT/tests/cli/common.inc"
page=$ROOT/docs/howto/start-from-data.md
cp "$ROOT"/examples/data/*.csv .

# ---- the page: blocks that begin with the command, and all that it prints ----
mkdir shown
awk '/^```$/ {inside = !inside; first = inside; next}
     inside && first {command = sub(/^\$ adavic init /, ""); first = 0; if (command) {n++; print > ("shown/" n ".command")}; next}
     inside && command {print > ("shown/" n ".expected")}' "$page"
for command in shown/*.command; do
    shown=${command%.command}
    printf '"$ADAVIC" init %s' "$(cat "$command")" >run.sh
    check "page_$(basename "$shown")" sh -c 'sh run.sh >got 2>&1; diff got "$0.expected"' "$shown"
    if head -n 1 "$shown.expected" | grep -q '^//'; then
        cp "$shown.expected" model.hbm
        check "model_$(basename "$shown")_goes_through" sh -c 'test -z "$("$ADAVIC" --emit=ir:step model.hbm 2>&1 >step.ir)" && test -s step.ir'
    fi
done
check page_has_models sh -c 'test "$(ls shown/*.command | wc -l)" -ge 6'

# ---- from the file to its posterior ----
check to_a_file "$ADAVIC" init pastes.csv 'strength ~ (1 | batch/cask)' -o paste.hbm
refuses no_file_is_replaced 1 "paste.hbm is there already" "$ADAVIC" init pastes.csv 'strength ~ 1' -o paste.hbm
compile paste paste.hbm
check trains_for_its_file ./paste train --for pastes.csv --steps 5 --quiet
check infers_its_file sh -c './paste infer pastes.csv --draws 100 --json | grep -q "\"r_cask\[9,2\]\".*\"labels\": \[\"J\", \"c\"\]"'

# ---- what a formula may hold: the model is sound, and has these lines ----
cat >trial.csv <<'END'
Subject;visit;arm;dose;n;y;sick;a group
s1;1;placebo;0,5;10;3;0;1
s1;2;placebo;2;12;4;1;2
s2;1;drug;1,5;9;7;1;1
s2;2;drug;4;11;;0;2
s3;1;both;0,1;10;2;0;3
s3;2;both;5;14;12;1;4
END
table=trial.csv
has() { # NAME ARGS... -- LINES: of the model of $table, without comments
    local name=$1 args=()
    shift
    while [ "$1" != -- ]; do args+=("$1"); shift; done
    shift
    "$ADAVIC" init "$table" "${args[@]}" >model.hbm 2>model.err || cat model.err
    "$ADAVIC" --emit=analysis model.hbm >/dev/null 2>>model.err || cat model.err
    sed 's, *//.*,,' model.hbm >code
    for line; do grep -qxF -- "$line" code || echo "lacks: $line"; done >lacks
    if [ -s lacks ] || ! [ -s code ]; then
        echo "not ok $name"
        sed 's/^/  | /' lacks model.err code
    else echo "ok $name"
    fi
}
has factors 'y ~ arm*dose + (1 | subject)' --family poisson -- 'latent b_arm_both_dose ~ normal(0, 0.492);' \
    '  given arm ~ category(3);' 'plate Subject(3) {' '    observed y ~ poisson_log(eta) with missing;'
has no_intercept 'y ~ 0 + arm + (0 + dose | subject)' --family negbinomial -- 'latent b_arm_placebo ~ normal(1.74, 1.5);' \
    '  latent r_Subject ~ normal(0, sd_Subject);' 'latent phi ~ gamma(2, 0.1);'
has offset 'y ~ log(dose) + offset(log(n)) + (1 | subject)' --family poisson -- \
    '    observed y ~ poisson_log(r_Subject + b_log_dose * log(dose) + log(n)) with missing;' '    given n ~ lognormal(2.385, 0.162);'
has uncorrelated 'sick ~ dose + (dose || subject)' --family=bernoulli -- '  latent r_Subject_intercept ~ normal(intercept, sd_Subject_intercept);' \
    '  latent r_Subject_dose ~ normal(b_dose, sd_Subject_dose);'
has student 'y ~ visit + (1 | subject)' --family student -- '    given visit = 1 + obs.index;' \
    '    observed y ~ student_t(1 + excess, r_Subject + b_visit * visit, sigma) with missing;'
has trials 'y | trials(20) ~ 1' -- '  observed y ~ binomial_logit(20, intercept) with missing;' 'plate obs(6) {'
has quoted_group 'y ~ dose + (1 | `a group`)' --amortise -- 'plate a_group(2..8) from "a group" {' '  plate obs(1..4) {'
has only_combinations 'y ~ (1 | arm:visit)' --family poisson -- 'plate arm(3) {' '  plate visit(2) {' '    latent r_visit ~ normal(intercept, sd_visit);'
has column_and_group 'y ~ visit + (1 | visit)' -- 'plate visit_group(2) from "visit" {' '  given visit ~ normal(1.5, 0.707);'

# Two groupings that cross, a row for each pair: two plates and their cross.
has cross 'y ~ (1 | Subject) + (1 | visit)' --family poisson -- 'plate Subject(3) {' '  latent r_Subject ~ normal(intercept, sd_Subject);' \
    'plate visit(2) {' '  latent r_visit ~ normal(0, sd_visit);' 'cross Subject, visit {' '  observed y ~ poisson_log(r_Subject + r_visit) with missing;'
cat >crossed.csv <<'END'
rater,item,age,hard,kind,minutes,score
a,x,30,0.5,word,2,1
a,y,30,1.5,sum,3,2.5
a,z,30,2.5,word,9,0.5
b,x,41,0.5,word,4,1.2
b,y,41,1.5,sum,1,2.9
c,z,25,2.5,word,5,0
c,y,25,1.5,sum,6,1.6
d,x,33,0.5,word,9,0.2
d,z,33,2.5,word,4,1
END
table=crossed.csv
has cross_lacks_pairs 'score ~ age + hard + minutes + (1 + minutes || rater) + (1 | item)' -- '  given age ~ normal(32.25, 6.7);' \
    '  latent r_rater_intercept ~ normal(intercept + b_age * (age - 30), sd_rater_intercept);' '  latent r_rater_minutes ~ normal(b_minutes, sd_rater_minutes);' \
    '  given hard ~ normal(1.5, 1);' '  latent r_item ~ normal(b_hard * hard, sd_item);' 'cross rater, item (0.52..1) {' \
    '  given minutes ~ normal(4.78, 2.82);' '  observed score ~ normal(r_rater_intercept + r_rater_minutes * minutes + r_item, sigma);'
has cross_of_lines 'score ~ minutes + (minutes | item) + (minutes | rater)' -- 'plate item(3) {' \
    '  latent r_item[2] ~ multi_normal_cholesky([intercept, b_minutes], diag(sd_item) @ L_item);' \
    '  latent r_rater[2] ~ multi_normal_cholesky([0, 0], diag(sd_rater) @ L_rater);' \
    '  let mu = r_item[0] + r_item[1] * minutes + r_rater[0] + r_rater[1] * minutes;'
has cross_of_a_slope 'score ~ 0 + minutes + (0 + minutes | item) + (1 | rater)' --family student -- '  latent r_item ~ normal(b_minutes, sd_item);' \
    '  latent r_rater ~ normal(0, sd_rater);' '  observed score ~ student_t(1 + excess, r_item * minutes + r_rater, sigma);'
has cross_products 'score ~ age:hard + hard:minutes + kind + (1 | rater) + (1 | item)' -- '  latent r_rater ~ normal(intercept, sd_rater);' \
    '  latent r_item ~ normal(b_kind_sum * (kind == 1 ? 1 : 0), sd_item);' '  let mu = r_rater + b_age_hard * (age - 30) * hard + b_hard_minutes * hard * minutes + r_item;'
has cross_of_ranges 'score ~ (1 | rater) + (1 | item)' --amortise -- 'plate rater(2..8) {' 'plate item(2..6) {'
table=trial.csv
check crossed_model "$ADAVIC" init crossed.csv 'score ~ hard + (1 | rater) + (1 | item)' -o crossed.hbm
check absent_pairs_are_counted grep -q "^cross rater, item (0.52..1) { *// 9 of 12 pairs are in the file\$" crossed.hbm
compile crossed crossed.hbm
check cross_is_inferred sh -c './crossed train --for crossed.csv --steps 3 --quiet && ./crossed infer crossed.csv --draws 50 --json | grep -q "\"r_item\[2\]\".*\"labels\": \[\"z\"\]"'
# A grouping that is a covariate, too, with which effects of the other one go.
check cross_with_a_covariate "$ADAVIC" init sleepstudy.csv 'reaction ~ days + (days | subject) + (1 | days)' -o days.hbm
check its_column_twice sh -c 'grep -qx "plate days_group(10) from \"days\" {" days.hbm && grep -qx "  given days ~ normal(4.5, 3.03);" days.hbm'
check cross_about_0 "$ADAVIC" init crossed.csv 'score ~ 0 + (1 | rater) + (1 | item)' -o about_0.hbm
check its_effects_about_0 test "$(grep -c "latent r_.* ~ normal(0, sd_" about_0.hbm)" = 2
for model in days about_0; do
    check "cross_goes_through_$model" sh -c 'test -z "$("$ADAVIC" --emit=ir:step "$0.hbm" 2>&1 >step.ir)" && test -s step.ir' $model
done

# Where pairs have several rows, or beside a grouping more: a vector of effects, from which a category picks.
awk 'NR == 1 { print $0 ",room"; next } { print $0 ",u" } END { print "a,x,30,0.5,word,7,1.1,v" }' crossed.csv >repeated.csv
for formula in "score ~ (1 | rater) + (1 | item)" "score ~ (1 | rater) + (1 | room) + (1 | item)"; do
    check "vector_of_${formula//[!a-z]/}" sh -c '"$ADAVIC" init repeated.csv "$0" >vector.hbm && "$ADAVIC" --emit=analysis vector.hbm >/dev/null && grep -q "^latent r_item\[3\] ~ normal(0, sd_item);" vector.hbm' "$formula"
done
table=pastes.csv
has vector_in_the_rows 'strength ~ (1 | batch) + (1 | cask)' -- 'latent r_cask[3] ~ normal(0, sd_cask);' '  latent r_batch ~ normal(intercept, sd_batch);' \
    '    given cask ~ category(3);' '    observed strength ~ normal(r_batch + r_cask[cask], sigma);'
table=trial.csv
check crossing_by_text grep -q "given item ~ category(3); *// 0 x, 1 y, 2 z" vector.hbm

# Functions of a column: what they are called, and a law of the column that stays where they are numbers.
has square 'n ~ visit + I(visit^2)' --family poisson -- 'latent b_visit_2 ~ normal(0, 0.609);' \
    '  observed n ~ poisson_log(intercept + b_visit * visit + b_visit_2 * visit^2);'
has logarithms 'n ~ log(sick + 1) + log2(visit)' --family poisson -- '  given sick ~ uniform(0, 1);' \
    '  let eta = intercept + b_log_sick_1 * log(sick + 1) + b_log2_visit * log(visit) / log(2);'
has scaled 'n ~ scale(visit)' --family poisson -- 'latent b_scale_visit ~ normal(0, 1);' \
    '  observed n ~ poisson_log(intercept + b_scale_visit * (visit - 1.5) / 0.5477225575);'
has precedence 'n ~ I(2 * (visit - 1)^2 / (-visit))' --family poisson -- '  observed n ~ poisson_log(intercept + b_2_visit_1_2_visit * 2 * (visit - 1)^2 / -visit);'
has up_to_two 'sick ~ (dose + visit)^2' --family=bernoulli -- 'latent b_dose_visit ~ normal(0, 0.604);'

# The formula stands in a comment, however long it is.
cat >wide.csv <<'END'
outcome_of_trial,first_covariate,second_covariate,third_covariate,fourth_covariate
1,1,3,2,0.1
2,2,1,5,0.4
4,3,4,1,0.2
3,4,2,2,0.9
7,5,1,4,0.3
5,6,5,1,0.7
END
check long_formula sh -c '"$ADAVIC" init wide.csv "outcome_of_trial ~ first_covariate + second_covariate + third_covariate + log(fourth_covariate) + first_covariate:third_covariate" >wide.hbm &&
    head -n 1 wide.hbm | grep -qx "// outcome_of_trial ~ .* + first_covariate:third_covariate" && "$ADAVIC" --emit=analysis wide.hbm >/dev/null'

awk -F ';' '$6 == "" {next} NR > 1 {$2 = 2000 + $2; $6 = 100000 + $6} {print $2 "," $6}' trial.csv | sed '1s/.*/year,y/' >far.csv
check far_from_0 sh -c '"$ADAVIC" init far.csv "y ~ year" 2>/dev/null >far.hbm && grep -q "^latent intercept ~ normal(100004, 10.1); *// .*; at year = 2001\$" far.hbm && grep -q "^  observed y ~ normal(intercept + b_year \* (year - 2001), sigma);" far.hbm'

# An outcome with empty cells: the model says that it may have them, and takes its own file.
check missing_outcome "$ADAVIC" init trial.csv 'y ~ dose + (1 | subject)' --family poisson -o missing.hbm
compile missing missing.hbm
check trains_for_missing_cells ./missing train --for trial.csv --steps 3 --quiet
check infers_with_missing_cells sh -c './missing infer trial.csv --draws 50 --json | grep -q "\"r_Subject\[1\]\""'
check no_missing_where_all_is_there sh -c '! grep -q "with missing" paste.hbm'

# ---- what is refused ----
bad() { # NAME FORMULA TEXT [OPTIONS...]
    local name=$1 formula=$2 text=$3
    shift 3
    refuses "$name" 1 "$text" "$ADAVIC" init trial.csv "$formula" "$@" -o model2.hbm
}
bad unknown_column 'y ~ dosis' 'did you mean dose?'
bad place_is_shown 'y ~ dose + (1 | gruop)' '^                  ^~~~~$'
bad name_of_column 'y ~ `a group`' 'rename the column'
bad bar_outside 'y ~ dose | subject' 'stand in parentheses'
bad power 'y ~ dose^2' 'expected  I(x^2) for the square of a column'
bad power_of_terms 'y ~ (dose + visit)^0.5' 'a whole number from 1 to 6'
bad function 'y ~ sqr(dose)' 'did you mean sqrt?'
bad two_columns 'y ~ I(dose * visit)' 'a product of columns is a:b'
bad no_column 'y ~ I(3)' 'no column stands in this function'
bad scale_within 'y ~ log(scale(dose))' 'stands by itself'
bad factor_of_function 'y ~ factor(dose + 1)' 'a factor is a column as it is'
bad open_parenthesis 'y ~ (dose' 'is not closed'
bad unfinished 'y ~ dose +' 'ends where a term should be'
bad no_tilde 'y dose' 'OUTCOME ~ TERMS'
bad transformed_outcome 'log(y) ~ dose' 'not an outcome'
bad failures 'cbind(y, n) ~ dose' 'counts the trials'
bad nothing_left 'y ~ 0' 'nothing to infer'
bad text_outcome 'arm ~ dose' 'trial.csv:2:3: text where arm needs a number'
bad missing_covariate 'n ~ y' 'trial.csv:5:6: a value of y is missing'
bad logarithm_of_0 'y ~ log(sick)' 'trial.csv:2:7: this is no number where sick is 0'
bad same_groups 'sick ~ (1 | subject) + (1 | arm)' 'are the same groups'
bad twice 'sick ~ (1 | subject) + (dose | subject)' 'intercept varies twice'
bad a_row_each 'y ~ (1 | subject:visit)' 'every group has one row'
for advice in "two groupings of a column each that cross are served where .* each pair has one row: average or sum up" "groups that cross others are served as (1 | g)"; do
    refuses "slopes_${advice%% *}" 1 "$advice" "$ADAVIC" init repeated.csv 'score ~ (1 | rater) + (minutes | item)'
done
bad constant 'y ~ const' 'has no column named const'
sed 's/0,5/0.5/' trial.csv >signs.csv
refuses decimal_signs_as_in_programs 1 "signs.csv:4:4: a decimal comma, but a decimal point in row 2" "$ADAVIC" init signs.csv 'y ~ dose'
sed 's/0,5/1e300/' trial.csv >large.csv
refuses too_large_for_float 1 "large.csv:2:4: dose is out of range" "$ADAVIC" init large.csv 'y ~ dose'
bad offset_too_large 'visit ~ offset(exp(n))' 'visit or its offset is too large' --family poisson
bad no_trials 'y ~ dose' 'out of how many?' --family binomial
bad no_bits 'y ~ dose' 'expected  0 or 1' --family bernoulli
bad too_many_successes 'n | trials(12) ~ dose' 'at most 12'
refuses unknown_family 2 "expected gaussian, student" "$ADAVIC" init trial.csv 'y ~ dose' --family gamma
refuses no_formula 2 "adavic init trial.csv 'y ~ x" "$ADAVIC" init trial.csv
refuses unknown_option 2 "did you mean --family" "$ADAVIC" init trial.csv 'y ~ dose' --famly poisson
refuses unknown_option_with_value 2 "unknown option --famly; did you mean --family" "$ADAVIC" init trial.csv 'y ~ dose' --famly=poisson
cp trial.csv ./-trial.csv
check names_behind_dashes sh -c '"$ADAVIC" init --family=poisson -- -trial.csv "y ~ dose" | grep -q poisson_log'
refuses reserved_name 1 "rename the column" sh -c 'sed "1s/dose/loss/" trial.csv >loss.csv; "$ADAVIC" init loss.csv "y ~ loss"; s=$?; rm loss.csv; exit $s'
check help_fits_80_columns sh -c '! "$ADAVIC" init --help | grep -E "^.{81}"'
