#!/bin/bash
# What adavic achieves, measured: every row of the table in docs/measured.md. See README.md beside this file.
#
# ROWS="gre size"   these rows alone, printed but not written (OUT=FILE writes them); their names are at the end
# Other settings: common.inc.
. "$(dirname "$0")/common.inc"
ROWS=${ROWS:-}
OUT=${OUT:-$([ -n "$ROWS" ] && echo /dev/null || echo docs/measured.md)}
table=$dir/table.md appendix=$dir/appendix.md
: >"$table"; : >"$appendix"
met=0 missed=0

# Adds a row: what, target, measured, and the condition under which the target is met.
row() {
    local mark=no
    if holds "$4"; then mark=yes; met=$((met + 1)); else missed=$((missed + 1)); fi
    echo "| $1 | $2 | $3 | $mark |" >>"$table"
    say "$1: $3 (target $2: $mark)"
}

# ---- rows that unit tests answer ----

units() { # WHAT TARGET TEST...
    local what=$1 target=$2 failed=0 passed=0
    shift 2
    for t in "$@"; do
        make -s BUILD="$BUILD" "$BUILD/tests/unit/$t" >&2 || failed=$((failed + 1))
        "$BUILD/tests/unit/$t" >"$dir/unit" 2>/dev/null || grep '^not ok' "$dir/unit" >&2
        passed=$((passed + $(grep -c '^ok' "$dir/unit")))
        failed=$((failed + $(grep -c '^not ok' "$dir/unit")))
    done
    row "$what" "$target" "$passed tests pass, $failed fail ($*)" "$failed == 0 && $passed > 0"
}

scripts() { # WHAT TARGET WORD...
    local what=$1 target=$2
    shift 2
    BUILD=$BUILD tests/run.sh "$@" >"$dir/scripts" 2>&1
    local last
    last=$(tail -n 1 "$dir/scripts")
    row "$what" "$target" "$last ($*)" "$(grep -c '^ *not ok' "$dir/scripts") == 0"
}

# ---- gaps to exact evidences ----

gap_row() { # NAME MODEL SECONDS TARGET WHAT
    local name=$1 model=$2 time=$3 target=$4 what=$5 files=() steps=""
    "$dir/$name" simulate --count 200 --seed 1000 --quiet --out "$dir/$name.bin" >/dev/null
    for seed in $SEEDS; do
        train "$name" "$time" "$seed"
        "$dir/$name" elbo "$dir/$name.bin" --batch --draws 1000 --seed 77 --threads "$THREADS" --json \
            --weights "$dir/$name.$seed.weights" >"$dir/$name.$seed.elbo"
        files+=("$dir/$name.$seed.elbo")
        steps+=" $(sed -n 's/.*"steps": \([0-9]*\).*/\1/p' "$dir/$name.$seed.train")"
    done
    local mean se worst khat means
    read -r mean se worst khat means <<<"$("$dir/gap" "$model" "$dir/$name.bin" "${files[@]}")"
    row "$what, $(seconds "$time"), $THREADS threads: gap to the exact evidence" "< $target nat" \
        "$mean ± $se (by seed: $means); worst data set $worst, worst k-hat $khat; steps:$steps" \
        "$mean < $target && $mean > -4 * $se - 1e-3"
}

# Weak data: gre with 30 groups, noise S_X and OBS observations in each.
weak_row() { # OBS
    local s=(--set s_mu=1 --set s_g=0.2 --set s_x=0.5) sizes=(--size group=30 --size obs="$1")
    local files=() mean se worst khat means
    for kind in npz bin; do
        "$dir/gre" simulate --count 200 --seed 1000 "${s[@]}" "${sizes[@]}" --quiet --out "$dir/weak.$kind" >/dev/null
    done
    for seed in $SEEDS; do
        "$dir/gre" train --time "$(seconds 60)" --seed "$seed" --threads "$THREADS" --quiet "${s[@]}" "${sizes[@]}" \
            --weights "$dir/weak.$seed.weights" >/dev/null || say "weak data, $1 observations: training failed"
        "$dir/gre" elbo "$dir/weak.npz" --draws 1000 --seed 77 --threads "$THREADS" --json \
            --weights "$dir/weak.$seed.weights" >"$dir/weak.$seed.elbo"
        files+=("$dir/weak.$seed.elbo")
    done
    read -r mean se worst khat means <<<"$("$dir/gap" "gre@1,0.2,0.5,$1" "$dir/weak.bin" "${files[@]}")"
    row "gre, scales 1, 0.2, 0.5, 30 groups of $1, $(seconds 60), $THREADS threads: gap to the exact evidence" "< 0.1 nat" \
        "$mean ± $se (by seed: $means); worst data set $worst, worst k-hat $khat" \
        "$mean < 0.1 && $mean > -4 * $se - 1e-3"
}

