# Sourced by the lints: TAP, and the files that they read. A lint runs from the top of the source tree.
set -eu
cd "${srcdir:-$(dirname "$0")/../..}"
lint=$PWD/tests/lint
tests=0

# check DESCRIPTION FINDINGS: one test; FINDINGS are lines that say file, line and fault, none when all is well.
check() {
    tests=$((tests + 1))
    if [ -z "$2" ]; then
        printf 'ok %d - %s\n' "$tests" "$1"
    else
        printf 'not ok %d - %s\n' "$tests" "$1"
        printf '%s\n' "$2" | sed -n '1,40s/^/# /p'
    fi
}

skip() {
    tests=$((tests + 1))
    printf 'ok %d # SKIP %s\n' "$tests" "$1"
}

finish() { printf '1..%d\n' "$tests"; }

# sources PATTERN FOLDER...: the files of those names; what a build leaves in the tree and test data are none of ours.
sources() {
    pattern=$1
    shift
    for folder in "$@"; do
        if [ -d "$folder" ]; then
            find "$folder" -name "$pattern" -type f ! -path 'tests/data/*' ! -path cl/sources.c ! -path '*/build-aux/*'
        fi
    done | LC_ALL=C sort
}

# c_sources FOLDER...
c_sources() {
    sources '*.[ch]' "$@"
    sources '*.def' "$@"
}
