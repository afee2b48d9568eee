# Every example compiles to a program that runs (how fast: `make measure`); adavic can be moved; libraries.
. "$ROOT/tests/cli/common.inc"

for model in "$ROOT"/examples/*.hbm; do
    name=$(basename "$model" .hbm)
    case $name in sleepstudy | eight_schools | surgical) continue ;; esac # given.sh and counts.sh compile and ask them
    check "compile_$name" "$ADAVIC" "$model" -o "$name"
    check "run_$name" "./$name" info
    case $name in *_wide | four_plates | every_level) continue ;; esac # slow, and of no new kind
    if [ -f "$ROOT/examples/data/$name.csv" ]; then # its real data
        check "fit_$name" "./$name" fit "$ROOT/examples/data/$name.csv" --steps 2 --draws 20 -q
    else
        check "fit_$name" sh -c './$0 simulate --out data.npz -q && ./$0 fit data.npz --steps 2 --draws 20 -q' "$name"
    fi
done
gre=$ROOT/examples/gre.hbm
for options in --family=adavi --paper --no-exact --precision=f64 --target=x86-64-v3 "-D D=3"; do
    # shellcheck disable=SC2086
    check "compile_gre_${options//[^a-z0-9]/_}" "$ADAVIC" $options "$gre" -o variant
    check "run_gre_${options//[^a-z0-9]/_}" ./variant info
done

mkdir moved
cp "$ADAVIC" moved/compiler
check moved_compiler env -C moved ./compiler "$gre" -o program
check program_of_moved_compiler moved/program info

check shared_library "$ADAVIC" --shared "$gre" -o libgre.so
check shared_library_exports sh -c 'nm -D libgre.so | grep -q "adavic_entries" && nm -D libgre.so | grep -q adavic_manifest'
printf '%s\n' '#include "libgre.h"' '#include <stdio.h>' \
    'int main(void) { printf("%d %.15s", (int)adavic_entry_count, adavic_manifest); return 0; }' >user.c
check shared_library_is_used sh -c 'cc -o user user.c ./libgre.so $0 && test "$(./user)" = "7 adavic-manifest"' \
    "$(nm -D "$ADAVIC" | grep -q __asan_init && echo -fsanitize=address,undefined)"

check default_name sh -c 'mkdir here && cd here && "$ADAVIC" "$0" && test -x gre' "$gre"
check same_program_each_time sh -c '"$ADAVIC" "$0" -o one && "$ADAVIC" "$0" -o two && cmp one two' "$gre"