# One training for a range of groups, at sizes inside and beyond it, in nats per group.
size_row() { # NAME SECONDS GROUPS...
    local name=$1 time=$2 measured="" ok=1 steps=""
    shift 2
    for seed in $SEEDS; do
        train "$name" "$time" "$seed"
        steps+=" $(sed -n 's/.*"steps": \([0-9]*\).*/\1/p' "$dir/$name.$seed.train")"
    done
    for groups in "$@"; do
        local sizes=(--size group="$groups" --size obs=4) files=() mean se worst khat means
        "$dir/$name" simulate --count 100 --seed 1000 "${sizes[@]}" --quiet --out "$dir/sizes.bin" >/dev/null
        for seed in $SEEDS; do
            "$dir/$name" elbo "$dir/sizes.bin" --batch "${sizes[@]}" --draws 1000 --seed 77 --threads "$THREADS" \
                --json --weights "$dir/$name.$seed.weights" >"$dir/sizes.$seed.elbo" 2>"$dir/sizes.err"
            files+=("$dir/sizes.$seed.elbo")
        done
        read -r mean se worst khat means <<<"$("$dir/gap" "$name" "$dir/sizes.bin" "${files[@]}")"
        measured+=" G = $groups: $(awk "BEGIN { printf \"%.5f ± %.5f\", $mean / $groups, $se / $groups }"),"
        measured+=" worst k-hat $khat;"
        ok+=" && $mean / $groups < 0.05 && $mean > -4 * $se - 1e-3"
    done
    row "one weights file of $name (group 2..60), $(seconds "$time"), $THREADS threads: gap per group at G groups" \
        "< 0.05 nat" "${measured# } steps:$steps" "$ok"
}

# Sizes far beyond those of training, in nats per latent number.
beyond_row() { # NAME SECONDS GROUPS OBS
    local name=$1 time=$2 sizes=(--size group="$3" --size obs="$4") files=() mean se worst khat means
    local numbers=$((2 + 2 * $3))
    "$dir/$name" simulate --count 20 --seed 1000 "${sizes[@]}" --quiet --out "$dir/beyond.bin" >/dev/null
    for seed in $SEEDS; do
        train "$name" "$time" "$seed"
        "$dir/$name" elbo "$dir/beyond.bin" --batch "${sizes[@]}" --draws 200 --seed 77 --threads "$THREADS" --json \
            --weights "$dir/$name.$seed.weights" >"$dir/beyond.$seed.elbo" 2>"$dir/beyond.err"
        files+=("$dir/beyond.$seed.elbo")
    done
    read -r mean se worst khat means <<<"$("$dir/gap" "gre@0.5,0.5,0.1,$4" "$dir/beyond.bin" "${files[@]}")"
    mean=$(awk "BEGIN { printf \"%.6f\", $mean / $numbers }") se=$(awk "BEGIN { printf \"%.6f\", $se / $numbers }")
    row "$name (group 2..30, obs 2..100), $(seconds "$time"), $THREADS threads: gap per latent number at $3 groups of $4" \
        "< 0.005 nat" "$mean ± $se; worst data set $worst in all, worst k-hat $khat" \
        "$mean < 0.005 && $mean > -4 * $se - 1e-3"
}

