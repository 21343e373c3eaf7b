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

# letters [MERGE]...: a byte-level BPE of 88 tokens, as tests/data/reference/decoders have: special tokens, a blank, letters,
# digits, ChatML's marks, what is made by the merges ("a n"), and tokens that no text has.
letters() {
    printf '%s\n' "$@" | awk '
NF == 2 { merge[++merges] = $0; made[merges] = $1 $2 }
END {
    n = split("<pad> <unk> <s> </s> <|im_start|> <|im_end|>", token, " ")
    token[++n] = "\\u0120"; token[++n] = "\\u010a"
    for (i = 33; i < 127 && n < 88; i++)
        if (i != 34 && i != 92 && (i < 58 || i > 96 || i == 63))
            token[++n] = sprintf("%c", i)
    for (i = 1; i <= merges; i++)
        token[++n] = made[i]
    for (i = n + 1; i <= 88; i++)
        token[i] = "x" i
    printf "{\"added_tokens\": ["
    for (i = 1; i <= 6; i++)
        printf "%s{\"id\": %d, \"content\": \"%s\", \"special\": true, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false}", (i > 1 ? ", " : ""), i - 1, token[i]
    printf "], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}, "
    printf "\"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"vocab\": {"
    for (i = 1; i <= 88; i++)
        printf "%s\"%s\": %d", (i > 1 ? ", " : ""), token[i], i - 1
    printf "}, \"merges\": ["
    for (i = 1; i <= merges; i++)
        printf "%s\"%s\"", (i > 1 ? ", " : ""), merge[i]
    printf "]}}\n"
}'
}

finish() { printf '1..%d\n' "$tests"; }
