# Sourced by the command tests: TAP, and the program as a user runs it. They run from the top of the build tree.
set -eu
tests=0
folder=$(mktemp -d "${TMPDIR:-/tmp}/speft-cli-XXXXXX")
trap 'rm -rf "$folder"' EXIT

# run ARG...: runs the program; its exit status is in $status, what it wrote in $folder/out and $folder/err.
run() {
    status=0
    ./speft-cl "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
}

# test_that NAME COMMAND...: one test, which passes when COMMAND succeeds.
test_that() {
    name=$1
    shift
    tests=$((tests + 1))
    if "$@"; then
        printf 'ok %d - %s\n' "$tests" "$name"
    else
        printf 'not ok %d - %s\n' "$tests" "$name"
        printf '# failed: %s\n' "$*"
        printf '# exit status %s\n' "${status:-}"
        sed 's/^/# out: /' "$folder/out" | head -n 20
        sed 's/^/# err: /' "$folder/err" | head -n 20
    fi
}

# fails_with STATUS TEXT: the last run ended so, printed nothing, and its error begins "speft-cl: error:" and has TEXT in it.
fails_with() {
    [ "$status" = "$1" ] && [ ! -s "$folder/out" ] && [ "$(head -c 17 "$folder/err")" = 'speft-cl: error: ' ] &&
        grep -qF -e "$2" "$folder/err"
}

# prints TEXT: the last run succeeded, printed a line with TEXT, and said nothing else.
prints() {
    [ "$status" = 0 ] && [ ! -s "$folder/err" ] && grep -qF -e "$1" "$folder/out"
}

finish() { printf '1..%d\n' "$tests"; }