# Where no evidence is known: that of the guide's own draws by importance weights, and the k-hat that says whether
# these can be trusted.
weighted_row() { # NAME SECONDS NUMBERS WHAT
    local name=$1 time=$2 numbers=$3 what=$4 measured="" ok=1
    "$dir/$name" simulate --count 200 --seed 1000 --quiet --out "$dir/$name.bin" >/dev/null
    for seed in $SEEDS; do
        local mean se khat
        train "$name" "$time" "$seed"
        read -r mean se khat <<<"$("$dir/$name" elbo "$dir/$name.bin" --batch --draws 10000 --seed 77 \
            --threads "$THREADS" --json --weights "$dir/$name.$seed.weights" | tr '{' '\n' |
            sed -n 's/.*"elbo": \([^,]*\),.*"log_evidence": \([^,]*\),.*"khat": \([^,}]*\).*/\2 \1 \3/p' |
            awk '{ g = $1 - $2; n++; s += g; q += g * g; large += !($3 < 0.7) }
                 END { m = s / n; printf "%.4f %.4f %.1f", m, sqrt((q / n - m * m) / n), 100 * large / n }')"
        measured+=" $mean ± $se, k-hat above 0.7 in $khat %;"
        ok+=" && $mean / $numbers < 0.01 && $khat < 5"
    done
    row "$what, $(seconds "$time"), $THREADS threads: gap to the evidence by 10,000 importance weights, $numbers latent numbers" \
        "< 0.01 nat per number" "${measured# }" "$ok"
}

# ---- simulated data: coverage, and contraction beside quadrature ----

coverage_row() { # NAME SECONDS
    local name=$1 measured="" off="" cover_ok=1 off_ok=1
    "$dir/$name" simulate --count 400 --seed 2000 --quiet --out "$dir/$name.exact.bin" >/dev/null
    for seed in $SEEDS; do
        train "$name" "$2" "$seed"
        "$dir/$name" check --count 2000 --seed 99 --threads "$THREADS" --json \
            --weights "$dir/$name.$seed.weights" >"$dir/$name.$seed.check"
        "$dir/calibration" "$name" "$dir/$name.exact.bin" "$dir/$name.$seed.check" >"$dir/calibration.md"
        { echo; echo "## $name, 2,000 simulated data sets, seed $seed"; echo; grep '^|' "$dir/calibration.md"; } >>"$appendix"
        local lowest of_lowest highest of_highest worst of_worst above
        read -r lowest of_lowest highest of_highest worst of_worst <<<"$(tail -n 1 "$dir/calibration.md")"
        above=$(sed -n 's/.*"share_above": \([-0-9.e]*\).*/\1/p' "$dir/$name.$seed.check")
        measured+=" $lowest $of_lowest to $highest $of_highest, k-hat too large in $above;"
        off+=" $worst $of_worst"
        cover_ok+=" && $lowest > 0.87 && $highest < 0.93"
        off_ok+=" && $worst < 0.05 && $worst > -0.05"
    done
    row "$name, $(seconds "$2"): coverage of 90 % intervals, 2,000 simulated data sets (lowest and highest latent, by seed)" \
        ".87 to .93" "${measured# }" "$cover_ok"
    row "$name: contraction less the exact posterior's (worst, by seed)" "within .05" "${off# }" "$off_ok"
}

# Without an exact posterior beside it: coverage and z-scores of the truth, over all latents.
scores_row() { # NAME SECONDS
    local name=$1 measured="" ok=1
    for seed in $SEEDS; do
        local low high rms_low rms_high
        train "$name" "$2" "$seed"
        "$dir/$name" check --count 2000 --seed 99 --threads "$THREADS" --json \
            --weights "$dir/$name.$seed.weights" >"$dir/$name.$seed.check"
        read -r low high rms_low rms_high <<<"$(sed 's/"log_densities".*//' "$dir/$name.$seed.check" | tr '{' '\n' |
            sed -n 's/.*"coverage": \([^,]*\),.*"z_rms": \([^,]*\),.*/\1 \2/p' |
            awk 'NR == 1 { a = b = $1; c = d = $2 }
                 { if ($1 < a) a = $1; if ($1 > b) b = $1; if ($2 < c) c = $2; if ($2 > d) d = $2 }
                 END { printf "%.3f %.3f %.3f %.3f", a, b, c, d }')"
        measured+=" coverage $low to $high, rms of z $rms_low to $rms_high;"
        ok+=" && $low > 0.87 && $high < 0.93 && $rms_low > 0.9 && $rms_high < 1.1"
    done
    row "$name, $(seconds "$2"): coverage of 90 % intervals and z-scores, 2,000 simulated data sets (lowest and highest latent, by seed)" \
        ".87 to .93; .9 to 1.1" "${measured# }" "$ok"
}

# ---- real data beside quadrature ----

