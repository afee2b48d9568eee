#!/bin/bash
# `make bench`: a training step of the published experiment (Gaussian random effects, 32 data sets x 32 draws) by our
# compiled model and by the JAX peer, in turns on the same cores. Prints a line per size and number of threads; the lines
# and what they rest on are left in $BUILD/bench.txt. bench/README.md says how the times are taken.
#
#   BUILD=build GROUPS_OF="3 30 300" THREADS="1 2" ROUNDS=5 PEER=1 bench/run.sh
#
# Nothing here passes or fails by a time. Exit status 1 if our model does not compile or run.
set -u
export LC_ALL=C
cd "$(dirname "$0")/.."
BUILD=$(realpath -m "${BUILD:-build}")
work=$BUILD/bench
summary=$BUILD/bench.txt
rounds=${ROUNDS:-5}
sizes=${GROUPS_OF:-3 30 300}
why=      # there is no peer
peer_pid= # of the one that runs
trap 'if [ -n "$peer_pid" ]; then kill "$peer_pid"; fi' EXIT
trap '' PIPE # where it ends early we read no answer, and say so

# The numbers of the CPUs that we may use, in order.
cpus() {
    sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status | tr , '\n' |
        awk -F- 'NF {last = NF > 1 ? $2 : $1; for (i = $1; i <= last; i++) print i}'
}
available=$(cpus | wc -l)
threads=${THREADS:-$(if [ "$available" -gt 1 ]; then echo "1 $available"; else echo 1; fi)}

say() { echo "$@" | tee -a "$summary"; }
number() { sed -n "s/.*\"$1\": *\\([-+0-9.e]*\\).*/\\1/p"; } # behind "key": in an object on stdin

# The median, least and largest of the numbers on stdin.
spread() { sort -g | awk '{x[NR] = $1} END {printf "%.4g %.4g %.4g\n", (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2, x[1], x[NR]}'; }

# Settings that make libraries of the peer slower than the machine allows.
unslowed() {
    env -u OPENBLAS_CORETYPE -u OPENBLAS_NUM_THREADS -u GOTO_NUM_THREADS -u OMP_NUM_THREADS -u MKL_NUM_THREADS \
        -u MKL_ENABLE_INSTRUCTIONS -u ONEDNN_MAX_CPU_ISA -u DNNL_MAX_CPU_ISA -u XLA_FLAGS -u NPROC "$@"
}

# ---- the peer ----

# A virtual environment of its own; sets `why` where that cannot be.
make_peer() {
    local python
    if [ "${PEER:-1}" = 0 ]; then why="not asked for"; return; fi
    python=$(command -v python3) || { why="python3 is not here"; return; }
    if ! [ -e "$work/venv/done" ]; then
        echo "making a virtual environment for the peer in $work/venv" >&2
        rm -rf "$work/venv"
        "$python" -m venv "$work/venv" >"$work/pip.log" 2>&1 || { why="python3 -m venv fails: $work/pip.log"; return; }
        "$work/venv/bin/pip" install --disable-pip-version-check -r bench/peer/requirements.txt >>"$work/pip.log" 2>&1 ||
            { why="its packages cannot be installed: $work/pip.log"; return; }
        touch "$work/venv/done"
    fi
}

# Started once per size, it compiles, and then waits for `run` while we are measured. We write to it by 3, it answers by 4.
start_peer() { # GROUPS THREADS
    local steps=$((300 / $1 > 2 ? 300 / $1 : 2)) ready
    rm -f "$work/to" "$work/from"
    mkfifo "$work/to" "$work/from"
    unslowed "$work/venv/bin/python" bench/peer/gre_jax.py --groups "$1" --threads "$2" --steps $steps \
        <"$work/to" >"$work/from" 2>"$work/peer.log" &
    peer_pid=$!
    exec 3>"$work/to" 4<"$work/from"
    if ! read -r -t 900 ready <&4; then why="it does not start: $work/peer.log"
    elif [ "$(echo "$ready" | number weights)" != "$weights" ]; then
        why="it has another number of weights than we: $(echo "$ready" | number weights), not $weights"
    fi
    if [ -n "$why" ]; then stop_peer; fi
}

