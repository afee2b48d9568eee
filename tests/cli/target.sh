# Instruction sets and precisions from the compiler to the answer: a program trains and infers for every level that
# this machine has, in float32 and float64, and ends with a message where it lacks one.
. "$ROOT/tests/cli/common.inc"
cat >small.hbm <<'END'
latent m ~ normal(0, 1);
latent s ~ half_normal(1);
plate n(8) { observed x ~ normal(m, s); }
END
model=small.hbm data=small.csv
printf '%s\n' n,x 1,0.3 2,1.2 3,-0.4 4,0.9 5,1.1 6,0.2 7,-0.8 8,0.5 >$data

loss() { sed -n 's/.*"validation_elbo": *\(-*[0-9.e+]*\).*/\1/p' "$1" | tail -n 1; }
# near A B T: both are numbers, and differ by at most T
near() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN {exit !(a != "" && b != "" && a - b <= t && b - a <= t)}'; }

levels=x86-64-v2
grep -q ' avx2 ' /proc/cpuinfo && levels="$levels x86-64-v3"
grep -q ' avx512vl ' /proc/cpuinfo && levels="$levels x86-64-v4"
for target in host $levels; do
    for precision in f32 f64; do
        [ "$target$precision" = x86-64-v2f64 ] && continue # without fused operations: slow
        name=${target//[^a-z0-9]/_}_$precision
        compile "$name" "$model" --target="$target" --precision=$precision
        check "trains_$name" sh -c './$0 train --steps 20 --seed 1 --json >$0.json' "$name"
        check "infers_$name" "./$name" infer "$data" --draws 200 --seed 1 --out "$name.npz"
        check "same_answer_$name" near "$(loss "$name.json")" "$(loss host_f32.json)" 0.5
    done
done
last=${levels##* }
check host_is_a_level sh -c './host_f32 info | grep -q "float32, for $0\$"' "$last"
check precision_is_shown sh -c './host_f64 info | grep -q "float64"'

# the program of a level that no machine has: its manifest says 9
sed "s/target \"$last\"/target \"x86-64-v9\"/" "./host_f32" >beyond
chmod +x beyond
refuses missing_instructions 1 'compiled for processors of level x86-64-v9, and this one is x86-64' ./beyond info
refuses missing_instructions_train 1 "or with --target=$last" ./beyond train --steps 1
refuses unknown_target 2 'expected host, x86-64,' "$ADAVIC" "$model" --target=pentium -o none
refuses unknown_level 2 'expected host, x86-64,' "$ADAVIC" "$model" --target=x86-64-v03 -o none
