# What is written in docs/ and the README is what adavic prints and accepts.
. "$ROOT/tests/cli/common.inc"

same() { # NAME FILE COMMAND...
    local name=$1 file=$2
    shift 2
    if "$@" >printed && cmp -s printed "$file"; then echo "ok $name"
    else
        echo "not ok $name: $file differs from: $*; run \`make docs\`"
        diff "$file" printed | head -n 10 | sed 's/^/  | /'
    fi
}
same errors_are_current "$ROOT/docs/errors.md" "$ADAVIC" --explain all
same operations_are_current "$ROOT/docs/ir-ops.md" "$ADAVIC" --explain-ops
same library_is_current "$ROOT/docs/distributions.md" "$ADAVIC" --explain-library
same grammar_is_current "$ROOT/docs/language.md" "$ROOT/grammar/page.sh" "$ROOT/docs/language.md"

# docs/ir.md: what is marked `ir` reads back to itself, and the worked program is the model's above it.
awk '/^```ir$/ {inside = 1; next} /^```/ {inside = 0} inside' "$ROOT/docs/ir.md" >example.ir
check ir_example sh -c '"$ADAVIC" --run=verify example.ir >printed && sed 1d example.ir | cmp - printed'
awk '/^```hbm/ {inside = 1; next} /^```/ {inside = 0} inside' "$ROOT/docs/ir.md" >mean.hbm
awk '/^```ir mean logjoint$/ {inside = 1; next} /^```/ {inside = 0} inside' "$ROOT/docs/ir.md" >worked.ir
check ir_worked_program sh -c 'test -s worked.ir && "$ADAVIC" --emit=ir:logjoint mean.hbm | grep -vE "^  axis .* : event" | cmp - worked.ir'

# Every diagnostic has a test, every file that is named in the docs exists, every example is named in the README.
missing=
for code in $(sed -nE 's/^DIAG\([A-Z_0-9]+, ([EW][0-9]+),.*/\1/p' "$ROOT/compiler/base/diags.def"); do
    grep -qs "^// expect: .* $code: " "$ROOT"/tests/diag/*.hbm || grep -qs "error $code: " "$ROOT"/tests/cli/*.sh ||
        missing="$missing $code"
done
if [ -z "$missing" ]; then echo "ok every_diagnostic_has_a_test"
else echo "not ok every_diagnostic_has_a_test: none for$missing"
fi
missing=
for file in $(grep -ohE '`(compiler|runtime|stdlib|tests|docs|examples|grammar)/[A-Za-z0-9_./]+`' "$ROOT"/*.md "$ROOT"/docs/*.md | tr -d '`' | sort -u); do
    [ -e "$ROOT/$file" ] || missing="$missing $file"
done
if [ -z "$missing" ]; then echo "ok files_named_in_the_docs_exist"
else echo "not ok files_named_in_the_docs_exist:$missing"
fi
missing=
for model in "$ROOT"/examples/*.hbm; do
    grep -q "$(basename "$model")" "$ROOT/README.md" || missing="$missing $(basename "$model")"
done
if [ -z "$missing" ]; then echo "ok readme_names_every_example"
else echo "not ok readme_names_every_example:$missing"
fi

# Links between pages lead somewhere: to a file, and to a heading in it.
anchors() { # of a page: headings in lower case, blanks as `-`, other signs left out
    sed '/^```/,/^```/d' "$1" | sed -nE 's/^#+ //p' | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g'
}
dead=
pages=$(cd "$ROOT" && ls ./*.md docs/*.md docs/*/*.md examples/*.md)
for page in $pages; do
    for target in $(sed -e '/^```/,/^```/d' -e 's/`[^`]*`//g' "$ROOT/$page" | grep -oE '\]\([^) ]+\)' | sed -E 's/^\]\((.*)\)$/\1/'); do
        case $target in http*|mailto:*) continue ;; esac
        file=$ROOT/$(dirname "$page")/${target%%#*}
        [ -n "${target%%#*}" ] || file=$ROOT/$page
        if [ ! -e "$file" ]; then dead="$dead $page:$target"
        elif [ "$target" != "${target#*#}" ] && ! anchors "$file" | grep -qx -- "${target#*#}"; then dead="$dead $page:$target"
        fi
    done
done
if [ -z "$dead" ]; then echo "ok no_dead_links"
else echo "not ok no_dead_links:$dead"
fi
