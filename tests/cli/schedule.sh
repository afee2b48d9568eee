# What overrides the schedule's choices, for experiments: --tile, --keep, --jam and --lanes.
. "$ROOT/tests/cli/common.inc"
model=$ROOT/examples/gre.hbm
refuses no_tile 2 'expected a number of at least 1' "$ADAVIC" "$model" --tile=0 -o none
refuses not_a_tile 2 'expected a number of at least 1' "$ADAVIC" "$model" --tile=many -o none
refuses no_jam 2 'expected a number of at least 1' "$ADAVIC" "$model" --jam=0 -o none
refuses too_much_jam 2 'expected at most 4' "$ADAVIC" "$model" --jam=5 -o none
refuses keep_what 2 'expected auto|all|small' "$ADAVIC" "$model" --keep=none -o none
refuses lanes_what 2 'expected auto|off' "$ADAVIC" "$model" --lanes=group -o none

loops() { "$ADAVIC" --paper "$@" "$model" --emit=loops:step; }
loops >auto
check sweeps_are_printed grep -q '^  sweep 0: nests [0-9]* to [0-9]*, tile0 of group, max(.*) numbers each' auto
check two_instances_at_once grep -q '^    for i[0-9]* < .* by 2' auto
check no_feature_of_all_observations sh -c '! grep "scratch .*group\*obs\]" auto | grep -v "scratch \(sim:\)\?x "'

# Whatever is chosen, the same is computed: training to the last digit that summation leaves.
elbo() { # OPTIONS...
    "$ADAVIC" --paper "$@" "$model" -o program &&
        ./program train --quiet --json --steps 20 --threads 1 | sed 's/.*"validation_elbo": \([-0-9.]*\).*/\1/' | tail -n 1
}
all=$(elbo) one=$(elbo --tile=1) kept=$(elbo --keep=all --tile=100000) small=$(elbo --keep=small --jam=3)
for way in one kept small; do
    other=${!way}
    if awk -v a="$all" -v b="$other" 'BEGIN { exit !(a + 0 != 0 && (a - b) ^ 2 < (1e-3 * a) ^ 2) }'; then
        echo "ok same_training_$way"
    else echo "not ok same_training_$way: $all and $other"
    fi
done

# What is computed of one data set, once for all draws, fills lanes with the instances of a plate; the posterior is the same.
# A plate too short for that is left to the one inside it.
posterior() { "$ADAVIC" "$@" "$model" --emit=loops:posterior; }
posterior >auto.loops
posterior --lanes=off >off.loops
sed 's/group(3)/group(40)/' "$model" >many.hbm
"$ADAVIC" many.hbm --emit=loops:posterior >many.loops
check lanes_along_observations grep -q '^  nest [0-9]*: kernel over group lanes(obs)' auto.loops
check lanes_can_be_off sh -c '! grep -q "lanes(obs)\|lanes(group)" off.loops'
check lanes_along_groups grep -q '^  nest [0-9]*: points over obs lanes(group)' many.loops
"$ADAVIC" "$model" -o lanes && "$ADAVIC" --lanes=off "$model" -o scalar && ./lanes train --quiet --steps 20 >/dev/null &&
    cp lanes.weights scalar.weights && ./lanes simulate --count 1 --quiet --out set.bin
for program in lanes scalar; do ./$program infer set.bin --draws 100 --quiet --out $program.csv >/dev/null; done
check same_draws awk -F, '
    FNR == 1 { file++ }
    FNR > 1 { for (i = 1; i <= NF; i++) if (file == 1) a[FNR, i] = $i; else { n++; bad += ($i - a[FNR, i]) ^ 2 > 1e-8 } }
    END { exit !(n > 500 && !bad) }' lanes.csv scalar.csv
