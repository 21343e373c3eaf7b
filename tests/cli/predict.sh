#!/bin/sh
# Predictions from outside: rows in every form, labels as they were written, the model's own head and an adapter's. That the numbers
# are PyTorch's: tests/model.
. "${srcdir:-.}/tests/cli/tap.sh"
reference=${srcdir:-.}/tests/data/reference
model=$folder/model
tests/cli/model_tool random "$model" 1

# predict MODEL INPUT [ARG]...: to standard output.
predict() {
    model_dir=$1 input=$2
    shift 2
    run predict --quiet --model "$model_dir" --input "$input" --output - "$@"
}

# rows COUNT PATTERN: so many lines, all of the form.
rows() { [ "$status" = 0 ] && [ "$(wc -l <"$folder/out")" -eq "$1" ] && [ "$(grep -cE "^$2\$" "$folder/out")" -eq "$1" ]; }
number='-?[0-9]+\.[0-9]+(e-[0-9]+)?'

# logits FILE: the numbers alone, one a line.
logits() { sed 's/.*\[//; s/\].*//; s/, */\n/g' "$1"; }
near() { logits "$1" >"$folder/n1" && logits "$2" >"$folder/n2" && [ -s "$folder/n1" ] &&
    paste "$folder/n1" "$folder/n2" | awk '{ d = $1 - $2; if (d > 1e-5 || d < -1e-5) exit 1 }'; }

# ---- the model's own head
predict "$reference/binary" "$reference/binary/eval.jsonl"
test_that 'labels by name' rows 17 "\\{\"label\": \"(accepted|rejected)\", \"logits\": \\[$number, $number\\]\\}"
cp "$folder/out" "$folder/binary"
predict "$reference/regression" "$reference/regression/eval.jsonl"
test_that 'a value is its own label' rows 17 "\\{\"label\": ($number), \"logits\": \\[$number\\]\\}"
test_that '  to the last digit' awk -F '[:,}]' '{ sub(/ /, "", $2); gsub(/[] []/, "", $4); if ($2 != $4) exit 1 }' "$folder/out"
sed 's/"entailment"/"7"/; s/"neutral"/"-1"/; s/"contradiction"/"0"/' "$reference/multiclass/config.json" >"$folder/config.json"
mkdir "$folder/numbers"
cp "$reference"/multiclass/model* "$reference"/multiclass/tokenizer.json "$folder/config.json" "$folder/numbers"
predict "$folder/numbers" "$reference/multiclass/eval.jsonl"
test_that 'labels that are integers' rows 17 "\\{\"label\": (7|-1|0), \"logits\": \\[$number, $number, $number\\]\\}"

sed 's/"entailment"/"07"/; s/"neutral"/"-0"/; s/"contradiction"/"9223372036854775808"/' "$reference/multiclass/config.json" \
    >"$folder/numbers/config.json"
predict "$folder/numbers" "$reference/multiclass/eval.jsonl"
test_that '  as JSON writes them, and no others' rows 17 \
    "\\{\"label\": \"(07|-0|9223372036854775808)\", \"logits\": \\[$number, $number, $number\\]\\}"

# misnamed EDIT TEXT: the head's names after sed's EDIT are said to be malformed so, and its classes have numbers.
cp -r "$reference/binary" "$folder/misnamed"
chmod -R u+w "$folder/misnamed"
misnamed() {
    tr -d '\n' <"$reference/binary/config.json" | sed "$1" >"$folder/misnamed/config.json"
    run predict --model "$folder/misnamed" --input "$reference/binary/eval.jsonl" --output -
    test_that "id2label: $2" grep -qF "$folder/misnamed/config.json: \"id2label\" is malformed: $2; the classes" "$folder/err"
    test_that '  and numbers instead' rows 17 "\\{\"label\": [01], \"logits\": \\[$number, $number\\]\\}"
}
misnamed 's/"rejected"/"accepted"/' '"0" and "1" have the same name'
misnamed 's/"1": "[a-z]*"/"2": "x"/' '"1" is missing'
misnamed 's/"1": "[a-z]*"/"1": 5/' '"1" is not a string'
misnamed 's/"1": "[a-z]*"/&, "2": "x"/' 'it has 3 names, the head 2 outputs'
misnamed 's/"id2label": {[^}]*}/"id2label": ["a", "b"]/' 'it is not an object'

