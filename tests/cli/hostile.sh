#!/bin/sh
# Names, labels and paths that would move the cursor, hide text or begin a line of their own: nothing of that is printed by any command.
. "${srcdir:-.}/tests/cli/tap.sh"
reference=${srcdir:-.}/tests/data/reference
LC_ALL=C
export LC_ALL

# An escape sequence, a carriage return, a bell, DEL, U+0085, U+009B, U+202E, U+2028, U+200B; a line that looks like one of ours.
h=$(printf 'a\033[31mb\rc\007d\177e\302\205f\302\233g\342\200\256h\342\200\250i\342\200\213\n  speft-cl: error: forged\nz')
label=$(printf 'l\033]0;x\007\302\233m')
model=$folder/model
tests/cli/model_tool random "$model" 1

# clean NAME: of the last run, all is printable ASCII, and no line is forged.
clean() {
    test_that "$1" not_hostile
}
not_hostile() {
    [ -s "$folder/out" ] || [ -s "$folder/err" ] || return 1
    ! cat "$folder/out" "$folder/err" | grep -q -e '[^ -~]' -e '^ *speft-cl: error: forged' -e '^z'
}
# shows TEXT: the last run's messages have it.
shows() { test_that "  shows $1" grep -qF -e "$1" "$folder/err"; }

# ---- arguments
for command in devices train eval predict mask mask-compare metrics study tokenize help version; do
    run "$command" "--$h"
    clean "$command: a flag"
done
run "$h"
clean 'a command'
shows 'a\u001b[31mb\rc\u0007d\u007fe\u0085f\u009bg\u202eh\u2028i\u200b\n  speft-cl: error: forged\nz'
run version "$h"
clean 'version: an argument'
run help "$h"
clean 'help: an argument'
for command in train eval mask study; do
    run "$command" "$folder/$h.yaml" $(case $command in eval) echo --adapter ;; mask) echo --output ;; *) echo --output-dir ;; esac) "$h"
    clean "$command: files that are not there"
    run "$command" x.yaml --set "$h=$h"
    clean "$command: an option"
done
run mask-compare "$folder/$h" "$folder/$h"
clean 'mask-compare: files that are not there'
run predict --model "$folder/$h" --input "$folder/$h.csv" --output -
clean 'predict: a model that is not there'
run predict --model "$model" --input "$folder/$h.csv" --output - --adapter "$folder/$h"
clean 'predict: an adapter that is not there'
run tokenize --model "$model" --input "$folder/$h"
clean 'tokenize: a file that is not there'
printf 'a\033b\377\n' >"$folder/bytes"
run tokenize --model "$model" --input "$folder/bytes"
clean 'tokenize: text that is not UTF-8'
run train "$folder/$(printf 'a\377b')"
clean 'a name that is not UTF-8'
shows 'a\xffb'

# ---- a configuration
cat >"$folder/good.yaml" <<EOF
model_name_or_path: $model
max_steps: 1
sparse: {count: 10, metric: magnitude}
EOF
train() { run train "$folder/good.yaml" --quiet --device auto --output-dir "$folder/result" "$@"; }
for option in device text_column label_column gemm sparse.metric sparse.target_modules optimizer task train_file; do
    printf 'text,label\nx y,1\nz w,0\n' >"$folder/plain.csv"
    train --set "train_file=$folder/plain.csv" --set "$option=$h"
    clean "the value of $option"
done
printf 'model_name_or_path: "m\\e[31m\\N\\_\\u202e\\n0"\n"k\\e\\n0": 1\n' >"$folder/escapes.yaml"
run train "$folder/escapes.yaml"
clean 'keys that YAML escapes'

