# Models in several files.
. "$ROOT/tests/cli/common.inc"
cp -r "$ROOT/tests/models" models
compile imports models/imports.hbm
check trains ./imports train --steps 10 --quiet
check infers sh -c './imports simulate --out s.npz -q && ./imports infer s.npz --draws 20'

# As if the text stood there.
sed 's/^import "deep.*//; s/^fn unused.*//' models/parts/laws.hbm >whole.hbm
grep -h '^fn two\|^link' models/parts/laws_once.hbm models/parts/deep/links.hbm >links.hbm
cat links.hbm whole.hbm >imports.hbm
sed '/^import "parts/d; /^  import/ { r models/parts/data.hbm
d }' models/imports.hbm >>imports.hbm
check same_model sh -c "'$ADAVIC' --emit=model models/imports.hbm >a && '$ADAVIC' --emit=model imports.hbm >b && cmp a b"
check ast_shows_what_is_read sh -c "'$ADAVIC' --emit=ast models/imports.hbm | grep -q '^        fn two$'"

# Where files are looked for.
mkdir lib other
echo 'latent mu ~ normal(0, 1);' >lib/part.hbm
echo 'latent mu ~ normal(0, 2);' >other/part.hbm
printf 'import "part.hbm";\nobserved x ~ normal(mu, 1);\n' >model.hbm
refuses not_found 1 "no file .part.hbm. to import; looked in \.$" "$ADAVIC" --emit=model model.hbm
refuses not_found_anywhere 1 "looked in \., models, lib/deep$" "$ADAVIC" --emit=model model.hbm -I models -Ilib/deep
mkfifo pipe.hbm
echo 'import "pipe.hbm";' >piped.hbm
refuses a_pipe 1 "piped.hbm:1:8: error E0542.*no regular file" timeout 10 "$ADAVIC" --emit=model piped.hbm
check in_a_folder sh -c "'$ADAVIC' --emit=model -I lib -I other model.hbm | grep -q 'normal(0, 1) on real'"
check in_the_first_folder sh -c "'$ADAVIC' --emit=model -I other -I lib model.hbm | grep -q 'normal(0, 2) on real'"
echo 'latent mu ~ normal(0, 3);' >part.hbm
check beside_the_model_first sh -c "'$ADAVIC' --emit=model -I lib model.hbm | grep -q 'normal(0, 3) on real'"
check from_standard_input sh -c "cd lib && '$ADAVIC' --emit=model - <../model.hbm | grep -q 'normal(0, 1) on real'"
ln -s part.hbm same.hbm
check once_by_any_name sh -c "printf 'import \"same.hbm\"; import \"./part.hbm\"; observed x ~ normal(mu, 1);' | '$ADAVIC' --emit=model -"
check absolute sh -c "echo \"import \\\"\$PWD/part.hbm\\\"; observed x ~ normal(mu, 1);\" | '$ADAVIC' --emit=model -"
check defines_reach_in sh -c "'$ADAVIC' --emit=model -D D=3 models/imports.hbm | grep -q 'latent m\[3\]'"

# Messages name the imported file.
echo 'latent mu ~ normla(0, 1);' >part.hbm
refuses errors_name_the_file 1 "^part.hbm:1:13: error E0206" "$ADAVIC" --emit=model model.hbm
