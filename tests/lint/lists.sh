#!/bin/sh
# X-macro lists agree with what stands beside them, and the build's lists with the tree.
. "$(dirname "$0")/tap.sh"

# An entry made of names alone, SP_X(a) or SP_X(a, b), announces an exported descriptor "const struct ... sp_..._b"; a descriptor that
# its folder's lists do not have is never found by anyone.
listed=$(sources '*.def' runtime models frontends)
# shellcheck disable=SC2086
findings=$(for folder in $(for list in $listed; do dirname "$list"; done | sort -u); do
    awk '
        FILENAME ~ /\.def$/ && /^SP_[A-Z_]+\(([a-z][a-z0-9_]*, *)?[a-z][a-z0-9_]*\)/ {
            entry = $0
            sub(/^[^(]*\(/, "", entry)
            sub(/\).*/, "", entry)
            n = split(entry, word, /, */)
            name[word[n]] = FILENAME ":" FNR
        }
        FILENAME ~ /\.c$/ && /^const struct [a-z0-9_]+ sp_[a-z0-9_]+ *=/ {
            symbol = $4
            sub(/=.*/, "", symbol)
            made[symbol] = FILENAME ":" FNR
        }
        END {
            for (n in name) {
                found = 0
                for (s in made)
                    if (s ~ ("_" n "$")) found = 1
                if (!found) print name[n] ": nothing in this folder defines sp_..._" n
            }
            for (s in made) {
                found = 0
                for (n in name)
                    if (s ~ ("_" n "$")) found = 1
                if (!found) print made[s] ": " s " is in no .def of its folder"
            }
        }' "$folder"/*.def "$folder"/*.c
done)
check '.def lists agree with the descriptors' "$findings"

# Every source file is named by a fragment of the build, or it is missing from the release.
fragments=$(sources '*.mk' runtime models frontends cl configs doc bench tests)
# shellcheck disable=SC2086
findings=$({ c_sources runtime models frontends; sources '*' cl tests; } | grep -v '\.mk$' | awk '
    FILENAME != "-" {
        while (match($0, /[A-Za-z0-9_.\/-]+/)) {
            named[substr($0, RSTART, RLENGTH)] = 1
            $0 = substr($0, RSTART + RLENGTH)
        }
        next
    }
    /\.(c|h|def|cl|sh|awk|py|txt|supp)$/ && !($0 in named) { print $0 ": no local.mk or *.mk names it" }' $fragments Makefile.am -)
check 'every source file is in the build' "$findings"
finish
