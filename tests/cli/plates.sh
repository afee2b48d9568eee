# Plates in expressions: reductions over their instances and their sizes, from the text to draws.
. "$ROOT/tests/cli/common.inc"
compile reductions "$ROOT/tests/models/reductions.hbm"
check trains_without_skipped_steps sh -c './reductions train --steps 60 2>train.err && grep -q "(0 skipped)" train.err'
check simulates ./reductions simulate --out s.npz
check infers_the_quantity sh -c './reductions infer s.npz --draws 100 --json >i && grep -q "\"spread\[1\]\": {\"mean\": [0-9]" i'
check analysis_says_tied sh -c "'$ADAVIC' --emit=analysis '$ROOT/tests/models/reductions.hbm' | tr -s ' \n' ' ' | grep -q 'tied by a reduction over them in .x.'"

# A sum runs over as many instances as the data has, whatever training saw.
cat >total.hbm <<'M'
latent m ~ normal(0, 1);
plate k(2..6) { latent b ~ normal(m, 1); observed x ~ normal(b, 1); }
quantity total = sum(k: b);
quantity again = k.size * mean(k: b);
M
compile total total.hbm
check total_trains ./total train --steps 30 --quiet
check total_at_another_size sh -c './total simulate --size k=4 --out s.npz -q && ./total infer s.npz --json >i'
check sum_is_size_times_mean sh -c 'sed "s/.*\"total\": \({[^}]*}\).*/\1/" i >a; sed "s/.*\"again\": \({[^}]*}\).*/\1/" i >b
    awk -F "[:,}]" "NR == FNR {x = \$2; next} {d = x - \$2; exit !(d < 1e-4 && d > -1e-4)}" a b'

# Plates in pieces.
compile reopened "$ROOT/tests/models/reopened.hbm"
check reopened_trains ./reopened train --steps 30 --quiet
check reopened_infers sh -c './reopened simulate --out s.npz -q && ./reopened infer s.npz --json | grep -q "\"v\[2,3\]\""'
