#!/bin/sh
# Which head a run trains, and what it says of it: the checkpoint's own where the labels are its, otherwise a new one.
. "${srcdir:-.}/tests/cli/tap.sh"
says() { grep -qF -e "$1" "$folder/err"; }
silent() { ! grep -q -e "$1" "$folder/err"; }

# ---- what else a checkpoint may lack
model=$folder/model
tests/cli/model_tool random "$model" 1
printf 'text\tlabel\na b\tgood\nc d\tbad\na e\tgood\n' >"$folder/words.tsv"
# train [ARG]...: a step on words.tsv, unless the arguments name other rows.
train() {
    run train "${srcdir:-.}/tests/cli/short.yaml" --set "model_name_or_path=$model" --set "train_file=$folder/words.tsv" \
        --output-dir "$folder/out" "$@"
}
train
test_that 'a pooler that is there' silent pooler
tests/cli/model_tool drop "$model/model.safetensors" pooler
train
test_that 'one that is not' says "$model has no pooler.dense.weight, pooler.dense.bias: made from the seed"
run eval "$folder/out/config.resolved.yaml" --adapter "$folder/out/adapter" --set "validation_file=$folder/words.tsv"
test_that '  the adapter has' silent pooler
finish
