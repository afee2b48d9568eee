# The tutorial: what is the same on every machine is as the page says, its last command runs, and so does the figure.
. "$ROOT/tests/cli/common.inc"
page=$ROOT/docs/tutorial.md
figure=$ROOT/examples/pastes_figure.sh
cp "$ROOT/examples/pastes.hbm" "$ROOT/examples/data/pastes.csv" .

shown() { # COMMAND: the lines below it in the page
    awk -v command="\$ $1" '$0 == command {inside = 1; next} /^```/ {inside = 0} inside' "$page"
}
export page

shown 'head -n 5 pastes.csv' >expected
check data_are_as_shown sh -c 'test -s expected && head -n 5 pastes.csv | cmp - expected'
shown 'build/adavic --emit=analysis pastes.hbm | head -n 14' >expected
check analysis_is_as_shown sh -c 'test -s expected && "$ADAVIC" --emit=analysis pastes.hbm | head -n 14 | cmp - expected'

compile pastes pastes.hbm
check train ./pastes train --steps 20 --quiet
check infer ./pastes infer pastes.csv --draws 400 --out draws.csv --quiet
check in_a_hurry sh -c './pastes run pastes.csv --steps 20 --weights hurry | grep -q "^sd_cask "'
check left_out sh -c './pastes loo pastes.csv --by batch --draws 200 | grep -q "^elpd .* over 10 instances of batch"'
awk '/^\$ grep -v/ {inside = 1} /^[0-9.]+ [0-9.]+$/ {inside = 0} inside' "$page" | sed 's/^\$ //' >last.sh
check last_command sh -c 'sh last.sh | grep -qxE "[01]\.[0-9]{3} [01]\.[0-9]{2}"'

mkdir bin
for tool in sh awk grep sort mktemp rm cat; do ln -s "$(command -v $tool)" bin/; done
refuses figure_without_gnuplot 1 "needs gnuplot" env PATH="$PWD/bin" "$figure" draws.csv pastes.csv none
refuses figure_without_draws 1 "cannot read nothing.csv" "$figure" nothing.csv pastes.csv none
refuses figure_usage 2 "usage" "$figure" draws.csv
if command -v gnuplot >/dev/null; then
    refuses figure_of_other_draws 1 "no column c.1.1" "$figure" pastes.csv pastes.csv none
    check figure "$figure" draws.csv pastes.csv figure
    check figure_has_every_batch sh -c 'for b in A B C D E F G H I J; do grep -q ">$b<" figure.svg || exit 1; done'
    check figure_names_its_axes sh -c 'grep -q "standard deviation of strength" figure.svg && grep -q "posterior density" figure.svg'
    check figure_as_png sh -c 'head -c 8 figure.png | od -An -tx1 | grep -q "89 50 4e 47 0d 0a 1a 0a"'
else
    echo "skip figure: gnuplot is not here"
fi
