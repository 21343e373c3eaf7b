#!/bin/sh
# tap-cmocka.sh PROGRAM [ARG]...: runs a cmocka program with TAP output and mends what cmocka 1.1.5 gets wrong. It prints a
# skipped test as "not ok N # SKIP", which a TAP reader counts as failed, and exits with the number of failures, so that 77
# failures would read as a skip. Here the exit status is 0 when the TAP lines tell the failures; one that they do not tell (a
# crash, a report of the tool that runs the program) is passed on.
CMOCKA_MESSAGE_OUTPUT=TAP
export CMOCKA_MESSAGE_OUTPUT
exec 4>&1
status=$({
    { "$@" 3>&- 4>&-; echo $? >&3; } | awk '
        /^not ok [0-9]+ # SKIP/ { sub(/^not /, "") }
        /^not ok/ { told = 1 }
        { print; fflush() }
        END { exit told }' >&4 || echo told >&3
} 3>&1)
case $status in
*told) exit 0 ;;
*) exit "$status" ;;
esac
