# Models and files that cannot be compiled: exit 1, a message, nothing written.
. "$ROOT/tests/cli/common.inc"
gre=$ROOT/examples/gre.hbm

refuses missing_file 1 "cannot read none.hbm: No such file" "$ADAVIC" none.hbm -o out
mkdir folder.hbm
refuses folder_as_model 1 "cannot read folder.hbm" "$ADAVIC" folder.hbm -o out
: >empty.hbm
refuses empty_model 1 "error E" "$ADAVIC" empty.hbm -o out
echo 'latent mu ~ nromal(0, 1); observed x ~ normal(mu, 1);' >misspelt.hbm
refuses misspelt_distribution 1 "did you mean .normal" "$ADAVIC" misspelt.hbm -o out
echo 'latent mu ~ normal(0, 1) observed x ~ normal(mu, 1);' >syntax.hbm
refuses syntax_error 1 "syntax.hbm:1:.*error E0102" "$ADAVIC" syntax.hbm -o out
head -c 4096 "$ADAVIC" >binary.hbm
refuses binary_file 1 "binary.hbm:1:" "$ADAVIC" binary.hbm -o out
printf 'latent mu ~ normal(0, 1);\0latent' >zero.hbm
refuses zero_byte 1 "error E" "$ADAVIC" zero.hbm -o out
head -c 100000 /dev/zero | tr '\0' '(' >deep.hbm
refuses deep_nesting 1 "error E" "$ADAVIC" deep.hbm -o out
refuses broken_but_emit 1 "error E" "$ADAVIC" --emit=llvm misspelt.hbm -o out.ll

mkdir folder
refuses output_is_a_folder 1 "is a directory" "$ADAVIC" "$gre" -o folder
refuses output_cannot_be_written 1 "cannot write" "$ADAVIC" "$gre" -o missing/out
cp "$gre" gre
refuses output_would_overwrite_the_model 1 "would be overwritten" "$ADAVIC" gre
refuses no_cc 1 "needs the command .cc" env PATH=/nowhere "$ADAVIC" "$gre" -o out
refuses no_temporary_directory 1 "temporary directory" env TMPDIR=/nowhere "$ADAVIC" "$gre" -o out
TMPDIR=$PWD/tmp
mkdir tmp
TMPDIR=$PWD/tmp PATH=/nowhere "$ADAVIC" "$gre" -o out 2>/dev/null
check temporary_directory_is_removed rmdir tmp

echo 'nonsense' >bad.ir
refuses bad_ir 1 "bad.ir: line 1" "$ADAVIC" --run=fold bad.ir
head -c 4096 "$ADAVIC" >binary.ir
refuses binary_ir 1 "binary.ir: line" "$ADAVIC" --run=fold binary.ir

# limits, which take files too long to keep
{ head -c 5000000 /dev/zero | tr '\0' ' '; cat "$gre"; } >long.hbm
refuses file_too_large 1 "error E0605: file of 50" "$ADAVIC" long.hbm -o out
for i in $(seq 1100); do echo "hyper h$i = 1;"; done | cat - "$gre" >many.hbm
refuses too_many_names 1 "error E0608: more than" "$ADAVIC" many.hbm -o out