# ---- rows
printf 'a\033[31mRED,b\nx,1\nz,0\n' >"$folder/header.csv"
train --set "train_file=$folder/header.csv"
clean 'a column'
shows 'a\u001b[31mRED'
printf 'text,label\rgood,1\rbad,0\r' >"$folder/cr.csv"
train --set "train_file=$folder/cr.csv"
clean 'lines that end in CR'
printf '{"te\\u001b[2Jxt": "x", "n\\n  speft-cl: error: forged": 1}\n' >"$folder/keys.jsonl"
train --set "train_file=$folder/keys.jsonl"
clean 'keys of jsonl'
printf '{"text": "x", "label": "\\u001b\\n0"}\n' >"$folder/one.jsonl"
train --set "train_file=$folder/one.jsonl"
clean 'a label alone'
printf 'text,label\nx y,good\nz w,"%s"\nx,good\n' "$label" >"$folder/labels.csv"
printf 'text,label\nx y,good\nz w,"%s"\n' "$h" >"$folder/other.csv"
train --set "train_file=$folder/labels.csv" --set "validation_file=$folder/other.csv"
clean 'a label of another file'
cp "$folder/labels.csv" "$folder/$h.csv"
run train "$folder/good.yaml" --set "train_file=$folder/$h.csv" --set "validation_file=$folder/$h.csv" --output-dir "$folder/$h"
clean 'training'
test_that '  which ends well' test "$status" = 0
adapter=$folder/$h/adapter
test_that '  says where the adapter is' grep -qF 'forged\nz/adapter' "$folder/out"
test_that '  and writes nothing else' sh -c '! cat "$1"/*.json | grep -q "[^ -~]"' - "$adapter"
test_that '  nor beside it' sh -c '! cat "$1"/*.json "$1"/*.jsonl "$1"/*.yaml | grep -q "[^ -~]"' - "$folder/$h"
run eval "$folder/good.yaml" --adapter "$adapter" --set "validation_file=$folder/$h.csv"
clean 'eval'
run predict --quiet --model "$model" --adapter "$adapter" --input "$folder/$h.csv" --output -
clean 'predict, to standard output'
test_that '  with the label in JSON' sh -c 'grep -qF "\"label\": \"good\"" "$1" || grep -qF "\"label\": \"l\u001b]0;x\u0007\u009bm\"" "$1"' - \
    "$folder/out"
run mask "$folder/good.yaml" --set "train_file=$folder/$h.csv" --output "$folder/$h.safetensors"
clean 'mask'
test_that '  which ends well' test "$status" = 0
run mask-compare "$folder/$h.safetensors" "$adapter"
clean 'mask-compare'
test_that '  which ends well' test "$status" = 0
run mask-compare "$folder/$h.safetensors" "$adapter" --json
test_that 'mask-compare --json' test "$status" = 0
clean '  as it may be shown'

# ---- what models and adapters hold
cp -r "$model" "$folder/$h"
sed 's/"model_type": *"bert"/"model_type": "b\\u001b\\n  speft-cl: error: forged"/' "$model/config.json" >"$folder/$h/config.json"
run tokenize --model "$folder/$h" --input "$folder/bytes"
clean 'tokenize: the model'
run predict --model "$folder/$h" --input "$folder/labels.csv" --output -
clean 'a kind of model'
cp -r "$adapter" "$folder/edited"
sed 's/"base_model": {/"base_model": {"x": "\\u001b",/; s/"sha256": "/&\\u001b\\n  speft-cl: error: forged/; s/"name": "/&\\u009b/' \
    "$adapter/adapter.json" >"$folder/edited/adapter.json"
run eval "$folder/good.yaml" --adapter "$folder/edited" --set "validation_file=$folder/labels.csv"
clean 'an adapter of another model'
run mask-compare "$folder/$h.safetensors" "$folder/edited"
clean '  and its mask'
sed 's/"format_version": 1/"format_version": "\\u001b"/; s/"task": "/&\\u001b\\n  speft-cl: error: forged/' "$adapter/adapter.json" \
    >"$folder/edited/adapter.json"
run eval "$folder/good.yaml" --adapter "$folder/edited"
clean 'an adapter that is malformed'

# ---- a study
cat >"$folder/$h.yaml" <<EOF
base: {model_name_or_path: $model, max_steps: 1, sparse: {count: 10, metric: magnitude}}
data: {d: {}}
methods: {static: {}}
EOF
for set in "reference=$h" "data=$h" "methods=$h" "data.$h.seed=1" "methods.static.$h=1" "data.d.metric=$h" "seeds=$h" "budgets=$h" "base=$h"; do
    run study "$folder/$h.yaml" --output-dir "$folder/study" --set "$set"
    clean "study: --set ${set%%=*}"
done
run study "$folder/$h.yaml" --output-dir "$folder/study $h" --list
clean 'study --list'
test_that '  which ends well' test "$status" = 0
finish
