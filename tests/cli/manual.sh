# Help and manual pages: from the same tables, well-formed, and readable in narrow and wide terminals.
. "$ROOT/tests/cli/common.inc"
"$ADAVIC" --help-man adavic >adavic.1
"$ADAVIC" --help-man=model >model.1
"$ADAVIC" --help-man=init >init.1

if command -v mandoc >/dev/null; then
    check adavic_page_is_sound sh -c 'test -z "$(mandoc -Tlint -Wwarning adavic.1)"'
    check model_page_is_sound sh -c 'test -z "$(mandoc -Tlint -Wwarning model.1)"'
    check init_page_is_sound sh -c 'test -z "$(mandoc -Tlint -Wwarning init.1)"'
elif command -v groff >/dev/null; then
    check adavic_page_is_sound sh -c 'test -z "$(groff -man -ww -z adavic.1 2>&1)"'
    check model_page_is_sound sh -c 'test -z "$(groff -man -ww -z model.1 2>&1)"'
    check init_page_is_sound sh -c 'test -z "$(groff -man -ww -z init.1 2>&1)"'
else
    echo "skip pages_are_sound: neither mandoc nor groff is here"
fi
for section in NAME SYNOPSIS DESCRIPTION OPTIONS FILES 'EXIT STATUS' EXAMPLES; do
    check "adavic_page_has_$section" grep -qx "\.SH $section" adavic.1
    [ "$section" = OPTIONS ] || check "model_page_has_$section" grep -qx "\.SH $section" model.1
done

for section in NAME SYNOPSIS DESCRIPTION FORMULA FAMILIES OPTIONS LIMITS EXAMPLE 'EXIT STATUS'; do
    check "init_page_has_$section" grep -qx "\.SH $section" init.1
done

compile gre "$ROOT/examples/gre.hbm"
"$ADAVIC" --help >adavic.help
./gre --help >gre.help
for command in $(awk '/^  [a-z]/ {print $1}' gre.help); do
    ./gre "$command" --help >"gre_$command.help"
    check "help_of_$command" sh -c 'grep -q "^options" $0 && grep -q "^result" $0 && grep -q "^  ./gre $1" $0' \
        "gre_$command.help" "$command"
    check "page_has_$command" grep -q "^\.SS $command" model.1
done
check help_fits_80_columns sh -c '! grep -hE "^.{81}" ./*.help'

# Every option of a command's help is in the manual page, and every example of it is accepted up to its data.
missing=
for option in $(cat ./*.help | grep -ohE '^  (-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u); do
    grep -qF -- "${option//-/\\-}" adavic.1 model.1 || missing="$missing $option"
done
if [ -z "$missing" ]; then echo "ok page_has_every_option"; else echo "not ok page_has_every_option: lacks$missing"; fi

refuses help_man_of_nothing 2 "expected adavic|model" "$ADAVIC" --help-man=gre
refuses option_of_another_command 2 "simulate has it" ./gre infer x.csv --count 3
refuses option_of_other_commands 2 "check has it" ./gre train --count 3
