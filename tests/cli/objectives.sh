# What training minimises: every row of runtime/objectives.def trains, in programs compiled for it; schedules.
. "$ROOT/tests/cli/common.inc"
echo 'latent m[2] ~ normal(0, 1); plate obs(4) { observed x[2] ~ normal(m, 0.5); }' >model.hbm
names=$(sed -n 's/^OBJECTIVE("\([^"]*\)", "[^"]*", [01], [01], 0, .*/\1/p' "$ROOT/runtime/objectives.def") # but those of `fit` alone
schedule=$(echo $names | sed 's/ /:1,/g; s/$/:1/')
compile all --objective="$schedule" model.hbm
for name in $names; do
    check "trains_by_$name" sh -c "./all train --steps 60 --sets 8 --draws 4 --objective $name --json -q >t &&
        grep -q '\"objective\": \"$name\"' t && grep -q '\"skipped_steps\": 0' t && grep -q '\"loss\": [-0-9]' t"
    check "help_explains_$name" sh -c "./all train --help | grep -q '^  $name '"
    check "compiler_explains_$name" sh -c "'$ADAVIC' --help | grep -q '^  $name '"
done
check default_is_what_it_was_compiled_with sh -c "./all train --steps 40 --sets 8 --draws 4 --json -q | grep -q '\"objective\": \"$schedule\"'"
check first_phase_of_a_twelfth ./all train --steps 40 --sets 8 --draws 4 -q --objective map:2,unregularised:1,reverse-kl:20
check steps_repeat sh -c './all train --steps 30 --sets 8 --draws 4 -q --weights 1 && ./all train --steps 30 --sets 8 --draws 4 -q -j 1 --weights 2 && cmp 1 2'
refuses first_phase_too_short 1 "at least a twentieth" ./all train --objective map:1,reverse-kl:30
refuses annealing_too_short 1 "at least a fifth" ./all train --objective annealed:1,reverse-kl:9
refuses no_such_objective 1 "expected  reverse-kl, unregularised, map" ./all train --objective elbow
refuses no_such_objective_to_compile 2 "expected  reverse-kl, unregularised, map" "$ADAVIC" --objective=elbow model.hbm

# Others than the first two are in the programs that were compiled for them.
compile plain model.hbm
check reverse_kl_is_in_every_program ./plain train --steps 20 -q --objective unregularised:1,reverse-kl:1
refuses not_compiled_for_it 1 "adavic --objective=forward-kl MODEL.hbm" ./plain train --objective forward-kl
refuses rounds_not_compiled 2 "adavic --objective=sequential MODEL.hbm" ./plain fit model.hbm --objective sequential
cmp -s <("$ADAVIC" --emit=ir:step model.hbm) <("$ADAVIC" --emit=ir:step --objective=forward-kl,map model.hbm) &&
    echo "ok others_leave_step_alone" || echo "not ok others_leave_step_alone: program step differs"
check its_program_is_there sh -c "'$ADAVIC' --emit=ir:forward --objective=forward-kl model.hbm | grep -q 'output \"loss\"'"

# Without the exact path training begins annealed, by the same program.
compile blind --no-exact model.hbm
check blind_begins_annealed sh -c './blind train --steps 20 -q --json | grep -q "\"objective\": \"annealed:1,reverse-kl:4\""'
check blind_as_asked sh -c './blind train --steps 20 -q --json --objective reverse-kl | grep -q "\"objective\": \"reverse-kl\""'
check by_one_program sh -c "! '$ADAVIC' --emit=ir --no-exact --objective=annealed:1,map:4 model.hbm | grep -q '^program annealed'"
check elsewhere_it_has_its_own sh -c "'$ADAVIC' --emit=ir --objective=annealed:1,map:4 model.hbm | grep -q '^program annealed'"

# Densities of given values: flows of more than 8 numbers go the other way, and the analysis says so.
echo 'latent m[12] ~ normal(0, 1); plate n(4) { observed x[12] ~ normal(m, 1); }' >wide.hbm
check wide_goes_in_layers sh -c "! '$ADAVIC' --emit=analysis wide.hbm | grep 'number by number'"
check wide_goes_by_numbers sh -c "'$ADAVIC' --emit=analysis --objective=forward-kl wide.hbm | grep 'over 12 numbers.*number by number'"
sed 's/12/40/g' wide.hbm >wider.hbm
refuses too_wide 1 "error E0611" "$ADAVIC" --objective=self-consistency --flow=maf wider.hbm -o wider
check wider_goes_by_halves sh -c "'$ADAVIC' --emit=analysis --objective=forward-kl wider.hbm | grep 'over 40 numbers: coupling layers'"
check total_flow_by_halves sh -c "'$ADAVIC' --emit=analysis --family=total-flow --objective=forward-kl wider.hbm | grep 'instances of all latents over 40 numbers: coupling'"
check affine_has_a_density sh -c "{ cat wider.hbm; echo 'dual { flow m = affine(); }'; } >affine.hbm && '$ADAVIC' --emit=ir --objective=self-consistency affine.hbm"

# A hierarchy's scale goes to 0 where nothing keeps it away: counted, and said.
cat >heavy.hbm <<'M'
latent s ~ half_cauchy(1);
plate group(6) { latent a ~ normal(0, s); plate obs(3) { observed x ~ normal(a, 1); } }
M
compile heavy --objective=forward-kl:1,map:1 heavy.hbm
check no_mode sh -c './heavy train --steps 4000 --learning-rate 0.02 --objective map -q 2>e; test $? = 1 && grep -q "leave map and unregularised out" e'

# The law of the data is free under reverse KL alone: forward KL cuts no tails.
check reverse_kl_cuts sh -c './heavy train --steps 20 --objective reverse-kl 2>&1 | grep -q "s has heavy tails"'
check forward_kl_does_not sh -c './heavy train --steps 20 --objective forward-kl >t 2>&1 && ! grep "has heavy tails" t'
