#!/bin/bash
# The comparisons of the ADAVI paper (Rouillard & Wassermann, 2022), run again from the model files: writes docs/paper.md
# and its figures. See README.md beside this file.
#
# BUDGET=60       seconds of training per row at 3 groups; larger problems get more (see `budget`)
# PARTS="gre nc"  these parts alone, printed but not written; all: gre objectives nc gm
# SEEDS           of the training; default 1     Other settings: common.inc.
WHO=paper
SEEDS=${SEEDS:-1}
. "$(dirname "$0")/common.inc"
BUDGET=${BUDGET:-60}
PARTS=${PARTS:-}
all="gre objectives nc gm"
out=$dir/paper.md
figures=$dir/figures
mkdir -p "$figures"
: >"$out"
MODELS=$dir

line() { echo "$*" >>"$out"; }

# ---- the methods: name, options of adavic, options of train, row of the published tables ----

methods='default|||
no-exact|--no-exact|--objective reverse-kl|
no-exact, annealed|--no-exact --objective=annealed:1,reverse-kl:4|--objective annealed:1,reverse-kl:4|
published design|--paper||ADAVI
adavi|--family=adavi||ADAVI
mean-field|--family=mean-field||MF-VI
total-flow, reverse KL|--family=total-flow||TLSF-A
total-flow, forward KL|--family=total-flow --objective=forward-kl|--objective forward-kl|NPE-C
cascading|--family=cascading||CF-A'

# Rows of the paper's tables 1 and 2: experiment, method, ELBO (nats), weights, seconds.
published='gre 3|MF-VI|245|10|5 (one data set)
gre 3|NPE-C|233|12,000|920
gre 3|TLSF-A|237|12,000|9,400
gre 3|CF-A|236|16,000|7,400
gre 3|ADAVI|225|12,000|11,000
gre 30|MF-VI|2440|60|18 (one data set)
gre 30|NPE-C|2360|68,000|6,000
gre 30|TLSF-A|2270|68,000|130,000
gre 30|CF-A|2380|490,000|68,000
gre 30|ADAVI|2320|12,000|140,000
gre 300|MF-VI|24400|600|240 (one data set)
gre 300|NPE-C|19500|3,200,000|72,000
gre 300|TLSF-A|20200|3,200,000|2,800,000
gre 300|CF-A|23800|4,900,000|580,000
gre 300|ADAVI|22400|12,000|1,300,000
nc|MF-VI|-21.0||17 (one data set)
nc|CF-A|-17.5||220
nc|ADAVI|-17.6||1,000
gm|MF-VI|171||23 (one data set)
gm|NPE-C|-27,000||1,300
gm|TLSF-A|-530||360,000
gm|CF-A|-7,000||23,000
gm|ADAVI|-494||150,000'

published_row() { # EXPERIMENT METHOD: the last three cells
    local found
    found=$(grep -F "$1|$2|" <<<"$published" | head -n 1 | cut -d '|' -f 3- | sed 's/|/ | /g')
    echo "${found:- |  | }"
}

field() { sed -n "s/.*\"$1\": \([-0-9.e+]*\).*/\1/p" "$2" | head -n 1; }
thousands() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"; }
mean_elbo() { grep -o '"elbo": [-0-9.e+]*' "$@" | awk '{ s += $NF; n++ } END { printf "%.2f", s / n }'; }

# ---- one experiment: all methods on the same fresh data ----

# NAME of a model in $dir, its name for `gap` (or -), data sets, seconds of training, what the tables call it
experiment() {
    local model=$1 known=$2 sets=$3 time=$4 label=$5 log_evidence=""
    line "| method | weights | training, s | steps | ELBO | gap to the evidence | k-hat over its limit | published: ELBO | weights | seconds |"
    line "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    compile "$model" "$model"
    "$dir/$model" simulate --count "$sets" --seed 1000 --quiet --out "$dir/$model.bin" >/dev/null
    while IFS='|' read -r method options settings row; do
        method_row "$model" "$known" "$time" "$label" "$method" "$options" "$settings" "${row// /}"
    done <<<"$methods"
    [ -z "$log_evidence" ] || { line; line "Mean log evidence of these data sets: $log_evidence."; }
}

