#!/bin/bash
# The comparisons of the ADAVI paper (Rouillard & Wassermann, 2022), run again from the model files: writes docs/paper.md
# and its figures (figures.inc). See README.md beside this file.
#
# BUDGET=60       seconds of training per row at 3 groups; larger problems get more (see `budget`)
# PARTS="gre nc"  these parts alone, printed but not written; all: gre objectives budgets nc gm mshbm
# SEEDS           of the training; default 1     Other settings: common.inc.
# FIGURES=DIR     where figures are drawn; only a full run copies them to docs/figures
# FITS=10         data sets that each method is fitted to one by one (at 30 groups half as many, at 300 a third)
# KEEP=DIR        where finished parts, models and trainings stay, so that a run may be cut and go on, part by part; default
#                 build/paper/BUDGET-FITS, for this compiler
WHO=paper
SEEDS=${SEEDS:-1}
BUDGET=${BUDGET:-60}
PARTS=${PARTS:-}
FITS=${FITS:-10}
KEEP=${KEEP:-$(dirname "$0")/../../build/paper/$BUDGET-$FITS}
. "$(dirname "$0")/common.inc"
. tests/measure/figures.inc
all="gre objectives budgets nc gm mshbm"
figures=${FIGURES:-$dir/figures}
mkdir -p "$figures"
MODELS=$dir

line() { echo "$*" >>"$out"; }

# ---- the methods: name, options of adavic, options of train, row of the published tables ----

methods='default|||
no-exact|--no-exact|--objective reverse-kl|
no-exact, annealed|--no-exact --objective=annealed:1,reverse-kl:4|--objective annealed:1,reverse-kl:4|
published design|--paper||ADAVI
adavi|--family=adavi||ADAVI
mean-field|--family=mean-field||
total-flow, reverse KL|--family=total-flow||TLSF-A
total-flow, forward KL|--family=total-flow --objective=forward-kl|--objective forward-kl|NPE-C
cascading|--family=cascading||CF-A'

# Guides fitted to one data set by `fit`: method; row of the published tables; options of adavic, where it is none of the above.
fitted='default||
adavi||
mean-field|MF-VI|
total-flow, reverse KL|TLSF-NA|
total-flow, sequential|SNPE-C|--family=total-flow --objective=sequential
cascading|CF-NA|'

# Rows of the paper's tables 1 and 2: experiment, method, ELBO (nats), weights, seconds (-NA and MF-VI: of one data set).
published='gre 3|MF-VI|245|10|5
gre 3|TLSF-NA|233|18,000|80
gre 3|CF-NA|212|15,000|190
gre 3|SNPE-C|217|45,000|53,000
gre 3|NPE-C|233|12,000|920
gre 3|TLSF-A|237|12,000|9,400
gre 3|CF-A|236|16,000|7,400
gre 3|ADAVI|225|12,000|11,000
gre 30|MF-VI|2440|60|18
gre 30|TLSF-NA|2400|63,000|400
gre 30|CF-NA|2120|150,000|1,800
gre 30|SNPE-C|-18,700|140,000|320,000
gre 30|NPE-C|2360|68,000|6,000
gre 30|TLSF-A|2270|68,000|130,000
gre 30|CF-A|2380|490,000|68,000
gre 30|ADAVI|2320|12,000|140,000
gre 300|MF-VI|24400|600|240
gre 300|TLSF-NA|24300|960,000|5,300
gre 300|CF-NA|21200|1,500,000|30,000
gre 300|SNPE-C|-963,000|1,100,000|3,100,000
gre 300|NPE-C|19500|3,200,000|72,000
gre 300|TLSF-A|20200|3,200,000|2,800,000
gre 300|CF-A|23800|4,900,000|580,000
gre 300|ADAVI|22400|12,000|1,300,000
nc|MF-VI|-21.0||17
nc|CF-A|-17.5||220
nc|ADAVI|-17.6||1,000
gm|MF-VI|171||23
gm|TLSF-NA|181||330
gm|CF-NA|191||240
gm|SNPE-C|-14,800||70,000
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
# Of files of `elbo --json`: the share of data sets whose k-hat is over the limit of so many draws, min(1 - 1/log10 S, 0.7).
over_limit() {
    cat "$@" | grep -o '"draws": [0-9]*, "sets"\|"khat": [^,}]*' | awk '
        $1 == "\"draws\":" { s = $2 + 0; limit = 1 - log(10) / log(s); if (limit > 0.7) limit = 0.7; next }
        { n++; high += !($2 + 0 == $2 && $2 <= limit) }
        END { printf "%.0f %%", 100 * high / n }'
}
mean_elbo() { grep -o '"elbo": [-0-9.e+]*' "$@" | awk '{ s += $NF; n++ } END { printf "%.2f", s / n }'; }

