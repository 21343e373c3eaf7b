#!/bin/sh
# Evaluation from outside. That the metrics are PyTorch's, and those that training ended with: tests/model.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
config=$folder/run.yaml
adapter=$folder/result/adapter
cat >"$config" <<EOF
model_name_or_path: $source
train_file: $source/train.jsonl
validation_file: $source/eval.jsonl
max_seq_length: 40
max_steps: 2
sparse: {count: 50, metric: magnitude}
EOF
run train "$config" --quiet --output-dir "$folder/result"
test_that 'a run to evaluate' test "$status" = 0

eval_it() { run eval "$config" --quiet --adapter "$adapter" "$@"; }

eval_it
test_that 'for people' grep -qE '^accuracy 0\.[0-9]{4}, F1 0\.[0-9]{4}, Matthews -?0\.[0-9]{4}, loss [0-9]\.[0-9]{4} \(17 rows\)$' "$folder/out"
test_that '  and nothing else' test ! -s "$folder/err"
eval_it --json
test_that 'for programs' grep -qE \
    '^\{"rows": 17, "loss": [0-9.]+, "accuracy": [0-9.]+, "f1": [0-9.]+, "matthews_correlation": -?[0-9.]+\}$' "$folder/out"
cp "$folder/out" "$folder/all"
eval_it --json
test_that 'the same again' cmp -s "$folder/out" "$folder/all"
# Batches of 5, 5, 5 and 2 rows weigh by their rows: the loss is that of 17 single ones.
loss() { sed 's/.*"loss": \([-0-9.e]*\),.*/\1/' "$folder/out"; }
eval_it --json --set per_device_eval_batch_size=1
single=$(loss)
eval_it --json --set per_device_eval_batch_size=5
test_that 'the mean is over rows, not over batches' awk -v a="$single" -v b="$(loss)" \
    'BEGIN { d = a - b; exit !(a > 0.1 && d < 1e-6 && d > -1e-6) }'
eval_it --json --set max_eval_samples=5
test_that 'of some rows' grep -q '"rows": 5,' "$folder/out"
run eval "$folder/result/config.resolved.yaml" --quiet --adapter "$adapter" --json
test_that 'by the resolved configuration' cmp -s "$folder/out" "$folder/all"
eval_it --json --set train_file="$folder/absent.jsonl" --set sparse.method=full --set sparse.count=null
test_that 'training data and method do not matter' cmp -s "$folder/out" "$folder/all"

# ---- what cannot be
run eval "$config" --quiet
test_that 'no adapter named' fails_with 2 'eval needs --adapter'
eval_it --set validation_file=null
test_that 'no validation file named' fails_with 2 'validation_file is missing'
eval_it --set validation_file="$folder/absent.jsonl"
test_that 'no validation file there' fails_with 1 "$folder/absent.jsonl"
sed '4s/"label": "[a-z]*"/"label": "perhaps"/' "$source/eval.jsonl" >"$folder/unseen.jsonl"
eval_it --set validation_file="$folder/unseen.jsonl"
test_that 'a label that training had not' fails_with 1 "$folder/unseen.jsonl:4"
test_that '  and which it had' grep -q 'rejected' "$folder/err"
eval_it --set validation_file="$folder/unseen.jsonl" --set skip_bad_rows=true
test_that 'such a row may be skipped' grep -q '(16 rows)' "$folder/out"
test_that '  and is counted' grep -q '1 bad row' "$folder/err"
sed 's/, "label": "[a-z]*"//' "$source/eval.jsonl" >"$folder/unlabelled.jsonl"
eval_it --set validation_file="$folder/unlabelled.jsonl"
test_that 'no labels' fails_with 2 "$folder/unlabelled.jsonl: label_column"

