#!/bin/sh
# What a run reads is never replaced by what it writes, by whatever name it is reached.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
model=$folder/model
config=$folder/run.yaml
mkdir "$model"
cp "$source"/config.json "$source"/tokenizer_config.json "$source"/vocab.txt "$source"/model.safetensors "$model"
cat >"$config" <<END
# a person's own words
model_name_or_path: $model
train_file: $source/train.jsonl
max_seq_length: 40
max_steps: 1
sparse:
  metric: magnitude
  count: 50
END
same() { cmp -s "$1" "$folder/before"; }

# replaces FILE COMMAND...: the command ends before its work, since it would replace FILE, which stays as it is, name and all
replaces() {
    file=$1
    shift
    cp "$file" "$folder/before"
    run "$@"
    fails_with 2 'is an input (' && grep -qF "$file" "$folder/err" && same "$file"
}

# ---- train: every name that it writes, as every input that it has
run train "$config" --quiet --output-dir "$folder/first"
test_that 'a run' test "$status" = 0
for written in predictions.jsonl metrics.jsonl result.json train.lock config.resolved.yaml adapter/adapter.json \
    adapter.unevaluated/adapter.safetensors; do
    dir=$folder/own
    rm -rf "$dir"
    mkdir -p "$dir/adapter" "$dir/adapter.unevaluated"
    cp "$folder/first/result.json" "$dir"
    cp "$source/train.jsonl" "$dir/$written"
    ln "$dir/$written" "$folder/data.jsonl"
    ln -s "$dir/$written" "$folder/link.jsonl"
    test_that "train_file is the run's own $written" replaces "$dir/$written" train "$config" --quiet --output-dir "$dir" --set train_file="$folder/data.jsonl"
    test_that '  nor by a link' replaces "$dir/$written" train "$config" --quiet --output-dir "$dir" --set train_file="$folder/link.jsonl"
    test_that '  nor as validation_file' replaces "$dir/$written" train "$config" --quiet --output-dir "$dir" --set validation_file="$folder/data.jsonl"
    test_that '  and nothing of an earlier run is taken' test -s "$dir/result.json" -a -z "$(find "$dir" -name '*.tmp-*')"
    rm "$folder/data.jsonl" "$folder/link.jsonl"
done
dir=$folder/inside
cp -r "$model" "$dir"
mv "$dir/config.json" "$dir/result.json"
ln -s result.json "$dir/config.json"
test_that "a model's file of such a name" replaces "$dir/result.json" train "$config" --quiet --output-dir "$dir" --set model_name_or_path="$dir"

# ---- a run that is repeated from its own configuration, and one from a file of that name that somebody wrote
dir=$folder/first
cp "$dir/config.resolved.yaml" "$folder/before"
run train "$dir/config.resolved.yaml" --quiet
test_that 'a run is repeated from its config.resolved.yaml' test "$status" = 0
test_that '  which stays the same' same "$dir/config.resolved.yaml"
run train "$dir/config.resolved.yaml" --quiet --set learning_rate=0.25
test_that '  or changes as --set says' grep -q '^learning_rate: 0.25$' "$dir/config.resolved.yaml"
cp "$config" "$dir/config.resolved.yaml"
test_that "a person's file of that name is refused" replaces "$dir/config.resolved.yaml" train "$dir/config.resolved.yaml" --quiet --output-dir "$dir"
test_that '  with its reason' grep -qF "output_dir: $dir/config.resolved.yaml is an input (the configuration), which training would replace" "$folder/err"

# ---- predict and mask: configuration, data, every file of the model and of the adapter
cp -r "$folder/first/adapter" "$folder/adapter"
for file in "$model"/* "$folder/adapter"/*; do
    test_that "predict's output is $(basename "$file")" replaces "$file" predict --quiet --model "$model" --adapter "$folder/adapter" --input "$source/eval.jsonl" --output "$file"
done
for file in "$model"/* "$config"; do
    test_that "mask's output is $(basename "$file")" replaces "$file" mask "$config" --quiet --output "$file"
done
for output in "$model/predictions.jsonl" "$folder/adapter/predictions.jsonl" "$model/predictions.jsonl"; do
    run predict --quiet --model "$model" --input "$source/eval.jsonl" --output "$output"
    test_that 'what is not read may lie there' test "$status" = 0 -a -s "$output"
done
for mask in a b; do
    run mask "$config" --quiet --output "$folder/$mask.svg"
done
test_that 'mask-compare' replaces "$folder/b.svg" mask-compare "$folder/a.svg" "$folder/b.svg" --output "$folder/b.svg"

# ---- study: its report and its lock
# study WRITTEN MODEL DATA: a study in $folder/study-WRITTEN, whose file is there, too
study() {
    dir=$folder/study-$1
    mkdir -p "$dir"
    cat >"$dir/study.yaml" <<END
output_dir: $dir
base: {model_name_or_path: $2, max_seq_length: 40, max_steps: 1}
data: {words: {train_file: $3, validation_file: $source/eval.jsonl}}
methods: {random: $folder/method.yaml}
budgets: {count: [50]}
learning_rates: [1e-3]
seeds: [1]
END
}
echo 'sparse: {metric: random}' >"$folder/method.yaml"
for written in results.jsonl study.lock report.md; do
    study "$written" "$model" "$folder/study-$written/data.jsonl"
    cp "$source/train.jsonl" "$dir/$written"
    ln "$dir/$written" "$dir/data.jsonl"
    test_that "a study's $written" replaces "$dir/$written" study "$dir/study.yaml" --quiet
    test_that '  before its runs' test ! -e "$dir/runs"
done

# ---- and what it reports on, when all its runs are done: nothing else looks at the model and the data then
cp -r "$model" "$folder/other"
study done "$folder/other" "$source/train.jsonl"
run study "$dir/study.yaml" --quiet
test_that 'a study' test "$status" = 0 -a -s "$dir/report.md"
for input in "$folder/other/config.json" "$folder/other/model.safetensors" "$folder/other/vocab.txt" "$folder/method.yaml" "$dir/study.yaml"; do
    for written in report.md report.html results.jsonl; do
        ln -f "$input" "$dir/$written"
        test_that "its $written is $(basename "$input")" replaces "$dir/$written" study "$dir/study.yaml" --quiet --report
        test_that '  nor without --report' replaces "$dir/$written" study "$dir/study.yaml" --quiet
        rm "$dir/$written"
    done
done
run_folder=$(dirname "$(find "$dir" -name result.json)")
rm "$run_folder/result.json"
ln -f "$folder/other/tokenizer_config.json" "$run_folder/log.txt"
test_that "nor is a run's log" replaces "$run_folder/log.txt" study "$dir/study.yaml" --quiet
rm "$run_folder/log.txt"
run study "$dir/study.yaml" --quiet
test_that '  and else all is as it was' test "$status" = 0 -a -s "$dir/report.html"
finish
