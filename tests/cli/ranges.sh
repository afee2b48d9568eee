# Plates with a range of sizes: one training for all of them, any size at inference.
. "$ROOT/tests/cli/common.inc"
model=$ROOT/examples/many_groups.hbm
compile groups "$model"

check model_names_the_range sh -c "'$ADAVIC' --emit=model '$model' | grep -q 'plate obs(2..8) in group'"
check analysis_names_the_range sh -c "'$ADAVIC' --emit=analysis '$model' | grep -q 'group (2..60): exchangeable'"
check descriptors_name_the_range sh -c "'$ADAVIC' --emit=descriptors '$model' | grep -q 'group  *2..60'"

check train ./groups train --steps 12 --threads 1 --json --log log.jsonl
cp check.out train.json
check validated_on_a_grid grep -q '"validation_unit": "nats per latent number", "validation": \[{"sizes": {"group": 2, "obs": 2}, "elbo": [-0-9.e]*}, {"sizes": {"group": 11, "obs": 4}, "elbo": [-0-9.e]*}, {"sizes": {"group": 60, "obs": 8}' train.json
cp groups.weights one.weights
for threads in 2 3; do
    check "train_$threads" ./groups train --steps 12 --threads $threads --quiet
    check "same_weights_on_${threads}_threads" cmp one.weights groups.weights
done
check weights_hold_the_range sh -c 'head -c 400 one.weights | grep -aq "^plate group 11 range 2 60$"'
check info_shows_ranges sh -c './groups info --json >i && grep -q "\"group\": {\"size\": \[2, 60\]" i &&
    grep -q "\"ranges\": {\"group\": \[2, 60\], \"obs\": \[2, 8\]}" i'
check info_as_text sh -c './groups info | grep -q "at group = 2..60 obs = 2..8"'

# Sizes come from the shapes of arrays; a warning only outside the range.
says() { # NAME yes|no TEXT COMMAND...
    local name=$1 want=$2 text=$3 found=no
    shift 3
    if ! "$@" >check.out 2>check.err; then echo "not ok $name: failed: $*"; return; fi
    grep -q "$text" check.err && found=yes
    if [ $found = "$want" ]; then echo "ok $name"; else
        echo "not ok $name: a warning: $found instead of $want"
        sed 's/^/  | /' check.err
    fi
}
for G in 1 2 60 61; do
    ./groups simulate --count 3 --size group=$G --out s.npz --quiet
    case $G in 1 | 61) outside=yes ;; *) outside=no ;; esac
    says "elbo_at_$G" $outside "plate group has $G instances here, 2 to 60 in training" ./groups elbo s.npz --draws 20
    check "gap_at_$G" sh -c "./groups elbo s.npz --draws 200 --json 2>/dev/null | grep -qv nan"
done
./groups simulate --count 1 --size group=7 --size obs=3 --out s.bin --quiet
check bin_solved_for_the_outermost sh -c './groups infer s.bin --size obs=3 --json >i && grep -q "\"mu_g\[6\]\"" i'
check bin_solved_for_the_inner sh -c './groups infer s.bin --size group=7 --json >k && cmp i k'
refuses bin_of_two_free_sizes 1 "size obs=N" ./groups infer s.bin
refuses bin_batch_without_size 1 "size group=N" ./groups elbo s.bin --batch --size obs=3
check bin_batch ./groups elbo s.bin --batch --size obs=3 --size group=7
refuses bin_that_does_not_fit 1 "nearest that fits" ./groups infer s.bin --size obs=4
{ echo group,x; for g in a b c; do for x in 1 2 3 4 5; do echo $g,0.$x; done; done; } >d.csv
check csv ./groups infer d.csv

# --size trains for one size alone.
check train_at_one_size ./groups train --steps 5 --size group=6 --weights six.weights --json
cp check.out six.json
check validated_at_one_size grep -q '"validation": \[{"sizes": {"group": 6, "obs": 2}' six.json
check one_size_is_stored sh -c './groups info --json --weights six.weights | grep -q "\"group\": \[6, 6\], \"obs\": \[2, 8\]"'
says one_size_warns yes "61 instances here, 6 in training" ./groups elbo s.npz --weights six.weights --draws 20
check other_seed ./groups train --steps 12 --quiet --seed 2 --weights seed.weights
check other_seed_other_weights sh -c '! cmp -s one.weights seed.weights'
