#!/bin/sh
# A GGUF in place of a folder, from outside: of the same weights, written as llama.cpp's converter does, come the same bytes.
# Its parts: tests/unit/test_gguf*; damaged files: tests/cli/badinput.sh.
. "${srcdir:-.}/tests/cli/tap.sh"
decoders=${srcdir:-.}/tests/data/reference/decoders

printf '{"text": "an apple and a pear"}\n{"text": "12 ripe plums!\\nno more"}\n{"text": "<s>and<|im_end|> the end"}\n' >"$folder/rows.jsonl"
printf 'an apple and a pear\n<s>12 ripe plums!<|im_end|> the end\n' >"$folder/lines.txt"
printf '{"prompt": "an apple", "completion": " and a pear"}\n{"prompt": "ripe?", "completion": " no"}\n' >"$folder/train.jsonl"

# model FAMILY: its folder, with a tokenizer, and the GGUF.
model() {
    mkdir "$folder/$1"
    cp "$decoders/$1/model.safetensors" "$folder/$1"
    sed 's/"query_pre_attn_scalar": 9/"query_pre_attn_scalar": 12/' "$decoders/$1/config.json" >"$folder/$1/config.json"
    letters 'a n' 'an d' 'p p' 'l e' '\u0120 a' '\u0120a n' '\u0120an d' >"$folder/$1/tokenizer.json"
    tests/cli/gguf_tool "$folder/$1" "$folder/$1.gguf"
}
# both COMMAND...: that of the folder and of the file, to $folder/of-folder and $folder/of-file.
both() {
    for kind in folder file; do
        given=$folder/$family
        [ $kind = folder ] || given=$given.gguf
        run "$@" --model "$given"
        [ "$status" = 0 ] || return 1
        cp "$folder/out" "$folder/of-$kind"
    done
}
same() { both "$@" && [ -s "$folder/of-file" ] && cmp "$folder/of-folder" "$folder/of-file"; }
# near COMMAND...: the same but for less than 1e-5 in each number.
near() {
    both "$@" && for kind in folder file; do
        grep -oE -e '-?[0-9]+\.[0-9e+-]+' "$folder/of-$kind" >"$folder/$kind.numbers" || return 1
    done && paste "$folder/folder.numbers" "$folder/file.numbers" |
        awk 'NF != 2 || $1 - $2 > 1e-5 || $2 - $1 > 1e-5 { exit bad = 1 } END { exit bad || NR < 20 }'
}

for family in llama qwen2 gemma2; do
    model $family
    [ $family = gemma2 ] && alike=near || alike=same # 1 + w - 1 is not w to the last bit
    test_that "$family: the log-probabilities" $alike predict --quiet --input "$folder/rows.jsonl" --output - --set task=causal_lm
done

family=llama
test_that 'the ids of a text' same tokenize --input "$folder/lines.txt"
test_that 'what is generated' same generate --quiet --prompt 'an apple' --max-new-tokens 12

cat >"$folder/run.yaml" <<END2
task: causal_lm
train_file: $folder/train.jsonl
max_steps: 2
learning_rate: 1e-2
sparse: {metric: gradient, target_modules: all-linear, count: 200}
END2
for kind in folder file; do
    given=$folder/llama
    [ $kind = folder ] || given=$given.gguf
    run train "$folder/run.yaml" --quiet --set model_name_or_path="$given" --output-dir "$folder/trained-$kind"
    test_that "two steps of training: $kind" test "$status" = 0
done
adapter=$folder/trained-file/adapter
test_that '  whose delta is the same' cmp "$folder/trained-folder/adapter/adapter.safetensors" "$adapter/adapter.safetensors"
run generate --quiet --model "$folder/llama.gguf" --adapter "$adapter" --prompt 'an apple' --max-new-tokens 12
cp "$folder/out" "$folder/of-file"
run generate --quiet --model "$folder/llama" --adapter "$folder/trained-folder/adapter" --prompt 'an apple' --max-new-tokens 12
test_that '  and what is generated with it' sh -c '[ "$1" = 0 ] && [ -s "$2" ] && cmp "$2" "$3"' sh "$status" "$folder/of-file" "$folder/out"

# ---- the base that an adapter belongs to is that file
run predict --quiet --model "$folder/llama" --adapter "$adapter" --input "$folder/rows.jsonl" --output -
test_that 'the adapter of a GGUF is not one of the folder' fails_with 1 "was trained on another base model: its base is \"$folder/llama.gguf\""
size=$(wc -c <"$folder/llama.gguf")
head -c $((size - 1)) "$folder/llama.gguf" >"$folder/other.gguf"
printf '\001' >>"$folder/other.gguf"
run predict --quiet --model "$folder/other.gguf" --adapter "$adapter" --input "$folder/rows.jsonl" --output -
test_that '  nor of a GGUF with another byte of weights' fails_with 1 "was trained on another base model: its base is \"$folder/llama.gguf\""
printf '{"prompt": "an apple", "completion": " and"}\n' >"$folder/rows.jsonl"
mv "$folder/llama.gguf" "$folder/moved.gguf"
run predict --quiet --model "$folder/moved.gguf" --adapter "$adapter" --input "$folder/rows.jsonl" --output -
test_that '  but of the same one by another name' prints '"logprobs"'
finish
