# A weights file that is not right is refused with the reason; the file itself stays as it is.
. "$ROOT/tests/cli/common.inc"
compile gre "$ROOT/examples/gre.hbm"
compile pastes "$ROOT/examples/pastes.hbm"
./gre simulate --count 1 --out data.bin
./gre train --steps 5 --quiet || echo "not ok train: exit status $?"
cp gre.weights good.weights

refuses missing 1 "none.weights.*train\|train.*none.weights" ./gre infer data.bin --weights none.weights
: >gre.weights
refuses empty 1 "gre.weights" ./gre infer data.bin
head -c 100 good.weights >gre.weights
refuses truncated_in_header 1 "gre.weights" ./gre infer data.bin
head -c "$(($(stat -c %s good.weights) - 1))" good.weights >gre.weights
refuses truncated_by_a_byte 1 "gre.weights" ./gre infer data.bin
{ cat good.weights; echo; } >gre.weights
refuses longer_by_a_byte 1 "gre.weights" ./gre infer data.bin
size=$(stat -c %s good.weights)
for place in 1 $((size / 3)) $((size / 2)) $((size - 20)); do
    cp good.weights gre.weights
    byte=$(od -An -tu1 -j "$place" -N 1 good.weights)
    printf "\\x$(printf %x $((byte ^ 16)))" | dd of=gre.weights bs=1 seek="$place" conv=notrunc 2>/dev/null
    refuses "flipped_at_$((place * 100 / size))_percent" 1 "gre.weights" ./gre infer data.bin
done
head -c 20000 "$ADAVIC" >gre.weights
refuses no_weights_file_at_all 1 "gre.weights" ./gre infer data.bin
cp good.weights pastes.weights
refuses of_another_model 1 "pastes.weights.*\(model\|gre\)" ./pastes infer "$ROOT/examples/data/pastes.csv"
cp good.weights gre.weights
check right_again ./gre infer data.bin
if [ "$(id -u)" != 0 ]; then
    mkdir locked
    chmod a-w locked
    refuses folder_not_writable 1 "locked" ./gre train --steps 5 --quiet --weights locked/gre.weights
fi
refuses folder_missing 1 "missing" ./gre train --steps 5 --quiet --weights missing/gre.weights
