# Options of adavic: right ones, misspelt ones, missing values; 2 for wrong use, and nothing written.
. "$ROOT/tests/cli/common.inc"
gre=$ROOT/examples/gre.hbm

check help_teaches_with_an_example sh -c '"$ADAVIC" --help | grep -q "latent mu ~ normal"'
check help_names_every_pass sh -c '"$ADAVIC" --help | grep -q "^  schedule"'
check version_is_printed sh -c '"$ADAVIC" --version | grep -qE "^adavic [0-9]+\.[0-9]+\.[0-9]+$"'
check help_s_example_compiles sh -c '"$ADAVIC" --help | sed -n "/cat coin.hbm/,/^  }/p" | sed 1d >coin.hbm &&
    "$ADAVIC" --emit=analysis coin.hbm'

refuses no_model 2 "no model given" "$ADAVIC"
refuses unknown_option 2 "did you mean --precision" "$ADAVIC" --precison=f64 "$gre"
refuses unknown_option_far 2 "unknown option --frobnicate" "$ADAVIC" --frobnicate "$gre"
refuses paper_has_its_family 2 "paper is of the family adavi" "$ADAVIC" --paper --family=cascading "$gre"
refuses bad_choice 2 "expected structured, adavi" "$ADAVIC" --family=meanfield "$gre"
refuses bad_precision 2 "expected f32|f64" "$ADAVIC" --precision f16 "$gre"
refuses value_where_none_is_taken 2 "takes no value" "$ADAVIC" --paper=yes "$gre"
refuses missing_value 2 "needs OUT" "$ADAVIC" "$gre" -o
refuses bad_define 2 "no integer" "$ADAVIC" -D D=two "$gre"
refuses define_without_value 2 "expected NAME=N" "$ADAVIC" -DD "$gre"
refuses unknown_form 2 "did you mean loops" "$ADAVIC" --emit=loop "$gre"
refuses unknown_pass 2 "did you mean fold" "$ADAVIC" --run=fald "$gre"
refuses pass_that_cannot_run_alone 2 "no such pass" "$ADAVIC" --run=parse "$gre"
refuses two_models 2 "one model at a time" "$ADAVIC" "$gre" "$gre"
refuses stdin_without_output 2 "needs -o" "$ADAVIC" -
refuses unknown_code 2 "no message E9999" "$ADAVIC" --explain E9999
refuses unknown_define 1 "E0211" "$ADAVIC" -D NO_SUCH=3 "$gre" -o out
refuses unknown_program 1 "no program" "$ADAVIC" --emit=ir:stap "$gre"
refuses program_of_whole_form 1 "no single program" "$ADAVIC" --emit=ast:step "$gre"
check explain sh -c '"$ADAVIC" --explain E0201 | grep -q .'
