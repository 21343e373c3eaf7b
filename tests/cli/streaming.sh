#!/bin/sh
# Evaluation and prediction hold the logits of a batch, never those of all rows: with 16 MB of them in all, the peak of memory is
# that of a tenth of the rows.
. "${srcdir:-.}/tests/cli/tap.sh"
model=$folder/model
classes=2000
# AddressSanitizer would keep what is freed.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=0:thread_local_quarantine_size_kb=0
export ASAN_OPTIONS
tests/cli/model_tool random "$model" 1
tests/cli/model_tool head "$model/model.safetensors" $classes
awk -v n=$classes 'BEGIN { print "text\tlabel"; for (i = 0; i < n; i++) print "a b c\t" i }' >"$folder/rows.tsv"
head -n $((classes / 10 + 1)) "$folder/rows.tsv" >"$folder/few.tsv"
cat >"$folder/run.yaml" <<YAML
model_name_or_path: $model
train_file: $folder/rows.tsv
validation_file: $folder/rows.tsv
max_steps: 1
sparse: {method: head}
YAML

# peak NAME COMMAND [ARG]...: the KiB of a run of the program go to $folder/NAME.
peak() {
    to=$1
    shift
    status=0
    tests/cli/peak "$folder/$to" ./speft-cl "$@" --quiet >"$folder/out" 2>"$folder/err" </dev/null || status=$?
}
# The logits of all rows are 15,625 KiB.
no_more() { [ "$status" = 0 ] && [ $(($(cat "$folder/all") - $(cat "$folder/tenth"))) -lt 8000 ]; }

peak all train "$folder/run.yaml" --output-dir "$folder/all-out" # compiles, too
peak tenth train "$folder/run.yaml" --output-dir "$folder/tenth-out" --set max_eval_samples=$((classes / 10))
peak all train "$folder/run.yaml" --output-dir "$folder/all-out"
test_that 'the evaluations of a training run' no_more
peak tenth predict --model "$model" --input "$folder/few.tsv" --output "$folder/few.jsonl"
peak all predict --model "$model" --input "$folder/rows.tsv" --output "$folder/rows.jsonl"
test_that 'a prediction' no_more
test_that '  with a line a row' test "$(wc -l <"$folder/rows.jsonl")" = $classes
test_that '  of which the first are those of the tenth' \
    sh -c "head -n $((classes / 10)) '$folder/rows.jsonl' | cmp -s - '$folder/few.jsonl'"
finish
