#!/bin/sh
# Every kernel compiles without a device and without a warning. A file that wants macros says which, for one or more variants, in
# lines of its own near its top:  // lint: -DC=384 -DROWS=4
# Unused parameters are no fault: a kernel has one signature for all its variants.
. "$(dirname "$0")/tap.sh"

if ! command -v clang >/dev/null; then
    skip 'clang is not installed'
    finish
    exit 0
fi
for file in $(sources '*.cl' cl); do
    variants=$(sed -n 's,^ *[/*]*[/*] *lint: *\([^*]*\).*,\1,p' "$file")
    findings=$(printf '%s\n' "$variants" | while read -r defines; do
        # shellcheck disable=SC2086
        clang -x cl -cl-std=CL1.2 -target spir64 -fsyntax-only -Wall -Wextra -Wno-unused-parameter -Werror -I cl $defines "$file" 2>&1 ||
            printf '%s failed with: %s\n' "$file" "$defines"
    done)
    check "$file" "$findings"
done
finish
