#!/bin/bash
# What the compiler's warnings and clang-format do not see: lengths of files, headers and functions, lines, words that
# have no place in the tree. Says each place; exit status 1 if there is one.
set -u
cd "$(dirname "$0")/.."
sources=$(git ls-files -co --exclude-standard -- '*.c' '*.h' '*.y' '*.l' | sort)
found=0
complain() { if [ -n "$1" ]; then echo "$1"; found=1; fi; }

complain "$(wc -l $sources | awk '$2 != "total" && $1 > 800 {print $2 ": " $1 " lines; a file has 800 at most"}')"
complain "$(wc -l $(echo "$sources" | grep '\.h$') |
    awk '$2 != "total" && $1 > 220 {print $2 ": " $1 " lines; a header has 200 or so"}')"

# A function ends at a `}` in the first column. One dispatch switch is not counted.
complain "$(awk '
    FNR == 1 {start = 0}
    /^[A-Za-z_].*\) \{$/ || (/^[ ].*\) \{$/ && open) {start = FNR; skipped = 0; inside = 0; name = head != "" ? head : $0}
    {open = 0}
    /^[A-Za-z_].*[(,]$/ || /^[A-Za-z_][^;{}]*\([^)]*$/ {head = $0; open = 1}
    /^    switch \(/ && !skipped {inside = FNR}
    /^    \}/ && inside {skipped = FNR - inside; inside = 0}
    /^\}/ && start {
        if (FNR - start - skipped > 60) print FILENAME ":" start ": " FNR - start - skipped " lines; a function has 60 at most"
        start = 0; head = ""
    }' $(echo "$sources" | grep '\.[ch]$'))"

words='TODO|FIXME|XXX|HACK|placeholder|not (yet )?implemented'
complain "$(git grep --untracked -nIE "\\b($words)\\b" -- compiler runtime grammar stdlib tests docs examples Makefile '*.md' ':!tests/lint.sh')"
# names of machines' folders and of places that packages come from
complain "$(git grep --untracked -nIE '(^|[^A-Za-z.])/(work|home|root)/|deb\.debian|pypi|github\.com' -- . ':!tests/lint.sh' ':!LICENSE')"
complain "$(git grep --untracked -nIP '\t' -- '*.c' '*.h' '*.hbm' '*.sh' | head -n 20)"
complain "$(git grep --untracked -nIE ' +$' -- '*.c' '*.h' '*.hbm' '*.sh' '*.md' '*.def' | head -n 20)"
exit $found
