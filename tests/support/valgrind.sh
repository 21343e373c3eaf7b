#!/bin/sh
# valgrind.sh COMMAND [ARG]...: runs COMMAND, without any OpenCL driver, under valgrind; fails when it reports anything, which it
# then prints. Exit 77 when valgrind is not installed, 1 when $SPEFT_REQUIRE_DRIVERS names it.
set -eu
if ! command -v valgrind >/dev/null; then
    printf 'valgrind.sh: valgrind is not installed\n' >&2
    case " ${SPEFT_REQUIRE_DRIVERS:-} " in *" valgrind "*) exit 1 ;; esac
    exit 77
fi
log=$(mktemp "${TMPDIR:-/tmp}/valgrind.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

status=0
SPEFT_TEST_DRIVER=valgrind OCL_ICD_VENDORS=/nonexistent \
    valgrind -q --leak-check=full --log-file="$log" --trace-children=no "$@" || status=$?
if [ -s "$log" ]; then
    sed 's/^/# /' "$log"
    printf 'valgrind.sh: valgrind reported the above\n' >&2
    exit 1
fi
exit "$status"