posterior_row() { # NAME SECONDS
    local name=$1 means="" sds="" mean_ok=1 sd_ok=1
    for seed in $SEEDS; do
        train "$name" "$2" "$seed"
        "$dir/$name" infer "examples/data/$name.csv" --draws 10000 --seed 77 --json \
            --weights "$dir/$name.$seed.weights" >"$dir/$name.$seed.infer"
        "$dir/posterior" "tests/golden/${name}_exact.json" "$dir/$name.$seed.infer" >"$dir/posterior.md"
        { echo; echo "## $name, seed $seed"; echo; grep '^|' "$dir/posterior.md"; } >>"$appendix"
        local z of_z ratio of_ratio
        read -r _ _ z of_z _ _ ratio of_ratio <<<"$(tail -n 1 "$dir/posterior.md")"
        means+=" $z $of_z" sds+=" $ratio $of_ratio"
        mean_ok+=" && $z < 0.15 && $z > -0.15"
        sd_ok+=" && $ratio < 1.15 && $ratio > 0.85"
    done
    row "$name (real data), $(seconds "$2"): every latent's mean, in exact sd (worst, by seed)" "within 0.15" \
        "${means# }" "$mean_ok"
    row "$name: every latent's sd over the exact one (worst, by seed)" "within 15 %" "${sds# }" "$sd_ok"
}

# ---- missing cells ----

# Predictive intervals of cells that were blanked at random: of simulated data sets, and of the real file, each of
# whose copies lacks other cells.
missing_row() { # NAME SECONDS CELLS OBSERVED [COVARIATE...]
    local name=$1 time=$2 cells=$3 model=$dir/$1_missing measured="" ok=1 kind sets mean se n
    shift 3
    sed 's/^\( *observed .*\);/\1 with missing;/' "examples/$name.hbm" >"$model.hbm"
    MODELS=$dir compile "${name}_missing" "${name}_missing"
    "$model" simulate --count 200 --seed 3000 --quiet --out "$model.simulated.bin" >/dev/null
    "$dir/predictive" copy "examples/data/$name.csv" 50 "$model.real.bin" "$@"
    for seed in $SEEDS; do
        train "${name}_missing" "$time" "$seed"
        for kind in simulated real; do
            sets=200
            [ $kind = simulated ] || sets=50
            "$dir/predictive" blank "$model.$kind.bin" $sets "$dir/blank.bin" "$cells" 0.2
            "$model" predict "$dir/blank.bin" --batch --draws 1000 --seed 77 --threads "$THREADS" --json \
                --weights "$model.$seed.weights" >"$dir/predicted.json" 2>/dev/null
            read -r mean se n <<<"$("$dir/predictive" cover "$model.$kind.bin" $sets "$cells" "$dir/predicted.json")"
            measured+=" $kind $mean ± $se ($n cells);"
            ok+=" && $mean > 0.87 && $mean < 0.93"
        done
    done
    row "$name, $(seconds "$time"): 20 % of the outcomes blanked, 200 simulated data sets and 50 times the real one: coverage of the blanked by 90 % predictive intervals" \
        ".87 to .93" "${measured# }" "$ok"
}

# Real data beside long runs of NUTS: the draws as they are, weighted, and after steps on this data set alone.
reference_row() { # NAME STEPS
    local name=$1 steps=$2 data=examples/data/$1.csv measured="" ok=1 seconds
    if [ -n "$QUICK" ]; then steps=$((steps / 10)); fi
    for seed in $SEEDS; do
        "$dir/$name" train --for "$data" --steps "$steps" --seed "$seed" --threads "$THREADS" --quiet \
            --weights "$dir/$name.$seed.for" >/dev/null || say "$name, seed $seed: training failed"
        for how in "" --psis --refine; do
            local mean of_mean quantile of_quantile ratio of_ratio khat start=$EPOCHREALTIME
            # shellcheck disable=SC2086
            "$dir/$name" infer "$data" --draws 10000 --seed 77 --threads "$THREADS" --json $how \
                --weights "$dir/$name.$seed.for" >"$dir/$name.reference"
            seconds=$(awk "BEGIN { printf \"%.1f\", (${EPOCHREALTIME/./} - ${start/./}) / 1e6 }")
            read -r mean of_mean quantile of_quantile ratio of_ratio khat <<<"$("$dir/reference" \
                "tests/measure/reference/$name.txt" "$dir/$name.reference" | tail -n 1)"
            measured+=" ${how:-as drawn}: $mean ($of_mean), $quantile ($of_quantile), $ratio ($of_ratio), k-hat $khat"
            if [ "$how" = --refine ]; then measured+=", $seconds s."; else measured+="; "; fi
            [ -z "$how" ] || ok+=" && ($mean)^2 < 0.04 && ($quantile)^2 < 0.04 && $ratio < 1.2 && $ratio > 0.8333"
        done
    done
    row "$name (real data, \`train --for\`, $steps steps) beside NUTS: largest distance of means, of 5 % and 95 % quantiles in sd, ratio of sds" \
        "0.2, 0.2, 20 % after \`--psis\` and \`--refine\`" "${measured# }" "$ok"
}

