# Data that does not fit is refused with the place, the shape expected and the way out; nothing is written.
. "$ROOT/tests/cli/common.inc"
compile gre "$ROOT/examples/gre.hbm"
compile pastes "$ROOT/examples/pastes.hbm"
./gre train --steps 5 --quiet || echo "not ok train_gre: exit status $?"
./pastes train --steps 5 --quiet || echo "not ok train_pastes: exit status $?"

# ---- .bin ----
./gre simulate --count 1 --out data.bin
check right_bin ./gre infer data.bin
head -c 1100 data.bin >short.bin
refuses bin_of_no_whole_group 1 "50" ./gre infer short.bin --out out.npz
head -c 1199 data.bin >odd.bin
refuses bin_of_odd_bytes 1 "odd.bin" ./gre infer odd.bin --out out.npz
: >empty.bin
refuses empty_bin 1 "empty.bin" ./gre infer empty.bin --out out.npz
cat data.bin data.bin >two.bin
check two_bins_in_a_batch ./gre infer two.bin --batch
cp data.bin nan.bin
printf '\x00\x00\xc0\x7f' | dd of=nan.bin bs=4 seek=100 conv=notrunc 2>/dev/null
refuses nan_in_bin 1 "x\[1,0,0\]" ./gre infer nan.bin --out out.npz
cp data.bin inf.bin
printf '\x00\x00\x80\x7f' | dd of=inf.bin bs=4 seek=299 conv=notrunc 2>/dev/null
refuses inf_in_bin 1 "x\[2,49,1\]" ./gre infer inf.bin --out out.npz
refuses missing_data 1 "none.bin" ./gre infer none.bin --out out.npz
refuses unknown_ending 1 "data.xyz" ./gre infer data.xyz --out out.npz
refuses no_data 2 "DATA" ./gre infer

# ---- .npz ----
./gre simulate --count 1 --out data.npz
check right_npz ./gre infer data.npz
head -c 300 data.npz >short.npz
refuses truncated_npz 1 "short.npz" ./gre infer short.npz --out out.csv
cp data.bin not.npz
refuses not_an_npz 1 "not.npz" ./gre infer not.npz --out out.csv

# ---- .csv ----
good=$ROOT/examples/data/pastes.csv
check right_csv ./pastes infer "$good"
sed '5s/,[^,]*$/,/' "$good" >missing.csv
refuses missing_cell 1 "missing.csv:5\|row 5\|line 5" ./pastes infer missing.csv --out out.npz
sed '5s/,[^,]*$/,NA/' "$good" >na.csv
refuses na_cell 1 "na.csv:5\|row 5\|line 5" ./pastes infer na.csv --out out.npz
sed '5s/,[^,]*$/,sixty/' "$good" >text.csv
refuses text_in_a_number 1 "sixty" ./pastes infer text.csv --out out.npz
sed '5s/,[^,]*$/,inf/' "$good" >inf.csv
refuses infinite_number 1 "inf.csv" ./pastes infer inf.csv --out out.npz
{ cat "$good"; sed -n 2p "$good"; } >twice.csv
refuses duplicate_key 1 "twice.csv" ./pastes infer twice.csv --out out.npz
sed '$d' "$good" >unbalanced.csv
refuses unbalanced 1 "unbalanced.csv" ./pastes infer unbalanced.csv --out out.npz
sed 's/,[^,]*$//' "$good" >nocolumn.csv
refuses missing_column 1 "strength" ./pastes infer nocolumn.csv --out out.npz
sed '7s/$/,1/' "$good" >ragged.csv
refuses too_many_cells 1 "ragged.csv:7\|row 7\|line 7" ./pastes infer ragged.csv --out out.npz
head -n 1 "$good" >header.csv
refuses header_alone 1 "header.csv" ./pastes infer header.csv --out out.npz
{ sed -n 1p "$good"; sed 1d "$good" | shuf --random-source="$good"; } >shuffled.csv
check rows_in_any_order ./pastes infer shuffled.csv
sed 's/$/\r/' "$good" >dos.csv
check dos_line_ends ./pastes infer dos.csv

# ---- the same table in other clothes ----
same() { # NAME FILE: its answer is that of the table itself, labels and all
    check "$1" sh -c './pastes infer "$1" --draws 200 --json | sed "s/\"seconds\".*//" >got.json && cmp got.json want.json' sh "$2"
}
./pastes infer "$good" --draws 200 --json | sed 's/"seconds".*//' >want.json
tr , '\t' <"$good" >tabs.tsv
same tabs tabs.tsv
awk -F, '{if (NR == 1) $0 = toupper($0); gsub(",", ";"); gsub("\\.", ","); print}' "$good" >comma.csv
same decimal_commas_and_upper_case comma.csv
gzip -c "$good" >packed.csv.gz
same gzipped packed.csv.gz
{ printf '\xef\xbb\xbf'; sed 's/[^,]*/"&"/g; s/$/\r/' "$good"; } >quoted.csv
same byte_order_mark_and_quotes quoted.csv
check labels_in_json grep -q '"c\[0,1\]": {[^}]*"labels": \["A", "b"\]' want.json
sed '5s/,[^,]*$/,2-Jan/' "$good" >dates.csv
refuses date_in_a_number 1 "looks like a date" ./pastes infer dates.csv --out out.npz
sed '1s/$/,Strength/; 2,$s/$/,1/' "$good" | sed '1s/,strength,/,STRENGTH,/' >cases.csv
refuses columns_that_differ_in_case 1 "cases.csv:1:5: two columns that differ from strength in case alone" ./pastes infer cases.csv --out out.npz
sed '1s/$/,strength/; 2,$s/$/,1/' "$good" >double.csv
refuses column_twice 1 "columns 4 and 5" ./pastes infer double.csv --out out.npz
./pastes infer "$good" --draws 200 --out draws.csv --quiet
check labels_in_draws grep -q '^# labels {"batch": \["A", .*"cask": \[\["a", "b", "c"\], ' draws.csv
./pastes infer "$good" --draws 200 --out draws.npz --quiet
check labels_in_arrays grep -q 'labels/cask.npy' draws.npz

# ---- .json, in cmdstan's convention ----
awk -F, 'NR > 1 {v[NR] = $4} END {printf "{\"N\": 60, \"strength\": [";
    for (i = 0; i < 60; i++) printf "%s%s%s%s", i ? ", " : "", i % 6 ? i % 2 ? "" : "[" : "[[", v[i + 2], i % 2 ? (i % 6 == 5 ? "]]" : "]") : ""
    print "]}"}' "$good" >data.json
check json sh -c './pastes infer data.json --draws 200 --json 2>said | sed "s/, \"labels\": \[[^]]*\]//g; s/\"seconds\".*//" >got.json &&
    sed "s/, \"labels\": \[[^]]*\]//g" want.json | cmp got.json - && grep -q "warning: data.json: the model reads nothing called N" said'
sed 's/\[\[62.8, 62.6\]/[[62.8]/' data.json >uneven.json
refuses uneven_json 1 "uneven.json:1:.*unequal size within strength" ./pastes infer uneven.json --out out.npz
