#!/bin/sh
# An installed tree: `make install` puts there what the program looks for, where it looks.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}
status=0
(unset MAKEFLAGS MAKELEVEL MFLAGS; make -s install DESTDIR="$folder/tree") >"$folder/out" 2>"$folder/err" || status=$?
test_that 'make install succeeds' test "$status" = 0
test_that 'the program is there' test -x "$folder/tree$SPEFT_BINDIR/speft-cl"
"$folder/tree$SPEFT_BINDIR/speft-cl" version >"$folder/out" 2>"$folder/err" || status=$?
test_that '  and starts' test "$status" = 0 -a -s "$folder/out"
test_that 'the tuned values are there' cmp "$source/configs/tuning/default.tune" "$folder/tree$SPEFT_DATADIR/tuning/default.tune"
test_that '  where the program looks for them' grep -qF "$SPEFT_DATADIR/tuning/default.tune" "$folder/tree$SPEFT_BINDIR/speft-cl"
test_that 'the man page is there' test -s "$folder/tree$SPEFT_MANDIR/man1/speft-cl.1"
test_that "bash's completion is there" test -s "$folder/tree${SPEFT_DATADIR%/*}/bash-completion/completions/speft-cl"
test_that 'nothing is installed that only tests use' test -z "$(find "$folder/tree" -name '*test*')"
finish
