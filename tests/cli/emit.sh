# Every form of --emit, on every example (of code and loops, on two): it works and is not empty; on one, it is the same
# each time.
. "$ROOT/tests/cli/common.inc"

forms=$("$ADAVIC" --help | sed -n '/^forms of --emit/,/^$/p' | awk '/^  [a-z]/ {print $1}')
for model in "$ROOT"/examples/*.hbm; do
    name=$(basename "$model" .hbm)
    for form in $forms; do
        case $form:$name in
        *:gre | *:two_traits) ;;
        loops* | llvm* | c:* | obj*) continue ;; # compile.sh generates code of all examples
        esac
        "$ADAVIC" --emit="$form" "$model" -o first >check.out 2>&1
        status=$?
        again=first
        if [ "$name" = gre ]; then again=second; "$ADAVIC" --emit="$form" "$model" -o second; fi
        if [ $status != 0 ]; then
            echo "not ok emit_${form}_$name: exit status $status"
            head -n 5 check.out | sed 's/^/  | /'
        elif [ ! -s first ]; then echo "not ok emit_${form}_$name: empty"
        elif ! cmp -s first "$again"; then echo "not ok emit_${form}_$name: differs from run to run"
        else echo "ok emit_${form}_$name"
        fi
        rm -f first second
    done
done

gre=$ROOT/examples/gre.hbm
check emit_to_stdout sh -c '"$ADAVIC" --emit=ir:step "$0" | grep -q "^program step"' "$gre"
check emit_one_program sh -c 'test "$("$ADAVIC" --emit=ir:step "$0" | grep -c "^program ")" = 1' "$gre"
check emit_all_programs sh -c 'test "$("$ADAVIC" --emit=ir "$0" | grep -c "^program ")" = 7' "$gre"
check model_from_stdin sh -c '"$ADAVIC" --emit=analysis - <"$0" | grep -q group' "$gre"
check dump_after sh -c '"$ADAVIC" --dump-after=cse --emit=ir:step "$0" 2>&1 >/dev/null | grep -q "after cse"' "$gre"
check time_passes sh -c '"$ADAVIC" --time-passes --emit=ir:step "$0" 2>&1 >/dev/null | grep -q "ms  fold"' "$gre"

# The printed IR can be read back, and passes that have run find nothing more to do.
"$ADAVIC" --emit=ir "$gre" >gre.ir
check ir_reads_back sh -c '"$ADAVIC" --run=verify gre.ir | cmp - gre.ir'
check dce_is_idempotent sh -c '"$ADAVIC" --run=dce gre.ir | cmp - gre.ir'

# JSON and DOT, by other programs' readers where they are here (tests/unit/test_dual_show.c has readers of its own)
if jq --version >/dev/null 2>&1; then
    check json_is_json sh -c '"$ADAVIC" --paper --emit=json "$0" | jq -e ".plates[1].parent == \"group\" and .family == \"adavi\" and
        ([.weights[] | .shape | reduce .[] as \$d (1; . * \$d)] | add) == 12018" >/dev/null' "$gre"
else
    echo "skip json_is_json: jq is not here"
fi
if dot -V >/dev/null 2>&1; then
    check dot_is_drawn sh -c 'for f in structured adavi; do
        "$ADAVIC" --family=$f --emit=dot "$0" | dot -Tsvg | grep -q "flow of mu_g" || exit 1; done' "$gre"
else
    echo "skip dot_is_drawn: graphviz is not here"
fi
cp "$gre" 'odd "name" \.hbm'
check odd_name_in_json sh -c '"$ADAVIC" --emit=json "$0" | grep -qF "\"model\": \"odd \\\"name\\\" \\\\\"," ' 'odd "name" \.hbm'
check odd_name_in_dot sh -c '"$ADAVIC" --emit=dot "$0" | grep -qF "digraph \"odd \\\"name\\\" \\\\\" {"' 'odd "name" \.hbm'
check context_in_dot sh -c '"$ADAVIC" --emit=dot "$0" | grep -q "\"scale\" \[label=\"scale.*shape=plaintext" &&
    ! "$ADAVIC" --emit=dot "$0" | grep -q "(null)"' "$ROOT/examples/prior_scale.hbm"
check context_in_json sh -c '"$ADAVIC" --emit=json "$0" | grep -q "\"scale\", \"kind\": \"context\"" ' "$ROOT/examples/prior_scale.hbm"