# ---- what must not matter
predict "$reference/binary" "$reference/binary/eval.jsonl" --set per_device_eval_batch_size=1
test_that 'row by row' near "$folder/out" "$folder/binary"
predict "$reference/binary" "$reference/binary/eval.jsonl" --set dropout=0.5 --set seed=1
test_that 'dropout and seed' cmp -s "$folder/out" "$folder/binary"
sed 's/, "label":.*/}/' "$reference/binary/eval.jsonl" >"$folder/unlabelled.jsonl"
predict "$reference/binary" "$folder/unlabelled.jsonl"
test_that 'labels in the file, or none' cmp -s "$folder/out" "$folder/binary"
sed 's/"label": "[a-z]*"/"label": "nonsense"/' "$reference/binary/eval.jsonl" >"$folder/other.jsonl"
predict "$reference/binary" "$folder/other.jsonl"
test_that '  or wrong ones' cmp -s "$folder/out" "$folder/binary"

# ---- where it goes
run predict --quiet --model "$reference/binary" --input "$reference/binary/eval.jsonl" --output "$folder/p.jsonl"
test_that 'to a file, and nothing else is said' test "$status$(cat "$folder/out" "$folder/err")" = 0
test_that '  the same' cmp -s "$folder/p.jsonl" "$folder/binary"
mkfifo "$folder/pipe"
cat "$folder/pipe" >"$folder/piped" &
reader=$!
run predict --quiet --model "$reference/binary" --input "$reference/binary/eval.jsonl" --output "$folder/pipe"
wait "$reader"
test_that 'to a pipe' cmp -s "$folder/piped" "$folder/binary"
test_that '  which stays one' test -p "$folder/pipe"
run predict --quiet --model "$reference/binary" --input "$reference/binary/eval.jsonl" --output "$folder/none/p.jsonl"
test_that 'to a folder that is not there' fails_with 1 "$folder/none/p.jsonl"

# ---- an adapter's head, columns and length go with it
printf 'id\tone\ttwo\tlabel\n1\ta b c\tx y\tgood\n2\td e f\tz w\tbad\n3\ta c e\tx z\tgood\n' >"$folder/train.tsv"
cat >"$folder/run.yaml" <<EOF
model_name_or_path: $model
train_file: $folder/train.tsv
text_column: one
text_pair_column: two
max_seq_length: 9
max_steps: 3
sparse: {count: 50, metric: magnitude}
EOF
run train "$folder/run.yaml" --quiet --output-dir "$folder/result"
test_that 'a model without a head trains' test "$status" = 0
adapter=$folder/result/adapter
printf 'two,one\nx y,a b c\nz w,d e f\n' >"$folder/new.csv"
predict "$model" "$folder/new.csv" --adapter "$adapter"
test_that 'the columns are found in another order' rows 2 "\\{\"label\": \"(good|bad)\", \"logits\": \\[$number, $number\\]\\}"
cp "$folder/out" "$folder/pairs"
printf '{"one": "a b c", "two": "x y"}\n{"two": "z w", "one": "d e f"}\n' >"$folder/new.jsonl"
predict "$model" "$folder/new.jsonl" --adapter "$adapter"
test_that 'and in another format' cmp -s "$folder/out" "$folder/pairs"
printf '{"input_ids": [2, 5, 6, 7, 3, 28, 29, 3], "token_type_ids": [0, 0, 0, 0, 0, 1, 1, 1]}\n' >"$folder/ids.jsonl"
predict "$model" "$folder/ids.jsonl" --adapter "$adapter" --set text_column=null --set text_pair_column=null
head -n 1 "$folder/pairs" >"$folder/first"
test_that 'token ids are taken as they are' cmp -s "$folder/out" "$folder/first"
printf '{"one": "a b c d e f g", "two": "x"}\n' >"$folder/long.jsonl"
run predict --model "$model" --input "$folder/long.jsonl" --output - --adapter "$adapter"
test_that "texts are cut to the adapter's length" grep -q 'longer than 9 tokens' "$folder/err"

printf '{"one": "", "two": ""}\n{"one": "a b c", "two": "x y"}\n{"one": " ", "two": "\\u0000"}\n' >"$folder/blank.jsonl"
predict "$model" "$folder/blank.jsonl" --adapter "$adapter"
test_that 'an empty text is a row like any other' rows 3 "\\{\"label\": \"(good|bad)\", \"logits\": \\[$number, $number\\]\\}"
sed -n 1p "$folder/out" >"$folder/empty-row"
printf '{"input_ids": [2, 3, 3], "token_type_ids": [0, 0, 1]}\n' >"$folder/ids-empty.jsonl"
predict "$model" "$folder/ids-empty.jsonl" --adapter "$adapter" --set text_column=null --set text_pair_column=null
test_that '  of special tokens alone' cmp -s "$folder/out" "$folder/empty-row"