method_row() {
    local model=$1 known=$2 time=$3 label=$4 method=$5 options=$6 settings=$7 row=$8
    local name=$model.${method//[ ,]/_} files=() steps="" seconds="" seed gap="" above
    # shellcheck disable=SC2086  # options are words
    compile "$name" "$model" $options 2>"$dir/error"
    if [ ! -x "$dir/$name" ]; then
        line "| $method | refused: $(sed -n 's/.*error[^:]*: //p' "$dir/error" | head -n 1) | | | | | | $(published_row "$label" "$row") |"
        return
    fi
    for seed in $SEEDS; do
        # shellcheck disable=SC2086
        train "$name" "$time" "$seed" $settings
        "$dir/$name" elbo "$dir/$model.bin" --batch --draws 1000 --seed 77 --threads "$THREADS" --json \
            --weights "$dir/$name.$seed.weights" >"$dir/$name.$seed.elbo" 2>/dev/null
        files+=("$dir/$name.$seed.elbo")
        steps+=" $(field steps "$dir/$name.$seed.train")"
        seconds+=" $(awk "BEGIN { printf \"%.0f\", $(field seconds "$dir/$name.$seed.train") + 0 }")"
    done
    if [ "$known" != - ]; then
        read -r mean se _ <<<"$("$dir/gap" "$known" "$dir/$model.bin" "${files[@]}")"
        gap="$mean ± $se"
        log_evidence=$(awk "BEGIN { printf \"%.2f\", $(mean_elbo "${files[@]}") + $mean }")
    fi
    above=$(grep -oh '"khat": [-0-9.]*' "${files[@]}" | awk '{ n++; high += $2 > 0.667 } END { printf "%.0f %%", 100 * high / n }')
    local weights
    weights=$("$dir/$name" info --json --weights "$dir/$name.${SEEDS%% *}.weights" | sed -n 's/.*"weights": \([0-9]*\).*/\1/p')
    line "| $method | $(thousands "$weights") |$seconds |$steps | $(mean_elbo "${files[@]}") | $gap | $above | $(published_row "$label" "$row") |"
    say "$label, $method: ELBO $(mean_elbo "${files[@]}"), gap ${gap:-unknown}"
    echo "$method|$label|${gap%% *}|$weights|${seconds# }" >>"$dir/rows.txt"
}

# Larger problems have longer steps: time grows with the square root of the size.
budget() { awk "BEGIN { printf \"%d\", $BUDGET * $1 + 0.5 }"; }

# ---- parts ----

part_gre() {
    local g
    line; line "## Gaussian random effects (the paper's table 2 and figure 3)"; line
    line "2 dimensions, 50 observations in each of G groups, scales 0.5, 0.5, 0.1. Means over ${1} fresh data sets. A negative gap would"
    line "overstate the evidence. Training of the paper's rows is in seconds of CPU."
    for g in 3 30 300; do
        sed "s/plate group(3)/plate group($g)/" examples/gre.hbm >"$dir/gre$g.hbm"
        line; line "### G = $g"; line
        experiment "gre$g" gre "$1" "$(budget "$(awk "BEGIN { print sqrt($g / 3) }")")" "gre $g"
    done
}

part_nc() {
    line; line "## A non-conjugate model (table 1, NC)"; line
    cp examples/nc.hbm "$dir/nc.hbm"
    experiment nc nc "$1" "$BUDGET" nc
}

part_gm() {
    [ -f examples/gm.hbm ] || return
    line; line "## A Gaussian mixture with random effects (table 1, GM)"; line
    line "The label of each observation is summed out. The mean evidence of fresh data is 284.9, 283.1 in one of the 3! orders of the"
    line "components."
    line
    cp examples/gm.hbm "$dir/gm.hbm"
    experiment gm - "$1" "$(budget 2)" gm
}

# Table 3: what 200 and 1,000 updates bring by each objective, in nats from the posterior (the gap is that divergence).
part_objectives() {
    local objective steps seed
    line; line "## Objectives (table 3)"; line
    line "The published design on G = 3, 10 data sets and 10 draws a step: divergence of the guide from the posterior in nats, mean over"
    line "$1 fresh data sets, after so many updates, by seed. The paper's numbers come from its code, whose step updates twice."
    line
    line "| objective | 200 updates | 1,000 updates | published: 200 | 1,000 |"
    line "| --- | --- | --- | --- | --- |"
    cp examples/gre.hbm "$dir/gre3.hbm"
    compile gre3 gre3
    "$dir/gre3" simulate --count "$1" --seed 1000 --quiet --out "$dir/gre3.bin" >/dev/null
    for objective in forward-kl unregularised reverse-kl; do
        local cells=""
        compile "gre3.$objective" gre3 --paper "--objective=$objective"
        for steps in 200 1000; do
            local gaps=""
            for seed in $SEEDS; do
                "$dir/gre3.$objective" train --steps $steps --sets 10 --draws 10 --objective $objective --seed "$seed" --quiet \
                    --weights "$dir/objective" >/dev/null
                "$dir/gre3.$objective" elbo "$dir/gre3.bin" --batch --draws 1000 --seed 77 --json --weights "$dir/objective" \
                    >"$dir/objective.elbo" 2>/dev/null
                gaps+=" $("$dir/gap" gre "$dir/gre3.bin" "$dir/objective.elbo" | awk '{ printf "%.3g", $1 }')"
            done
            cells+="$gaps |"
        done
        case $objective in
        forward-kl) line "| $objective |$cells 3848 | 2855 |" ;;
        unregularised) line "| $objective |$cells 6.6 | 6.2 |" ;;
        reverse-kl) line "| $objective |$cells 12.3 | 3.0 |" ;;
        esac
    done
}

