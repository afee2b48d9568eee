# `make install` into an empty folder: what is there works from anywhere, and `make uninstall` takes it away.
. "$ROOT/tests/cli/common.inc"
tree() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$ROOT" BUILD="$BUILD" DESTDIR="$PWD/stage" PREFIX=/usr "$@"; }
export -f tree
there=$PWD/stage/usr

check install tree install
check installed_compiler sh -c 'test "$("$0/bin/adavic" --version)" = "$("$ADAVIC" --version)"' "$there"
mkdir elsewhere
check installed_compiler_compiles env -C elsewhere "$there/bin/adavic" "$there/share/doc/adavic/examples/pastes.hbm"
check its_program_runs elsewhere/pastes info
check manual_pages sh -c 'grep -q "^.TH ADAVIC " "$0/adavic.1" && grep -q "^.TH ADAVIC-MODEL " "$0/adavic-model.1"' \
    "$there/share/man/man1"
check same_documents diff -r "$ROOT/docs" "$there/share/doc/adavic/docs"
check all_can_read_it sh -c 'test -z "$(find "$0" ! -perm -044)"' "$there"
check uninstall tree uninstall
check nothing_is_left sh -c 'test -z "$(find "$0" ! -type d)"' "$there"
