#!/bin/bash
# `make demo`: the whole path on real data. Strength of a chemical paste: ten batches, three casks from
# each, two assays per cask (Davies & Goldsmith 1972). About a minute and a half.
set -eu
cd "$(dirname "$0")/.."
build=$(realpath "${BUILD:-build}") data=$PWD/examples/data/pastes.csv model=$PWD/examples/pastes.hbm
mkdir -p "$build/demo"
cd "$build/demo"
show() { printf '\n$ %s\n' "$*"; "$@"; }

show cat "$model"
show "$build/adavic" "$model" -o pastes
show ./pastes train --time 60s
show ./pastes infer "$data"
printf '\nTrained once, it answers for any such data set: %s infer OTHER.csv\n' "$build/demo/pastes"