# ---- the figure: gap and weights against the number of groups ----

figure() {
    command -v gnuplot >/dev/null || { say "no gnuplot: no figure"; return; }
    grep -q '|gre 30|' "$dir/rows.txt" 2>/dev/null || return
    local method plots="" weights="" n=0
    local colours=(black gray50 gray75 '#d62728' '#1f77b4' '#17becf' '#2ca02c' '#9467bd' '#ff7f0e')
    while IFS='|' read -r method _; do
        n=$((n + 1))
        awk -F '|' -v m="$method" '$1 == m && $2 ~ /^gre/ { split($2, a, " "); g = $3 < 1e-4 ? 1e-4 : $3; print a[2], g, $4 }' \
            "$dir/rows.txt" >"$dir/figure.$n"
        plots+="'$dir/figure.$n' using 1:2 with linespoints lw 2 pt 7 ps 0.6 lc rgb '${colours[n - 1]}' title '$method', "
        weights+="'$dir/figure.$n' using 1:3 with linespoints lw 2 pt 7 ps 0.6 lc rgb '${colours[n - 1]}' notitle, "
    done <<<"$methods"
    gnuplot <<GNUPLOT || say "gnuplot failed"
set terminal svg size 900,480 font 'sans,12' background 'white'
set output '$figures/gre.svg'
set multiplot layout 1,2
set logscale xy
set xtics (3, 30, 300)
set xrange [2:450]
set xlabel 'groups'
set ylabel 'gap to the evidence, nats (at least 0.0001)'
set format y '10^{%T}'
set key outside below maxrows 3 font ',9'
plot ${plots%, }
set ylabel 'weights'
plot ${weights%, }
unset multiplot
GNUPLOT
    [ -s "$figures/gre.svg" ] && { line; line "![Gap to the evidence and number of weights against the number of groups, by method.](figures/gre.svg)"; }
}

write_out() {
    echo "# The paper's experiments"
    echo
    echo "By \`make paper\`, BUDGET=$BUDGET: so many seconds of training at 3 groups, $THREADS threads of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), seeds $SEEDS, all from the model files in \`examples/\`. Every method is this compiler's, by its options (\`--family\`, \`--paper\`, \`--no-exact\`, \`--objective\`); published rows are those of Rouillard & Wassermann (2022), with their names. ELBOs are of 1,000 draws; a gap is log evidence less ELBO, paired over data sets, ± its standard error."
    cat "$out"
}

for name in $PARTS; do
    case " $all " in
    *" $name "*) ;;
    *) say "no part is called $name; there are: $all"; exit 2 ;;
    esac
done
tool gap
sets=200
[ -z "$QUICK" ] || sets=20
for name in $all; do
    case " ${PARTS:-$name} " in *" $name "*) "part_$name" $sets ;; esac
    [ "$name" != gre ] || figure
done
write_out >"$dir/written"
cat "$dir/written"
if [ -z "$PARTS" ]; then
    mkdir -p docs/figures
    cp "$dir/written" docs/paper.md
    [ ! -s "$figures/gre.svg" ] || cp "$figures/gre.svg" docs/figures/gre.svg
fi
