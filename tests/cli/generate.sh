#!/bin/sh
# Generation from outside: a prompt to the terminal, rows to a file, the chat form, and what is refused. Which tokens: tests/train.
. "${srcdir:-.}/tests/cli/tap.sh"
reference=${srcdir:-.}/tests/data/reference
model=$folder/model

# A decoder with a tokenizer of its size: special tokens, a blank, letters, digits, and ChatML's marks.
mkdir "$model"
cp "$reference/decoders/llama/model.safetensors" "$reference/decoders/llama/config.json" "$model"
letters >"$model/tokenizer.json"

generate() { run generate --quiet --model "$model" "$@"; }

generate --prompt 'an apple' --max-new-tokens 12
test_that 'a prompt' sh -c '[ "$1" = 0 ] && [ -s "$2" ] && [ "$(tail -c 1 "$2")" = "" ]' sh "$status" "$folder/out"
cp "$folder/out" "$folder/alone"
generate --prompt 'an apple' --max-new-tokens 12
test_that '  the same again' cmp "$folder/out" "$folder/alone"
generate --prompt 'an apple' --max-new-tokens 12 --temperature 2 --seed 7
cp "$folder/out" "$folder/drawn"
test_that '  another at random' sh -c '[ "$1" = 0 ] && ! cmp -s "$2" "$3"' sh "$status" "$folder/drawn" "$folder/alone"
generate --prompt 'an apple' --max-new-tokens 12 --temperature 2 --seed 7 --top-k 1
test_that '  top-k 1 is the likeliest' cmp "$folder/out" "$folder/alone"

printf '{"prompt": "a tree"}\n{"prompt": "an apple"}\n{"prompt": "ripe fruit?"}\n' >"$folder/in.jsonl"
generate --input "$folder/in.jsonl" --max-new-tokens 12 --output "$folder/out.jsonl"
test_that 'rows' sh -c '[ "$1" = 0 ] && [ "$(grep -cE "^\{\"prompt\": \".*\", \"completion\": \".*\", \"tokens\": [0-9]+, \"ended\": (true|false)\}$" "$2")" = 3 ]' \
    sh "$status" "$folder/out.jsonl"
test_that '  in their order' sh -c 'sed -n 2p "$1" | grep -q "an apple"' sh "$folder/out.jsonl"
generate --input "$folder/in.jsonl" --max-new-tokens 12 --set per_device_eval_batch_size=1
test_that '  the same one by one, and on standard output' cmp "$folder/out" "$folder/out.jsonl"
printf 'a tree\nan apple\nripe fruit?\n' >"$folder/in.txt"
./speft-cl generate --quiet --model "$model" --input - --max-new-tokens 12 <"$folder/in.txt" >"$folder/out"
test_that '  lines of standard input' cmp "$folder/out" "$folder/out.jsonl"

# Rows are written as they are done: a run that is ended when the first row is there leaves it.
mkdir "$folder/long"
cp "$model/model.safetensors" "$model/tokenizer.json" "$folder/long"
sed 's/"max_position_embeddings": 64/"max_position_embeddings": 2048/' "$model/config.json" >"$folder/long/config.json"
end_early() { # end_early SIGNAL FILE [ARG]...: FILE is where rows go
    signal=$1 file=$2
    shift 2
    : >"$file"
    ./speft-cl generate --quiet --model "$folder/long" --input "$folder/in.jsonl" --max-new-tokens 1500 \
        --set per_device_eval_batch_size=1 "$@" >"$folder/out" 2>"$folder/err" </dev/null &
    for i in $(seq 600); do
        [ -s "$file" ] || sleep 0.05
    done
    kill -s "$signal" $!
    status=0
    wait $! 2>/dev/null || status=$?
}
# One or two whole rows of the three, the first of which is the first prompt's.
has_some() { [ "$(head -n 2 "$1" | cmp - "$1" && tail -c 1 "$1" | wc -l)" = 1 ] && head -n 1 "$1" | grep -q '^{"prompt": "a tree", .*}$'; }
end_early INT "$folder/end.jsonl.incomplete" --output "$folder/end.jsonl"
test_that 'an interrupted run leaves the rows that are done' has_some "$folder/end.jsonl.incomplete"
test_that '  and says so' sh -c '[ "$1" = 130 ] && grep -q "first [12] of 3 rows are in .*end.jsonl.incomplete: interrupted" "$2"' sh "$status" "$folder/err"
test_that '  nothing under the final name' test ! -e "$folder/end.jsonl"
end_early KILL "$folder/end.jsonl.incomplete" --output "$folder/end.jsonl"
test_that '  so does a killed one' has_some "$folder/end.jsonl.incomplete"
end_early INT "$folder/out"
test_that '  and standard output has whole lines' has_some "$folder/out"
generate --input "$folder/in.jsonl" --max-new-tokens 12 --output "$folder/end.jsonl"
test_that '  what is complete takes its place' sh -c 'cmp "$1" "$2" && [ ! -e "$1.incomplete" ]' sh "$folder/end.jsonl" "$folder/out.jsonl"
generate --input "$folder/in.jsonl" --output "$folder/end.jsonl" --max-new-tokens 90
test_that '  a run that is refused leaves none' test ! -e "$folder/end.jsonl.incomplete"
ln -s in.jsonl "$folder/link.jsonl.incomplete"
generate --input "$folder/in.jsonl" --max-new-tokens 4 --output "$folder/link.jsonl"
test_that '  and none takes the place of the input' fails_with 2 'link.jsonl.incomplete is the input'

