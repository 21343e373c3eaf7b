#!/bin/sh
# tap-run.sh TEST: runs the cmocka program TEST on the default driver, or, where the name ends in -pocl, -intel, -rusticl,
# -oclgrind or -valgrind, the program that the rest names on that driver or under that tool. One that is not installed is a skip,
# and a failure when $SPEFT_REQUIRE_DRIVERS names it.
set -eu
support=$(dirname "$0")
program=$1
driver=auto
case $1 in
*-pocl | *-intel | *-rusticl | *-oclgrind | *-valgrind)
    program=${1%-*}
    driver=${1##*-}
    ;;
esac
case $program in */*) ;; *) program=./$program ;; esac

case $driver in
oclgrind | valgrind) tool=$driver name= ;;
*) tool=driver name=$driver ;;
esac
if ! sh "$support/$tool.sh" $name true >/dev/null 2>&1; then
    case " ${SPEFT_REQUIRE_DRIVERS:-} " in
    *" $driver "*) printf '1..1\nnot ok 1 - %s is required here and not installed\n' "$driver" ;;
    *) printf '1..0 # SKIP %s is not installed\n' "$driver" ;;
    esac
    exit 0
fi
exec sh "$support/tap-cmocka.sh" sh "$support/$tool.sh" $name "$program"
