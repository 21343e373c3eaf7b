#!/bin/sh
# Sizes and white space.
. "$(dirname "$0")/tap.sh"

code=$(c_sources runtime models frontends tests bench; sources '*.cl' cl; sources '*.h' cl)
text="$code
$(sources '*.sh' tests autotools bench; sources '*.awk' tests; sources '*.py' tests bench; sources '*.m4' autotools)
$(sources '*.md' doc; sources '*.yaml' configs)
configure.ac dev README.md HACKING.md NEWS.md"

# shellcheck disable=SC2086
check 'no function is longer than 100 lines' "$(awk '
    FNR == 1 { start = 0 }
    /^\{$/ { start = FNR }
    /^\}/ { if (start && FNR - start + 1 > 100) print FILENAME ":" start ": " FNR - start + 1 " lines"; start = 0 }' $code)"
# shellcheck disable=SC2086
check 'no file is longer than 1,000 lines' "$(awk 'FNR == 1001 { print FILENAME }' $code)"
# shellcheck disable=SC2086
check 'no line of code is longer than 120 columns' "$(awk 'length($0) > 120 { print FILENAME ":" FNR }' $code)"
# shellcheck disable=SC2086
check 'no tabs' "$(awk '/\t/ { print FILENAME ":" FNR }' $text)"
# shellcheck disable=SC2086
check 'no white space at the end of a line' "$(awk '/[ \t\r]$/ { print FILENAME ":" FNR }' $text)"
# shellcheck disable=SC2086
check 'every file ends with its last line' "$(for file in $text; do
    [ -s "$file" ] && [ "$(tail -c 1 "$file" | wc -l)" -eq 0 ] && printf '%s\n' "$file"
done || true)"
finish