# It ends when nobody can write to it any more.
stop_peer() {
    exec 3>&- 4<&-
    wait "$peer_pid" 2>/dev/null
    peer_pid=
}

# ---- one line ----

run_ours() { # GROUPS THREADS
    local pin=
    if command -v taskset >/dev/null; then pin="taskset -c $(cpus | head -n "$2" | paste -sd,)"; fi
    $pin "$work/gre" bench --json --size group="$1" --threads "$2" --time 1 3>&- 4<&-
}

measure() { # GROUPS THREADS
    local round our_ms our_rss rate share peak answer peer_ms
    : >"$work/ours"
    : >"$work/peer"
    if [ -z "$why" ]; then start_peer "$1" "$2"; fi
    for ((round = 0; round < rounds; round++)); do
        run_ours "$1" "$2" >>"$work/ours" || exit 1
        if [ -n "$why" ]; then continue; fi
        echo run >&3
        if read -r -t 900 answer <&4; then echo "$answer" >>"$work/peer"
        else why="it ended: $work/peer.log"; stop_peer; : >"$work/peer"
        fi
    done
    if [ -z "$why" ]; then stop_peer; fi
    our_ms=$(number median <"$work/ours" | spread)
    peak=$(number peak_gflops <"$work/ours" | sort -g | tail -n 1)
    our_rss=$(number rss_mib <"$work/ours" | sort -g | tail -n 1)
    rate=$(number flop <"$work/ours" | awk -v ms="${our_ms%% *}" 'NR == 1 {printf "%.3g", $1 / ms / 1e6}')
    share=$(awk -v r="$rate" -v p="$peak" 'BEGIN {printf "%.0f", 100 * r / p}')
    answer="G = $1, threads = $2: ours ${our_ms%% *} ms"
    if [ -s "$work/peer" ]; then
        peer_ms=$(number ms <"$work/peer" | spread)
        answer+=", peer ${peer_ms%% *} ms, ratio $(awk -v a="${our_ms%% *}" -v b="${peer_ms%% *}" 'BEGIN {printf "%.3g", b / a}')"
    fi
    say "$answer, $rate GFLOP/s ($share % of FMA peak), $(printf %.0f "$our_rss") MiB"
    details+="G = $1, threads = $2: ours ${our_ms#* } ms, least and largest of $rounds rounds; FMA peak $peak GFLOP/s"$'\n'
    if [ -s "$work/peer" ]; then
        details+="    peer ${peer_ms#* } ms, least and largest; $(number rss_mib <"$work/peer" | tail -n 1) MiB"$'\n'
    fi
}

main() {
    local g t details=
    mkdir -p "$work"
    : >"$summary"
    "$BUILD/adavic" --paper examples/gre.hbm -o "$work/gre" || exit 1
    weights=$("$work/gre" info --json | number weights)
    make_peer
    if [ -n "$why" ]; then say "no peer: $why"; fi
    for g in $sizes; do
        for t in $threads; do
            had=$why
            measure "$g" "$t"
            if [ "$why" != "$had" ]; then say "no peer from here on: $why"; fi
        done
    done
    {
        echo
        printf %s "$details"
        echo
        echo "ours: $("$work/gre" --version)"
        if [ -z "$why" ]; then echo "peer: $("$work/venv/bin/pip" freeze | grep -E '^(jax|jaxlib|numpy)=' | paste -sd' ')"; fi
        sed -n 's/^model name[[:space:]]*: /CPU: /p' /proc/cpuinfo | head -n 1
        echo "load average at the end: $(cut -d' ' -f1-3 /proc/loadavg)"
    } >>"$summary"
    echo "more in $summary" >&2
}

main