# ---- the positions that are left
run generate --model "$model" --input "$folder/in.jsonl" --output "$folder/rest.jsonl"
test_that 'what is not asked for is cut to the positions' sh -c '[ "$1" = 0 ] && [ "$(grep -c "model has 64 positions" "$2")" = 1 ]' sh "$status" "$folder/err"
test_that '  each text to its own' sh -c 'grep -o "\"tokens\": [0-9]*" "$1" | tr "\n" , | grep -qx "\"tokens\": 58,\"tokens\": 56,\"tokens\": 53,"' sh "$folder/rest.jsonl"

# ---- the chat form
generate --prompt hello --chat
test_that 'no chat template' fails_with 1 'has no chat template'
printf '{"chat_template": "{%% for m in messages %%}[INST]{%% endfor %%}"}' >"$model/tokenizer_config.json"
generate --prompt hello --chat
test_that 'another template' fails_with 1 'is not ChatML'
turns="{{'<|im_start|>' + message['role'] + '\\\\n' + message['content'] + '<|im_end|>' + '\\\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\\\n' }}{% endif %}"
template="{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\\\nbe brief<|im_end|>\\\\n' }}{% endif %}$turns"
printf '{"chat_template": "{%% set now = 1 %%}%s"}' "$template" >"$model/tokenizer_config.json"
generate --prompt hello --chat
test_that 'a template that may do more' fails_with 1 'not one of those that are known to write ChatML'
printf '{"chat_template": "%s"}' "$template" >"$model/tokenizer_config.json"
run generate --model "$model" --prompt hello --chat --max-new-tokens 4
test_that 'ChatML, with its system message' sh -c '[ "$1" = 0 ] && grep -q "system message: be brief" "$2"' sh "$status" "$folder/err"
run generate --model "$model" --prompt hello --chat --system 'be kind' --max-new-tokens 4
test_that '  or another' sh -c '[ "$1" = 0 ] && grep -q "system message: be kind" "$2"' sh "$status" "$folder/err"

printf '%s\n' hello | ./speft-cl tokenize --model "$model" --chat >"$folder/out" 2>"$folder/err"
test_that 'tokenize shows the form' grep -qx '{"input_ids": \[4, [0-9, ]*, 5, 7, 4, [0-9, ]*, 5, 7, 4, [0-9, ]*, 7\]}' "$folder/out"
run tokenize --model "$model" --chat --pair
test_that '  of one text' fails_with 2 '--pair and --chat exclude each other'

# An adapter brings its form along.
cat >"$folder/run.yaml" <<END
model_name_or_path: $model
task: causal_lm
train_file: $folder/rows.jsonl
template: model
sample_prompt: hi
sample_max_new_tokens: 3
max_steps: 2
sparse: {metric: magnitude, target_modules: [q_proj], count: 20}
END
printf '{"prompt": "hi", "completion": "ho"}\n' >"$folder/rows.jsonl"
run train "$folder/run.yaml" --quiet --output-dir "$folder/trained"
test_that 'a run shows what the model says' sh -c 'grep -q "^prompt:          hi$" "$1" && grep -q "^answer before:   ." "$1" && grep -q "^answer after:    ." "$1"' sh "$folder/out"
adapter="$folder/trained/adapter"
generate --prompt hi --max-new-tokens 3 --adapter "$adapter" --chat
cp "$folder/out" "$folder/alone"
run generate --model "$model" --prompt hi --max-new-tokens 3 --adapter "$adapter"
test_that 'an adapter has its prompts in the form of its training' cmp "$folder/out" "$folder/alone"
test_that '  with a word' grep -qF "chat form, as the adapter was trained: ChatML; system message: be brief" "$folder/err"
run generate --model "$model" --prompt hi --max-new-tokens 3 --adapter "$adapter" --set template=raw
test_that '  unless it is to be another' grep -qF "template is raw, though $adapter was trained with model" "$folder/err"
run eval "$folder/run.yaml" --set template=null --set validation_file="$folder/rows.jsonl" --adapter "$adapter"
test_that '  in eval too' grep -q 'causal_lm, 3 of the [0-9]* tokens' "$folder/err"
test_that '    with a word' grep -qF 'as the adapter was trained' "$folder/err"