# ---- one experiment: all methods on the same fresh data ----

# NAME of a model in $dir, its name for `gap` (or -), data sets, seconds of training, what the tables call it, how many data
# sets are fitted one by one
experiment() {
    local model=$1 known=$2 sets=$3 time=$4 label=$5 fits=$6 log_evidence=""
    line "| method | weights | training, s | steps | ELBO | gap to the evidence | k-hat over its limit | published: ELBO | weights | seconds |"
    line "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    compile "$model" "$model"
    "$dir/$model" simulate --count "$sets" --seed 1000 --quiet --out "$dir/$model.bin" >/dev/null
    while IFS='|' read -r method options settings row; do
        method_row "$model" "$known" "$time" "$label" "$method" "$options" "$settings" "${row// /}"
    done <<<"$methods"
    [ -z "$log_evidence" ] || { line; line "Mean log evidence of these data sets: $log_evidence."; }
    [ "$fits" -gt 0 ] || return
    fitted_rows "$model" "$known" "$sets" "$fits" "$(awk "BEGIN { t = $time / 12; printf \"%d\", t < 1 ? 1 : t + 0.5 }")" "$label"
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
        if ! train "$name" "$time" "$seed" $settings 2>"$dir/error"; then
            line "| $method | training ended: $(sed -n 's/^error: //p' "$dir/error" | head -n 1) | | | | | | $(published_row "$label" "$row") |"
            return
        fi
        "$dir/$name" elbo "$dir/$model.bin" --batch --draws 1000 --seed 77 --threads "$THREADS" --json --labels one \
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
    above=$(over_limit "${files[@]}")
    local weights
    weights=$("$dir/$name" info --json --weights "$dir/$name.${SEEDS%% *}.weights" | sed -n 's/.*"weights": \([0-9]*\).*/\1/p')
    line "| $method | $(thousands "$weights") |$seconds |$steps | $(mean_elbo "${files[@]}") | $gap | $above | $(published_row "$label" "$row") |"
    say "$label, $method: ELBO $(mean_elbo "${files[@]}"), gap ${gap:-unknown}"
    echo "$method|$label|${gap%% *}|$weights|${seconds# }" >>"$dir/rows.txt"
}

# Every method that `fit` serves, on the first of the data sets, one by one; beside it the same guide amortised.
fitted_rows() {
    local model=$1 known=$2 sets=$3 fits=$4 time=$5 label=$6 method row options bytes
    bytes=$(stat -c %s "$dir/$model.bin")
    head -c $((bytes / sets * fits)) "$dir/$model.bin" >"$dir/$model.few.bin"
    line; line "Fitted (\`fit\`) to the first $fits of these data sets, one by one, $time s each (± is over data sets; the draws' own error, about .001, is not in it; sequential: in 5 rounds, what its steps led to, even where \`fit\` keeps its start):"; line
    line "| method | s a data set | steps | ELBO | gap to the evidence | k-hat over its limit | amortised, on these: ELBO | gap | published: ELBO | weights | seconds |"
    line "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    while IFS='|' read -r method row options; do
        fitted_row "$model" "$known" "$fits" "$time" "$label" "$method" "$row" "$options"
    done <<<"$fitted"
}

# The first N (or all) data sets of a file of `elbo --json` or `fit --json`, as one of the former.
as_elbo() { # FILE [N]
    echo "{\"draws\": $(field draws "$1"), \"sets\": ["
    paste -d '|' <(grep -o '"elbo": [^,}]*' "$1") <(grep -o '"khat": [^,}]*' "$1") | head -n "${2:-1000000}" | sed 's/\(.*\)|\(.*\)/{\1, \2},/; $s/,$//'
    echo "]}"
}

