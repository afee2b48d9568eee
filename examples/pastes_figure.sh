#!/bin/sh
# Draws the figure of docs/tutorial.md from the draws of `./pastes infer --out draws.csv`:
#
#   examples/pastes_figure.sh draws.csv examples/data/pastes.csv figure      # figure.svg and figure.png
#
# Left: all casks by batch, posterior intervals with the assays. Right: the three standard deviations.
set -eu
export LC_ALL=C
if [ $# != 3 ]; then
    echo "usage: $0 DRAWS.csv DATA.csv NAME      (writes NAME.svg and NAME.png)" >&2
    exit 2
fi
draws=$1 data=$2 name=$3
for file in "$draws" "$data"; do
    [ -r "$file" ] || { echo "$0: cannot read $file" >&2; exit 1; }
done
if ! command -v gnuplot >/dev/null 2>&1; then
    echo "$0: the figure needs gnuplot, which is not installed (Debian: apt-get install gnuplot-nox)" >&2
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A row per column of the draws: its name, then its 5, 25, 50, 75 and 95 % quantiles.
grep -v '^#' "$draws" | awk -F, '
    NR == 1 {for (i = 1; i <= NF; i++) name[i] = $i; next}
    {for (i = 1; i <= NF; i++) print name[i], $i}' | sort -k1,1 -k2,2g | awk '
    function at(p,  k, i) {k = 1 + p * (n - 1); i = int(k); return x[i] + (i < n ? (k - i) * (x[i + 1] - x[i]) : 0)}
    function finish() {if (n) print last, at(.05), at(.25), at(.5), at(.75), at(.95)}
    $1 != last {finish(); n = 0; last = $1}
    {x[++n] = $2}
    END {finish()}' >"$work/quantiles"
if ! grep -q '^c\.1\.1 ' "$work/quantiles"; then
    echo "$0: $draws has no column c.1.1: are these draws of examples/pastes.hbm, written by infer --out?" >&2
    exit 1
fi

# Casks side by side, a gap between batches: cask k of batch i stands at 4 (i - 1) + k.
awk '$1 ~ /^c\./ {split($1, part, "."); $1 = 4 * (part[2] - 1) + part[3]; print}' "$work/quantiles" >"$work/casks"
awk '$1 ~ /^b\./ {split($1, part, "."); $1 = 4 * (part[2] - 1) + 2; print}' "$work/quantiles" >"$work/batches"
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) column[$i] = i; next}
    {b = $column["batch"]; c = b "/" $column["cask"]
     if (!(b in batch)) batch[b] = ++batches
     if (!(c in cask)) cask[c] = ++casks[b]
     print 4 * (batch[b] - 1) + cask[c], $column["strength"], b}' "$data" >"$work/assays"
awk '!seen[$3]++ {printf "%s\"%s\" %d", n++ ? ", " : "", $3, 4 * n - 2}' "$work/assays" >"$work/labels"

# Histograms of the standard deviations, as densities; by column and width of a bin.
for sd in sd_batch:0.1 sd_cask:0.1 sd_assay:0.05; do
    grep -v '^#' "$draws" | awk -F, -v sd="${sd%:*}" -v width="${sd#*:}" '
        NR == 1 {for (i = 1; i <= NF; i++) if ($i == sd) column = i; next}
        {bin = int($column / width); count[bin]++; if (bin > most) most = bin; n++}
        END {for (b = 0; b <= most + 1; b++) print b * width, count[b] / n / width}' >"$work/${sd%:*}"
done

plot() { # TERMINAL OUTPUT
    gnuplot <<GNUPLOT
set terminal $1
set output "$2"
set multiplot
set border 3 lw 1 lc rgb "#444444"
set tics nomirror out textcolor rgb "#222222"
dark = "#1b4f72"; mild = "#2e86c1"; grey = "#d5d8dc"; data = "#c0392b"

set lmargin at screen 0.065; set rmargin at screen 0.655; set tmargin at screen 0.82; set bmargin at screen 0.14
set label 9 "Casks by batch" at screen 0.065,0.955 left
set key at graph 0.0,1.125 left top horizontal Left reverse samplen 2 width 1
set xrange [0:40]; set xtics ($(cat "$work/labels")) scale 0; set xlabel "batch (three casks each)"
set ylabel "strength" offset 1,0
plot "$work/batches" using (\$1-1.6):2:(\$1-1.6):(\$1+1.6):2:6 with boxxyerror fs solid noborder lc rgb grey title "batch, 90 %", \\
     "" using (\$1-1.6):4:(3.2):(0) with vectors nohead lw 1.5 lc rgb "#85929e" title "its median", \\
     "$work/casks" using 1:2:(0):(\$6-\$2) with vectors nohead lw 1.6 lc rgb mild title "cask, 90 %", \\
     "" using 1:3:(0):(\$5-\$3) with vectors nohead lw 5 lc rgb dark title "cask, 50 %", \\
     "$work/assays" using (\$1+0.35):2 with points pt 6 ps 0.55 lw 1.5 lc rgb data title "assays"

set lmargin at screen 0.735; set rmargin at screen 0.985
set label 9 "Where the variation comes from" at screen 0.735,0.955 left
unset key
set xrange [0:5]; set xtics 1 scale 0.5; set xlabel "standard deviation of strength"
set yrange [0:*]; set ylabel "posterior density" offset 1,0
set style fill transparent solid 0.45 noborder
set label 1 "assays" at 1.15,2.7 textcolor rgb data
set label 2 "casks" at 3.15,1.0 textcolor rgb dark
set label 3 "batches" at 1.3,0.56 textcolor rgb "#566573"
plot "$work/sd_assay" using 1:2 with fillsteps lc rgb data notitle, \\
     "$work/sd_cask" using 1:2 with fillsteps lc rgb dark notitle, \\
     "$work/sd_batch" using 1:2 with fillsteps lc rgb "#85929e" notitle
GNUPLOT
}
plot 'svg size 1000,470 font "sans-serif,12" background rgb "white" dynamic' "$name.svg"
plot 'pngcairo size 1000,470 font "sans,10"' "$name.png"
echo "wrote $name.svg and $name.png"