printf '{"prompt": "a\\u0000b"}\n' >"$folder/nul.jsonl"
generate --input "$folder/nul.jsonl" --max-new-tokens 1
test_that 'a prompt comes back whole' prints '"prompt": "a\u0000b"'

# ---- what is refused
generate --max-new-tokens 4
test_that 'neither prompt nor input' fails_with 2 'one of --prompt and --input'
generate --prompt a --input "$folder/in.jsonl"
test_that 'both' fails_with 2 'one of --prompt and --input'
generate --prompt a --max-new-tokens 0
test_that 'no new tokens' fails_with 2 '--max-new-tokens: 0 is out of range'
generate --prompt a --max-new-tokens many
test_that 'no number' fails_with 2 '"many" is no whole number'
generate --prompt a --temperature -1
test_that 'a temperature below 0' fails_with 2 '--temperature: -1 is out of range'
generate --prompt a --top-p 0.5
test_that 'top-p without a temperature' fails_with 2 'give a --temperature above 0'
generate --prompt a --system b
test_that 'a system message without a chat' fails_with 2 '--system is for --chat'
generate --prompt '' --max-new-tokens 4
test_that 'an empty prompt' fails_with 2 '--prompt: found an empty text'
generate --prompt "$(printf '%070d' 0)" --max-new-tokens 1
test_that 'a prompt longer than the positions' fails_with 1 'has 70 tokens, and --max-new-tokens asks for 1 more; the model has positions for 64'
generate --prompt "$(printf '%060d' 0)" --max-new-tokens 5
test_that 'generation past the positions' fails_with 1 'has 60 tokens, and --max-new-tokens asks for 5 more'
generate --prompt "$(printf '%064d' 0)"
test_that '  nor is there one for a token' fails_with 1 'has 64 tokens; the model has positions for 64, which leaves none for a new one'
printf '{"prompt": "a"}\n{"prompt": "%065d"}\n' 0 >"$folder/long.jsonl"
generate --input "$folder/long.jsonl" --max-new-tokens 4
test_that '  by line' fails_with 1 'long.jsonl:2: the prompt has 65 tokens'
mkdir "$folder/larger"
cp "$model/model.safetensors" "$model/config.json" "$folder/larger"
sed 's/"x88": 87/"x88": 87, "x89": 88/' "$model/tokenizer.json" >"$folder/larger/tokenizer.json"
run generate --quiet --model "$folder/larger" --prompt a
test_that 'a tokenizer larger than the embedding' fails_with 2 "larger: the tokenizer has 89 tokens, but the model's embedding 88: the two do not belong together"
run predict --quiet --model "$folder/larger" --input "$folder/in.jsonl" --output - --set task=causal_lm
test_that '  for rows of text' fails_with 1 'the tokenizer has 89 tokens'
printf '{"input_ids": [8, 9, 10]}\n' >"$folder/ids.jsonl"
generate --input "$folder/ids.jsonl"
test_that 'token ids for a prompt' fails_with 1 'ids.jsonl:1: no "prompt" and no "text"; token ids alone are no prompt'
run predict --quiet --model "$folder/larger" --input "$folder/ids.jsonl" --output - --set task=causal_lm
test_that '  which rows of ids do not need' prints '"logprobs"'
run generate --quiet --model "$reference/binary" --prompt a
test_that 'an encoder' fails_with 2 'does not predict the next token'
run generate --quiet --model "$reference/decoders/llama" --prompt a
test_that 'no tokenizer' fails_with 2 'prompts need one'
run train "$folder/run.yaml" --quiet --set "model_name_or_path=$reference/decoders/llama" --set template=null \
    --set sample_prompt=null --output-dir "$folder/untokenized"
test_that '  for rows of text to train on' fails_with 1 \
    "$folder/rows.jsonl holds text; only rows of \"input_ids\" need no tokenizer"
test_that '    and nothing is left' test ! -e "$folder/untokenized"
cp "$folder/in.jsonl" "$folder/kept.jsonl"
generate --input "$folder/in.jsonl" --output "$folder/in.jsonl"
test_that 'the input as output' fails_with 2 'is the input, which what is generated would replace'
test_that '  which stays' cmp "$folder/in.jsonl" "$folder/kept.jsonl"
generate --input "$folder/in.jsonl" --output "$folder/none/out.jsonl"
test_that 'an output in no folder' fails_with 1 "$folder/none"
generate --input "$folder/in.jsonl" --output "$model/model.safetensors"
test_that 'the model as output' fails_with 2 'which what is generated would replace'

finish
