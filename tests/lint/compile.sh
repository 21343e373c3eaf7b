#!/bin/sh
# Every header compiles alone, and gcc and clang find nothing to warn about.
. "$(dirname "$0")/tap.sh"
eval "set -- ${SPEFT_LINT_CFLAGS:-"-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -iquote ."} -Werror -O1 -fsyntax-only"

headers=$(sources '*.h' runtime models frontends)
files=$(sources '*.c' runtime models frontends)

# faults COMPILER FLAGS -- FILE...: what it says, or that it failed.
faults() {
    "$@" 2>&1 || printf '%s failed\n' "$1"
}

# shellcheck disable=SC2086
check 'every header compiles alone' "$(faults ${CC:-cc} "$@" -x c $headers)"
for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        # shellcheck disable=SC2086
        check "$compiler has no warning" "$(faults "$compiler" "$@" $files)"
    else
        skip "$compiler is not installed"
    fi
done
finish
