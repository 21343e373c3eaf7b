#!/bin/sh
# speft-cl tokenize: lines, pairs, and what it says of wrong input. TAP.
set -eu
program=./speft-cl
folder=$(mktemp -d "${TMPDIR:-/tmp}/speft-text-XXXXXX")
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/model" "$folder/empty"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' a b '##b' >"$folder/model/vocab.txt"
number=0
failed=0

# expect NAME STATUS OUTPUT ERROR: holds the last run against its exit status, all its output and a part of its message.
expect() {
    number=$((number + 1))
    if [ "$(cat "$folder/status")" -eq "$2" ] && [ "$(cat "$folder/out")" = "$3" ] &&
        case $(cat "$folder/err") in *"$4"*) ;; *) false ;; esac; then
        echo "ok $number - $1"
    else
        failed=1
        echo "not ok $number - $1"
        sed 's/^/# /' "$folder/out" "$folder/err" | head -n 20
        echo "# exit status $(cat "$folder/status")"
    fi
}

# tokenize ARG...: runs the command on standard input. What it leaves is in files, as a pipe makes this a shell of its own.
tokenize() {
    result=0
    "$program" tokenize "$@" >"$folder/out" 2>"$folder/err" || result=$?
    echo "$result" >"$folder/status"
}

printf 'A b\n\nabb x\r\n[MASK]\tb' | tokenize --model "$folder/model"
expect 'one line out for each line in' 0 '{"input_ids": [2, 5, 6, 3]}
{"input_ids": [2, 3]}
{"input_ids": [2, 5, 7, 7, 1, 3]}
{"input_ids": [2, 4, 6, 3]}' ''

printf 'a\tb b\n\tb\ta\n' >"$folder/pairs"
tokenize --model "$folder/model" --pair --input "$folder/pairs"
expect 'a TAB separates a pair' 0 '{"input_ids": [2, 5, 3, 6, 6, 3], "token_type_ids": [0, 0, 0, 1, 1, 1]}
{"input_ids": [2, 3, 6, 5, 3], "token_type_ids": [0, 0, 1, 1, 1]}' ''

tokenize --model "$folder/model" --input - </dev/null
expect 'nothing in, nothing out' 0 '' ''

printf 'a\tb\na b\n' | tokenize --model "$folder/model" --pair
expect 'a line without a TAB is named' 1 '{"input_ids": [2, 5, 3, 6, 3], "token_type_ids": [0, 0, 0, 1, 1]}' \
    'standard input:2: no TAB'

tokenize --model "$folder/empty" </dev/null
expect 'a folder without a tokenizer' 1 '' 'neither tokenizer.json nor vocab.txt'

tokenize --model "$folder/model" --input "$folder/none"
expect 'a missing input' 1 '' "$folder/none"

tokenize --model "$folder/model" --input "$folder"
expect 'a folder as input' 1 '' "cannot read $folder"

tokenize </dev/null
expect 'no --model' 2 '' '--model'

head -c 67108865 /dev/zero | tr '\0' a | tokenize --model "$folder/model"
expect 'a line over the limit' 1 '' 'standard input:1: the line is longer than the limit of 67108864 bytes'

if [ -e /dev/full ]; then
    result=0
    echo a | "$program" tokenize --model "$folder/model" >/dev/full 2>"$folder/err" || result=$?
    echo "$result" >"$folder/status"
    : >"$folder/out"
    expect 'a full disk' 1 '' 'cannot write'
fi
echo "1..$number"
exit "$failed"