# Of `fit --json`, the ELBOs after its steps, whether or not it kept what they led to.
after_steps() { # FILE
    echo "{\"draws\": $(field draws "$1"), \"sets\": ["
    paste -d ' ' <(grep -o '"elbo_start": [^,}]*' "$1") <(grep -o '"gain": [^,}]*' "$1") |
        awk '{ printf "%s{\"elbo\": %.9g, \"khat\": 0}", (NR > 1 ? ",\n" : ""), $2 + $4 }'
    echo "]}"
}

# Components that may be exchanged: the ELBO of each method in all their orders, where its guide has a density.
all_orders() { # MODEL
    local model=$1 method name cells=""
    while IFS='|' read -r method _; do
        name=$model.${method//[ ,]/_}
        "$dir/$name" elbo "$dir/$model.bin" --batch --draws 1000 --seed 77 --threads "$THREADS" --json --labels mixture \
            --weights "$dir/$name.${SEEDS%% *}.weights" >"$dir/$name.mixture" 2>/dev/null || continue
        cells+="${cells:+, }$method $(mean_elbo "$dir/$name.mixture")"
    done <<<"$methods"
    line; line "The ELBOs above are of guides in one order of the components. Mixed over all orders (\`elbo\`'s default) they are: $cells."
}

gap_of() { # KNOWN DATA ELBO: MEAN ± SE, or nothing
    local mean se
    [ "$1" != - ] || return
    read -r mean se _ <<<"$("$dir/gap" "$1" "$2" "$3")"
    echo "$mean ± $se"
}

fitted_row() {
    local model=$1 known=$2 fits=$3 time=$4 label=$5 method=$6 row=$7 options=$8
    local name=$model.${method//[ ,]/_} began steps each few=$dir/$model.few.bin amortised=" | " khat limit=120
    # shellcheck disable=SC2086  # options are words
    [ -z "$options" ] || compile "$name" "$model" $options 2>"$dir/error"
    if [ ! -x "$dir/$name" ]; then
        [ -z "$options" ] || line "| $method | not compiled within $limit s | | | | | | | $(published_row "$label" "$row") |"
        return
    fi
    if [ ! -s "$dir/$name.fit.seconds" ]; then
        began=$(date +%s.%N)
        if ! "$dir/$name" fit "$few" --batch --time "${time}s" --seed 1 --threads "$THREADS" --json >"$dir/$name.fit" 2>"$dir/error"; then
            line "| $method | refused: $(sed -n 's/.*error[^:]*: //p' "$dir/error" | head -n 1) | | | | | | | $(published_row "$label" "$row") |"
            return
        fi
        awk "BEGIN { printf \"%.2f\", ($(date +%s.%N) - $began) / $fits }" >"$dir/$name.fit.seconds"
    fi
    each=$(cat "$dir/$name.fit.seconds")
    as_elbo "$dir/$name.fit" >"$dir/$name.fitted"
    khat=$(over_limit "$dir/$name.fitted")
    if [ -n "$options" ]; then # the steps' own ELBO; `fit` keeps its start, and k-hat is of that, where they did not raise it
        after_steps "$dir/$name.fit" >"$dir/$name.fitted"
        khat=""
    fi
    if [ -z "$options" ]; then
        as_elbo "$dir/$name.${SEEDS%% *}.elbo" "$fits" >"$dir/$name.few"
        amortised="$(mean_elbo "$dir/$name.few") | $(gap_of "$known" "$few" "$dir/$name.few")"
    fi
    steps=$(grep -o '"fitted": {"steps": [0-9]*' "$dir/$name.fit" | awk '{ s += $NF; n++ } END { printf "%.0f", s / n }')
    line "| $method | $each | $steps | $(mean_elbo "$dir/$name.fitted") | $(gap_of "$known" "$few" "$dir/$name.fitted") | $khat | $amortised | $(published_row "$label" "$row") |"
    say "$label, $method fitted: ELBO $(mean_elbo "$dir/$name.fitted"), gap $(gap_of "$known" "$few" "$dir/$name.fitted")"
    [ -n "$options" ] || echo "$method|$label|$each" >>"$dir/fits.txt" # it has no amortised counterpart
}

# Larger problems have longer steps: time grows with the square root of the size.
budget() { awk "BEGIN { printf \"%d\", $BUDGET * $1 + 0.5 }"; }

# Data sets to fit one by one, at so many groups.
few() { echo $(($1 < 30 ? FITS : $1 < 300 ? (FITS + 1) / 2 : (FITS + 2) / 3)); }

# ---- parts ----

part_gre() {
    local g
    line; line "## Gaussian random effects (the paper's table 2 and figure 3)"; line
    line "2 dimensions, 50 observations in each of G groups, scales 0.5, 0.5, 0.1. Means over ${1} fresh data sets. A negative gap would"
    line "overstate the evidence. Training of the paper's rows is in seconds of CPU."
    for g in 3 30 300; do
        sed "s/plate group(3)/plate group($g)/" examples/gre.hbm >"$dir/gre$g.hbm"
        line; line "### G = $g"; line
        experiment "gre$g" gre "$1" "$(budget "$(awk "BEGIN { print sqrt($g / 3) }")")" "gre $g" "$(few $g)"
        [ "$g" != 3 ] || cumulative_time gre3 "gre 3" "$1"
    done
    figure_gre
}

part_nc() {
    line; line "## A non-conjugate model (table 1, NC)"; line
    cp examples/nc.hbm "$dir/nc.hbm"
    experiment nc nc "$1" "$BUDGET" nc "$FITS"
}

part_gm() {
    [ -f examples/gm.hbm ] || return
    line; line "## A Gaussian mixture with random effects (table 1, GM)"; line
    line "The label of each observation is summed out. The mean evidence of fresh data is 284.9, 283.1 in one of the 3! orders of the"
    line "components."
    line
    cp examples/gm.hbm "$dir/gm.hbm"
    experiment gm - "$1" "$(budget 2)" gm "$FITS"
    all_orders gm
}

# Evidences of these 24 data sets are from elsewhere (bench/mixtures/mshbm.py).
part_mshbm() {
    local sets=$(($1 < 24 ? $1 : 24))
    line; line "## Networks of a region, toy dimensions (the paper's MS-HBM, eq. E.12)"; line
    line "Two networks on the positive quadrant of a circle, 2 subjects with 2 sessions of 50 points; the network of a point is summed out."
    line "$sets fresh data sets; their evidence, in one order of the networks, is by bridge sampling on draws of NumPyro's NUTS; that of"
    line "both orders is log 2 = 0.69 larger. The paper prints no such numbers for its toy."
    line
    cp examples/mshbm.hbm "$dir/mshbm.hbm"
    experiment mshbm evidences:tests/measure/mshbm_evidences.txt "$sets" "$(budget 2)" mshbm 0
    all_orders mshbm
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

write_out() {
    echo "# The paper's experiments"
    echo
    echo "By \`make paper\`, BUDGET=$BUDGET: so many seconds of training at 3 groups, $THREADS thread$([ "$THREADS" = 1 ] || echo s) of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), seeds $SEEDS, all from the model files in \`examples/\`. Every method is this compiler's, by its options (\`--family\`, \`--paper\`, \`--no-exact\`, \`--objective\`); published rows are those of Rouillard & Wassermann (2022), with their names. ELBOs are of 1,000 draws; a gap is log evidence less ELBO, paired over data sets, ± its standard error."
    for name in $all; do [ ! -s "$dir/$name.md" ] || cat "$dir/$name.md"; done
}

# A part that is there whole is not run again.
run_part() { # NAME SETS
    [ ! -s "$dir/$1.md" ] || { say "$1 is there already, in $dir"; return; }
    out=$dir/$1.part
    : >"$out"
    rm -f "$dir/rows.txt" "$dir/fits.txt"
    "part_$1" "$2"
    mv "$out" "$dir/$1.md"
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
    case " ${PARTS:-$name} " in *" $name "*) run_part "$name" $sets ;; esac
done
write_out >"$dir/written"
cat "$dir/written"
if [ -z "$PARTS" ]; then
    mkdir -p docs/figures
    cp "$dir/written" docs/paper.md
    for name in "$figures"/*.svg; do [ ! -s "$name" ] || cp "$name" docs/figures/; done
fi
