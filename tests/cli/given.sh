#!/bin/sh
# What was given in place of an adapter or a model is said, and what to give. No command here needs a device.
. "${srcdir:-.}/tests/cli/tap.sh"
OCL_ICD_VENDORS=/nonexistent
export OCL_ICD_VENDORS
model=$folder/model
tests/cli/model_tool random "$model" 1
printf 'model_name_or_path: %s\nvalidation_file: x.csv\n' "$model" >"$folder/run.yaml"
printf 'text,label\na,1\nb,2\n' >"$folder/rows.csv"

mkdir -p "$folder/result/adapter" "$folder/peft" "$folder/old-peft" "$folder/other" "$folder/study/runs"
: >"$folder/result/adapter/adapter.json"
: >"$folder/result/adapter/adapter.safetensors"
: >"$folder/study/study.lock"
printf '{"peft_type": "LORA", "base_model_name_or_path": "bert-base-uncased", "r": 8}' >"$folder/peft/adapter_config.json"
: >"$folder/peft/adapter_model.safetensors"
: >"$folder/old-peft/adapter_model.bin"

# instead ADAPTER TEXT: every command that takes an adapter says so.
instead() {
    run eval "$folder/run.yaml" --adapter "$1"
    test_that "eval: $2" fails_with 1 "$2"
    run predict --model "$model" --adapter "$1" --input "$folder/rows.csv" --output -
    test_that 'predict, too' fails_with 1 "$2"
    if [ -d "$1" ]; then
        run mask-compare "$1" "$1"
        test_that 'and mask-compare' fails_with 1 "$2"
    fi
}
instead "$folder/result" "$folder/result is a training run's output_dir, and its adapter a folder in it: give $folder/result/adapter"
instead "$folder/peft" "$folder/peft is an adapter of PEFT (LORA), which this program does not read: merge it into its base model \
(bert-base-uncased) with PEFT (merge_and_unload"
instead "$folder/old-peft" "$folder/old-peft is an adapter of PEFT, which this program does not read: merge it"
instead "$model" "$model is a model's folder, expected an adapter's"

# ---- a folder as configuration
run train "$folder/result"
test_that 'train: a folder' fails_with 2 "$folder/result is a folder, expected a file of options in YAML"
: >"$folder/result/config.resolved.yaml"
run train "$folder/result"
test_that '  in which a run has left its own' fails_with 2 "there: $folder/result/config.resolved.yaml"
rm "$folder/result/config.resolved.yaml"
instead "$folder/study" "$folder/study is a study's folder: its adapters are $folder/study/runs/DATA/METHOD/RUN/adapter"
instead "$folder/other" "$folder/other/adapter.json is not there: the folder is no adapter"
mkdir -p "$folder/runs/checkpoint-10" "$folder/runs/checkpoint-9" "$folder/many/a/adapter" "$folder/many/b/adapter"
cp "$folder/peft"/* "$folder/runs/checkpoint-10"
instead "$folder/runs" "$folder/runs is no adapter, and below it lies one of another library: $folder/runs/checkpoint-10 is an adapter of PEFT (LORA)"
cp "$folder/peft"/* "$folder/runs/checkpoint-9"
instead "$folder/runs" "below it lie some of another library: $folder/runs/checkpoint-10 is an adapter of PEFT"
: >"$folder/many/b/adapter/adapter.json"
instead "$folder/many" "$folder/many is no adapter, but below it lies one: $folder/many/b/adapter. Give that folder instead"
: >"$folder/many/a/adapter/adapter.json"
instead "$folder/many" "but below it lie adapters: $folder/many/a/adapter, $folder/many/b/adapter. Give one of them instead"
instead "$folder/absent" "there is no folder $folder/absent"
instead "$folder/result/adapter/adapter.safetensors" \
    "is a file of an adapter, expected its folder: give $folder/result/adapter"
instead "$folder/peft/adapter_model.safetensors" "$folder/peft is an adapter of PEFT (LORA)"
instead "$folder/rows.csv" "$folder/rows.csv is a file, expected an adapter's folder"

mkdir "$folder/hub"
printf '{"config": {"adapter_residual_before_ln": false}, "hidden_size": 768, "name": "sst-2"}' >"$folder/hub/adapter_config.json"
instead "$folder/hub" "$folder/hub is an adapter of another library (its adapter_config.json has no \"peft_type\"), which"
: >"$folder/hub/pytorch_adapter.bin"
instead "$folder/hub" "$folder/hub is an adapter of another library, AdapterHub's, which this program does not read: expected"
instead "$folder/result/" "a folder in it: give $folder/result/adapter"
ln -s "$folder/blobs/x" "$folder/dangling"
instead "$folder/dangling" "$folder/dangling: it is a link to $folder/blobs/x, which is not there"

# as_model FOLDER TEXT
as_model() {
    run predict --model "$1" --input "$folder/rows.csv" --output -
    test_that "as model: $2" fails_with 1 "$2"
}
as_model "$folder/result" "$folder/result is a training run's output_dir, expected a model's folder: give the model that it was trained on, \
and --adapter $folder/result/adapter with it"
as_model "$folder/result/adapter" "$folder/result/adapter is an adapter, expected a model's folder"
as_model "$folder/result/" "and --adapter $folder/result/adapter with it"
as_model "$folder/hub" "$folder/hub is an adapter of another library"
as_model "$folder/dangling" "it is a link to $folder/blobs/x"
as_model "$folder/peft" "$folder/peft is an adapter of PEFT (LORA)"
finish