# ---- what cannot be
predict "$model" "$folder/blank.jsonl" --adapter "$adapter" --set skip_bad_rows=true
test_that 'rows left out' fails_with 2 'skip_bad_rows is not for predict, whose lines are those of the input in order'
predict "$model" "$folder/ids.jsonl"
test_that 'neither head nor adapter' fails_with 1 "$model has no trained head"
predict "$reference/binary" "$folder/ids.jsonl" --adapter "$adapter"
test_that "another model's adapter" fails_with 1 'another base model'
cp -r "$reference/binary" "$folder/poolerless"
chmod -R u+w "$folder/poolerless"
tests/cli/model_tool drop "$folder/poolerless/model.safetensors" bert.pooler
predict "$folder/poolerless" "$reference/binary/eval.jsonl"
test_that 'a model with a part of it missing' fails_with 1 'pooler.dense.weight'
predict "$model" "$folder/new.jsonl" --adapter "$adapter" --set text_column=three
test_that 'no such column' fails_with 2 'three'
predict "$reference/binary" "$folder/absent.jsonl"
test_that 'no such file' fails_with 1 "$folder/absent.jsonl"
: >"$folder/empty.jsonl"
predict "$reference/binary" "$folder/empty.jsonl"
test_that 'an empty file' fails_with 1 "$folder/empty.jsonl has no rows"
printf '{"input_ids": [1, 2, 99]}\n' >"$folder/bad.jsonl"
predict "$reference/binary" "$folder/bad.jsonl"
test_that 'an id outside the vocabulary' fails_with 1 "$folder/bad.jsonl:1"
run predict --quiet --model "$reference/binary" --input "$folder/bad.jsonl" --output "$folder/unwritten"
test_that '  and no file of predictions' sh -c "! ls '$folder' | grep -q unwritten"
for flag in model input output; do
    case $flag in
    model) run predict --input x --output - ;;
    input) run predict --model x --output - ;;
    output) run predict --model x --input x ;;
    esac
    test_that "without --$flag" fails_with 2 "predict needs --$flag"
done

cp "$reference/binary/eval.jsonl" "$folder/rows.jsonl"
run predict --quiet --model "$reference/binary" --input "$folder/rows.jsonl" --output "$folder/rows.jsonl"
test_that 'onto its own input' fails_with 2 'is the input'
test_that '  which stays' cmp -s "$folder/rows.jsonl" "$reference/binary/eval.jsonl"

# ---- numbers that are none: token 0 takes two finite weights beyond what a float holds, and only the 14th row has it
tests/cli/model_tool random "$folder/huge" 1
tests/cli/model_tool head "$folder/huge/model.safetensors" 2
for name in word_embeddings token_type_embeddings; do
    tests/cli/model_tool set "$folder/huge/model.safetensors" "embeddings.$name.weight" 7f7fffff
done
for row in $(seq 20); do
    printf '{"input_ids": [2, %d, 3]}\n' $((row == 14 ? 0 : 5))
done >"$folder/huge.jsonl"
run predict --quiet --model "$folder/huge" --input "$folder/huge.jsonl" --output "$folder/huge-rows" --set per_device_eval_batch_size=6
test_that 'a prediction that is not a number' fails_with 1 "$folder/huge.jsonl: the prediction for row 14 is not a finite number"
test_that '  and no file of the rows before it' sh -c "! ls '$folder' | grep -q huge-rows"
run predict --quiet --model "$folder/huge" --input "$folder/huge.jsonl" --output - --set per_device_eval_batch_size=6
test_that '  standard output has those of the batches before it' test "$status $(wc -l <"$folder/out")" = '1 12'

# ---- a damaged adapter
cp -r "$adapter" "$folder/edited"
sed 's/"max_seq_length": 9/"max_seq_length": -9/' "$adapter/adapter.json" >"$folder/edited/adapter.json"
predict "$model" "$folder/new.csv" --adapter "$folder/edited"
test_that 'whose options are out of range' fails_with 2 'in the configuration that adapter.json keeps: --set: max_seq_length: found "-9"'
finish
