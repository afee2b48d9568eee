# dual { ... }: settings of the network and of training, which options override.
. "$ROOT/tests/cli/common.inc"
cat >model.hbm <<'M'
latent m ~ normal(0, 1);
plate group(3) { latent a ~ normal(m, 1); plate obs(4) { observed x ~ normal(a, 0.5); } }
dual {
  embed = 16;
  encoder = set_transformer(isab = 2, heads = 2, inducing = 8);
  flow a = affine();
  objective = unregularised;
  sets = 16;
  draws = 4;
}
M
compile model model.hbm
check train sh -c './model train --steps 20 --json -q >t && grep -q "\"sets\": 16," t && grep -q "\"objective\": \"unregularised\"" t && grep -q "\"draws\": 4" t'
check info_says_it sh -c './model info | grep -q "20 steps of 16 sets and 4 draws, unregularised"'
check options_win sh -c './model train --steps 20 --sets 8 --draws 2 --objective reverse-kl --json -q >t && grep -q "\"sets\": 8," t && grep -q "\"objective\": \"reverse-kl\"" t && grep -q "\"draws\": 2" t'
check model_shows_it sh -c "'$ADAVIC' --emit=model model.hbm | grep -q '^dual encoder embed 16 isab 2 heads 2 inducing 8$'"
check infers sh -c './model simulate --out s.npz -q && ./model infer s.npz --draws 20'
sed 's/objective = .*/objective = schedule(unregularised = 1, reverse-kl = 3);/' model.hbm >hyphen.hbm
refuses names_have_underscores 1 "error E0102" "$ADAVIC" --emit=model hyphen.hbm
sed 's/objective = .*/objective = schedule(unregularised = 1, reverse_kl = 3);/' model.hbm >schedule.hbm
compile schedule schedule.hbm
check schedule_trains sh -c './schedule train --steps 20 --json -q | grep -q "\"objective\": \"unregularised:1,reverse-kl:3\""'
compile paper --paper schedule.hbm
check paper_takes_the_schedule sh -c './paper train --steps 20 --json -q | grep -q "\"objective\": \"unregularised:1,reverse-kl:3\""'

# Another shape is another model: its weights do not fit.
sed 's/embed = 16/embed = 8/' model.hbm >other.hbm
compile other other.hbm
refuses other_weights 1 "another model" ./other infer s.npz --weights model.weights

# affine() is that however the flow starts: the map of a regression, which starts at a mode, does not bend either.
cat >line.hbm <<'M'
latent m[2] ~ normal(0, 1);
plate rat(30) { latent b[2] ~ normal(m, 1); observed y[5] ~ normal([k in 5: b[0] + b[1] * k], 1); }
dual { flow b = affine(); }
M
sed '/^dual/d' line.hbm >bent.hbm
signs() { "$ADAVIC" --emit=ir:posterior "$1" | grep -c ' sign '; }
check affine_does_not_bend test "$(signs line.hbm)" -lt "$(signs bent.hbm)"

# --flow says it of every latent of which dual { } says nothing; other weights do not fit.
compile spline --flow=spline model.hbm
check flow_of_all_others sh -c "'$ADAVIC' --emit=json --flow=spline model.hbm >j && grep -q '\"map\": \"spline_coupling\"' j && grep -q '\"map\": \"affine\"' j"
check their_weights sh -c "grep -q '\"m.coupling.0.width.W' j && ! grep -q '\"a.coupling' j"
check flow_trains sh -c './spline train --steps 20 -q && ./spline infer s.npz --draws 20'
refuses weights_of_another_flow 1 "another model" ./spline infer s.npz --weights model.weights
refuses no_such_flow 2 "expected affine, maf, spline, coupling, spline_coupling" "$ADAVIC" --flow=nice model.hbm
