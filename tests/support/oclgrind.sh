#!/bin/sh
# oclgrind.sh COMMAND [ARG]...: runs COMMAND under Oclgrind, which interprets kernels and reports every access out of bounds and
# every race. (Not undefined values: Oclgrind 21.10 takes what clEnqueueFillBuffer wrote for undefined.) Oclgrind itself exits 0
# whatever it finds: this fails when its log is not empty, and prints it. COMMAND finds "oclgrind" in $SPEFT_TEST_DRIVER.
# Exit 77 when Oclgrind is not installed, 1 when $SPEFT_REQUIRE_DRIVERS names oclgrind.
set -eu
if ! command -v oclgrind >/dev/null; then
    printf 'oclgrind.sh: Oclgrind is not installed\n' >&2
    case " ${SPEFT_REQUIRE_DRIVERS:-} " in *" oclgrind "*) exit 1 ;; esac
    exit 77
fi
log=$(mktemp "${TMPDIR:-/tmp}/oclgrind.XXXXXX")
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# Oclgrind is a driver of its own: no other may be loaded beside it.
status=0
SPEFT_TEST_DRIVER=oclgrind OCL_ICD_VENDORS=/nonexistent oclgrind --log "$log" --max-errors 10 --data-races "$@" || status=$?
if [ -s "$log" ]; then
    sed 's/^/# oclgrind: /' "$log"
    printf 'oclgrind.sh: Oclgrind reported the above\n' >&2
    exit 1
fi
exit "$status"
