#!/bin/sh
# Functions that this code does not call, and those that only programs may call.
. "$(dirname "$0")/tap.sh"

files=$(c_sources runtime models frontends tests bench)
# shellcheck disable=SC2086
code=$(awk -f "$lint/code.awk" $files)

# calls NAMES [FOLDERS]: lines of code that call one of NAMES (an expression), in FOLDERS (likewise; all when empty).
calls() {
    printf '%s\n' "$code" | awk -v names="(^|[^A-Za-z0-9_.>])($1)[ ]*\\\\(" -v folders="^(${2:-.})" '
        $0 ~ folders {
            text = $0
            sub(/^[^:]*:[0-9]*:/, "", text)
            if (text ~ names) print
        }'
}

check 'no strcpy, strcat, sprintf, gets, strtok, atoi, alloca and their kin: unbounded, or blind to errors' \
    "$(calls 'strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|ato[ifl]|atoll|alloca|scanf|[sf]scanf|tmpnam|mktemp|rand|srand')"
check 'no printf, exit or abort below the frontends' \
    "$(calls 'printf|vprintf|puts|putchar|perror|exit|_exit|_Exit|abort|assert' 'runtime/|models/')"

# A pass that is made elsewhere would lack what the run's parts add to the model's layers.
# shellcheck disable=SC2086
check "passes over a run's plan begin in runtime/train/run_plan.c" "$(printf '%s\n' "$code" | grep -E \
    '^(runtime/(train|study)|frontends)/.*(\(struct sp_plan_pass\) *\{|struct sp_plan_pass [a-z_]+ = \{)' |
    grep -v '^runtime/train/run_plan\.c:' || true)"
finish