# ---- integers as labels: classes of their own, never the numbers of others
sed 's/"accepted"/1/; s/"rejected"/0/' "$source/eval.jsonl" >"$folder/numbers.jsonl"
sed 's/"accepted"/1/; s/"rejected"/0/' "$source/train.jsonl" >"$folder/train.jsonl"
eval_it --json --set validation_file="$folder/numbers.jsonl"
test_that 'integers where training had words' fails_with 1 "$folder/numbers.jsonl:1: label"
test_that '  which are told' grep -q 'is not one of the 2 known: rejected, accepted' "$folder/err"
run train "$config" --quiet --output-dir "$folder/indices" --set train_file="$folder/train.jsonl" \
    --set validation_file="$folder/numbers.jsonl"
run eval "$config" --quiet --adapter "$folder/indices/adapter" --json --set validation_file="$folder/numbers.jsonl"
test_that '  trained with them' prints '"rows": 17,'
cp "$folder/out" "$folder/by-numbers"
eval_it --json --set validation_file="$source/eval.jsonl"
test_that '  on the same outputs of the head' cmp -s "$folder/out" "$folder/by-numbers"
sed 's/"accepted"/"late"/; s/"rejected"/"early"/' "$source/train.jsonl" >"$folder/train.jsonl"
run train "$config" --quiet --output-dir "$folder/words" --set train_file="$folder/train.jsonl" --set validation_file=null
test_that 'a new head' grep -q 'replaced by a new one' "$folder/err"
run eval "$config" --quiet --adapter "$folder/words/adapter" --json --set validation_file="$folder/numbers.jsonl"
test_that '  knows its own labels only' fails_with 1 "$folder/numbers.jsonl:1: label"
test_that '  which are told' grep -q 'is not one of the 2 known: early, late' "$folder/err"

# ---- adapters that are not whole
# broken EXPECTED COMMAND...: COMMAND damages a copy of the adapter, {} in it being the copy.
broken() {
    expected=$1
    shift
    rm -rf "$folder/copy"
    cp -r "$adapter" "$folder/copy"
    "$@"
    run eval "$config" --quiet --adapter "$folder/copy"
    test_that "$expected" fails_with 1 "$expected"
}
cut_short() { head -c 900 "$adapter/adapter.safetensors" >"$folder/copy/adapter.safetensors"; }
edit() { sed -i "$1" "$folder/copy/adapter.json"; }
broken "$folder/copy/adapter.safetensors" cut_short
broken "$folder/copy/adapter.json" rm "$folder/copy/adapter.json"
broken "$folder/copy/adapter.safetensors" rm "$folder/copy/adapter.safetensors"
broken "$folder/copy/adapter.json" edit '1s/{/[/'
broken 'format_version is 9' edit 's/"format_version": 1/"format_version": 9/'
broken 'was trained on another base model' edit 's/"sha256": "......../"sha256": "01234567/'
broken 'classifier.bias is missing' tests/cli/model_tool drop "$folder/copy/adapter.safetensors" classifier.bias
broken 'classifier.weight: element 0 is' tests/cli/model_tool set "$folder/copy/adapter.safetensors" classifier.weight 7fc00000
broken "$folder/copy/adapter.safetensors: tensor classifier.weight is F32 [2, 20]; the model needs F32 [3, 20]" \
    edit 's/"accepted"/"accepted", "late"/'
broken 'classifier.weight is F32 [40]; the model needs F32 [2, 20]' \
    tests/cli/model_tool reshape "$folder/copy/adapter.safetensors" classifier.weight
rename() { LC_ALL=C sed -i "s/$1/$2/" "$folder/copy/adapter.json" "$folder/copy/adapter.safetensors"; }
broken "$folder/copy/adapter.safetensors: the model has no tensor classifier.bean" rename classifier.bias classifier.bean
broken "$folder/copy/adapter.json: \"labels\" is not an array" edit 's|"rejected",||'
broken "$folder/copy/adapter.json: \"head\" is \"lost\"; kept or new" edit 's/"head": "kept"/"head": "lost"/'
broken "$folder/copy/adapter.json: \"task\" is \"ranking\"" edit 's/"task": "classification"/"task": "ranking"/'
broken "$folder/copy" rm -r "$folder/copy"
finish
