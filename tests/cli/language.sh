# Every model in the documentation is what adavic says it is. A fenced block is marked behind its backquotes:
#   hbm              a whole model, about which adavic has nothing to say
#   hbm part         declarations, which compile once an observation is added
#   hbm expect CODE  a whole model that gets this error or warning
#   hbm file NAME    a file that models of the page import
. "$ROOT/tests/cli/common.inc"

blocks() { # PAGE: each block of it as a file NUMBER.hbm, with its mark in NUMBER.mark
    awk '/^```hbm/ {n++; sub(/^```/, ""); print >(n ".mark"); inside = 1; next}
         /^```/ {inside = 0}
         inside {print >(n ".hbm")}' "$1"
}

says() { # MARK FILE: whether adavic says of the file what the mark promises
    local mark=$1 file=$2 status code=${1#hbm expect }
    case $mark in
    hbm) "$ADAVIC" --emit=model "$file" 2>said >/dev/null && [ ! -s said ] ;;
    'hbm part')
        { cat "$file"; echo 'latent test_latent ~ normal(0, 1); observed test_observed ~ normal(test_latent, 1);'; } >whole.hbm
        "$ADAVIC" --emit=model whole.hbm 2>said >/dev/null ;;
    'hbm file '*) [ -s "${mark#hbm file }" ] ;; # compiled where it is imported
    'hbm expect '*)
        "$ADAVIC" --emit=model "$file" 2>said >/dev/null
        status=$?
        case $code in E*) [ $status = 1 ] ;; W*) [ $status = 0 ] ;; esac && grep -q " $code: " said ;;
    *) echo "unknown mark: $mark" >said; false ;;
    esac
}

for page in README.md $(cd "$ROOT" && ls docs/*.md docs/howto/*.md); do
    rm -f ./*.hbm ./*.mark
    blocks "$ROOT/$page"
    for mark in *.mark; do
        case $(cat "$mark" 2>/dev/null) in 'hbm file '*) cp "${mark%.mark}.hbm" "$(sed 's/hbm file //' "$mark")" ;; esac
    done
    for mark in *.mark; do
        [ -e "$mark" ] || break
        n=${mark%.mark}
        name="${page}_$n"
        if says "$(cat "$mark")" "$n.hbm"; then echo "ok $name"
        else
            echo "not ok $name: block $n of $page, marked $(cat "$mark")"
            sed 's/^/  | /' "$n.hbm" said | head -n 40
        fi
    done
done

# Every function that is not written in the language stands in its page; and what the page says of limits.
missing=
for name in $(sed -nE 's/^(POINT|REDUCTION|SPECIAL|PRIMITIVE)\(([a-z0-9_]+),.*/\2/p' "$ROOT/compiler/front/builtins.def"); do
    grep -q "\`$name(" "$ROOT/docs/language.md" || missing="$missing $name"
done
if [ -z "$missing" ]; then echo "ok every_function_is_documented"
else echo "not ok every_function_is_documented: language.md lacks$missing"
fi

# So do the functions that change shapes, and every support.
missing=
for name in $(sed -nE 's/^SHAPED\([A-Z_]+, *([a-z_]+),.*/\1/p' "$ROOT/compiler/model/shaped.def"); do
    grep -q "\`$name(" "$ROOT/docs/language.md" || missing="$missing $name"
done
for name in $(sed -nE 's/^SUPPORT\([A-Z_]+, *([a-z_]+),.*/\1/p' "$ROOT/compiler/model/supports.def"); do
    grep -qE "\`$name(\`|\()" "$ROOT/docs/language.md" || missing="$missing $name"
done
if [ -z "$missing" ]; then echo "ok every_shape_and_support_is_documented"
else echo "not ok every_shape_and_support_is_documented: language.md lacks$missing"
fi

# The model of the README and the tutorial is the example's.
bare() { sed -e 's|//.*||' -e '/^[[:space:]]*$/d' "$1"; }
for page in README.md docs/tutorial.md; do
    rm -f ./*.hbm ./*.mark
    blocks "$ROOT/$page"
    bare "$ROOT/examples/pastes.hbm" >example
    check "${page}_shows_the_example" sh -c 'grep -v "^ *$" 1.hbm | cmp - example'
done

# So are those of the page for who comes from Stan, in this order.
rm -f ./*.hbm ./*.mark
blocks "$ROOT/docs/from-stan-brms-lme4.md"
n=0
for name in sleepstudy pastes eight_schools rats surgical; do
    n=$((n + 1))
    bare "$ROOT/examples/$name.hbm" | sed 's/ *$//' >example
    check "from_stan_shows_$name" sh -c 'grep -v "^ *$" "$0.hbm" | cmp - example' $n
done