# ---- sizes, bytes, time ----

weights_row() {
    "$dir/gre" train --steps 1 --quiet --weights "$dir/g3" >/dev/null
    "$dir/gre" train --steps 1 --quiet --size group=300 --sets 4 --draws 4 --weights "$dir/g300" >/dev/null
    local count='s/.*"weights": \([0-9]*\).*/\1/p' a b
    a=$("$dir/gre" info --json --weights "$dir/g3" | sed -n "$count")
    b=$("$dir/gre" info --json --weights "$dir/g300" | sed -n "$count")
    row "weights of gre, 3 and 300 groups" "equal" "$a and $b" "${a:-0} == ${b:-1}"
}

threads_row() {
    local same=0 tried=0
    for name in gre pastes; do
        for threads in 1 2; do
            "$dir/$name" train --steps 200 --seed 5 --threads $threads --quiet --weights "$dir/t$threads" >/dev/null
        done
        tried=$((tried + 1))
        cmp -s "$dir/t1" "$dir/t2" && same=$((same + 1))
    done
    row "weights files of 1 and 2 threads, same seed and steps (gre, pastes)" "identical bytes" \
        "$same of $tried identical" "$same == $tried"
}

compile_row() {
    local slowest=0 times=""
    for example in examples/*.hbm; do
        local name start end took
        name=$(basename "$example" .hbm)
        start=$(date +%s%N)
        "$BUILD/adavic" "$example" -o "$dir/compiled" || slowest=999
        end=$(date +%s%N)
        took=$(awk "BEGIN { printf \"%.2f\", ($end - $start) / 1e9 }")
        times+=" $name $took,"
        holds "$took > $slowest" && slowest=$took
    done
    row "\`adavic\` on every example, seconds" "< 3" "${times%,}" "$slowest < 3"
    if [ -x "$BUILD/asan/adavic" ]; then
        local leaks=0
        for example in examples/*.hbm; do
            "$BUILD/asan/adavic" "$example" -o "$dir/compiled" 2>"$dir/asan" || leaks=$((leaks + 1))
            grep -q Sanitizer "$dir/asan" && leaks=$((leaks + 1))
        done
        row "the same under AddressSanitizer" "no leak" "$leaks examples with complaints" "$leaks == 0"
    fi
}

# A model trains, and its ELBO over fresh data agrees with its own validation.
any_model_row() { # NAME
    compile "$1" "$1"
    train "$1" 60 1
    "$dir/$1" simulate --count 20 --seed 1000 --quiet --out "$dir/$1.npz" >/dev/null
    "$dir/$1" elbo "$dir/$1.npz" --json --weights "$dir/$1.1.weights" >"$dir/$1.elbo"
    local bad good khat
    bad=$(grep -o '"elbo": [^,}]*' "$dir/$1.elbo" | grep -Ec 'nan|inf|null')
    good=$(grep -o '"elbo": [^,}]*' "$dir/$1.elbo" | grep -Evc 'nan|inf|null')
    khat=$(grep -o '"khat": [-0-9.]*' "$dir/$1.elbo" | awk '{ print $2 }' | sort -n | awk '{ k[NR] = $1 } END { print k[int((NR + 1) / 2)] }')
    row "$1: compiles, trains $(seconds 60), answers 20 fresh data sets" "all finite" \
        "$good of 20 finite, median k-hat $khat" "$good == 20 && $bad == 0"
}

write_out() {
    {
        echo "# Measured"
        echo
        echo "By \`make measure\`, on $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $THREADS threads, seeds $SEEDS${QUICK:+ (a dry run with short training: not a measurement)}."
        echo
        echo "| what | target | measured | met |"
        echo "| --- | --- | --- | --- |"
        cat "$table"
        cat "$appendix"
    }
}

# ---- the rows, in the table's order ----

measure_gradients() {
    units "gradients of every operation and of whole steps, against central differences" \
        "≤ 1e-6 of the largest entry" test_ir_grad test_step_gradients
}
measure_native() {
    local backs
    mapfile -t backs < <(basename -as .c tests/unit/test_back_*.c)
    units "native code (LLVM and C, f32 and f64, remainders) against the interpreter" \
        "≤ 1e-4 (f32), 1e-10 (f64)" "${backs[@]}"
}
measure_paper() {
    units "\`--paper\` on gre against the golden file" "≤ 1e-9 interpreter, 1e-4 native" test_golden_gre
}
measure_gre() { compile gre gre; gap_row gre gre 60 1 "gre"; }
measure_gre_no_exact() {
    compile gre_no_exact gre --no-exact
    gap_row gre_no_exact gre 180 2 "gre, \`--no-exact\`"
}
measure_gre_unknown_scales() {
    compile gre_unknown_scales gre_unknown_scales
    gap_row gre_unknown_scales gre_unknown_scales 60 0.1 "gre, all three scales unknown"
}
measure_gre_t() { compile gre_student gre_student; weighted_row gre_student 60 8 "gre, noise of Student's t"; }
measure_robust() { compile robust robust; weighted_row robust 120 10 "robust"; }
measure_beyond() { compile gre_sizes gre_sizes; beyond_row gre_sizes 120 300 400; }
measure_gre_scores() { compile gre gre; scores_row gre 60; }
measure_nc_scores() { compile nc nc; scores_row nc 60; }
measure_weak() {
    compile gre gre
    for obs in 1 5; do weak_row "$obs"; done
}
measure_nc() { compile nc nc; gap_row nc nc 60 0.15 "nc"; }
measure_size() { compile many_groups many_groups; size_row many_groups 180 3 30 300; }
measure_pastes() { compile pastes pastes; posterior_row pastes 120; }
measure_dyestuff() { compile dyestuff dyestuff; posterior_row dyestuff 120; }
measure_gallery() {
    for name in $gallery; do
        compile "$name" "$name"
        reference_row "$name" 1000
    done
}
measure_pastes_coverage() { compile pastes pastes; coverage_row pastes 120; }
measure_dyestuff_coverage() { compile dyestuff dyestuff; coverage_row dyestuff 120; }
measure_sleepstudy_missing() { missing_row sleepstudy 60 180 reaction days; }
measure_pastes_missing() { missing_row pastes 60 60 strength; }
measure_four_plates() { any_model_row four_plates; }
measure_every_level() { any_model_row every_level; }
measure_permutation() { units "permuting instances of any plate" "≤ 1.5e-5" test_permutation; }
measure_weights() { compile gre gre; weights_row; }
measure_threads() { compile gre gre; compile pastes pastes; threads_row; }
measure_compile() { compile_row; }
measure_broken() {
    scripts "broken programs, data and weights files" "a clear error, exit 1, nothing written" \
        tests/diag tests/cli/broken tests/cli/data tests/cli/weights
}
gallery=$(basename -as .txt tests/measure/reference/*.txt)
all="gradients native paper gre gre_no_exact gre_unknown_scales gre_t robust weak nc size beyond pastes dyestuff gallery
    pastes_coverage dyestuff_coverage gre_scores nc_scores sleepstudy_missing pastes_missing four_plates every_level
    permutation weights threads compile broken"

for name in $ROWS; do
    case " $(echo $all) " in
    *" $name "*) ;;
    *) say "no row is called $name; there are: $(echo $all)"; exit 2 ;;
    esac
done
tool gap
tool posterior
tool reference
tool calibration
tool predictive
for name in $all; do
    case " ${ROWS:-$name} " in *" $name "*) "measure_$name" ;; esac
done
write_out >"$dir/written"
cat "$dir/written"
if [ "$OUT" != /dev/null ]; then cp "$dir/written" "$OUT"; fi
say "$met targets met, $missed missed"
[ "$missed" = 0 ]
