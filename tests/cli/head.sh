#!/bin/sh
# Which head a run trains, what its outputs are called, and what is said of it: the checkpoint's own where the labels are its, else a
# new one.
. "${srcdir:-.}/tests/cli/tap.sh"
model=$folder/model
adapter=$folder/result/adapter
says() { grep -qF -e "$1" "$folder/err"; }
silent() { ! grep -q -e "$1" "$folder/err"; }

# model OUTPUTS [MEMBER]: a random model with such a head (0: none); MEMBER is added to its config.json.
model() {
    rm -rf "$model"
    tests/cli/model_tool random "$model" 1
    [ "$1" = 0 ] || tests/cli/model_tool head "$model/model.safetensors" "$1"
    sed -i "s/}\$/${2:+, }${2:-}}/" "$model/config.json"
}
# rows LABEL...: texts with these labels.
rows() {
    text=a
    printf 'text\tlabel\n' >"$folder/rows.tsv"
    for label in "$@"; do
        text="$text b"
        printf '%s\t%s\n' "$text" "$label" >>"$folder/rows.tsv"
    done
}
# train [ARG]...: steps on the rows that leave all values as they are.
train() {
    rm -rf "$folder/result"
    run train "${srcdir:-.}/tests/cli/short.yaml" --set "model_name_or_path=$model" --set "train_file=$folder/rows.tsv" \
        --set learning_rate=0 --output-dir "$folder/result" "$@"
}
is() { tr -d ' \n' <"$adapter/adapter.json" | grep -qF -e "$1"; }
# kept WORDS LABELS, replaced WHY LABELS: what the last run said, and what its adapter calls the outputs.
kept() {
    test_that "kept$1" says "the model's own head is kept$1"
    test_that "  called $2" is "\"labels\":[$2],\"head\":\"kept\""
}
replaced() {
    test_that "replaced: $1" says "the model's own head is replaced by a new one: $1"
    test_that "  called $2" is "\"labels\":[$2],\"head\":\"new\""
}
failed() { [ "$status" = "$1" ] && [ ! -s "$folder/out" ] && grep -qF -e "speft-cl: error: $2" "$folder/err"; }
refused() { test_that "refused: $1" failed "$2" "$1"; }

# ---- integers are not names: each label stands for one output, and is told so
model 5 '"id2label": {"0": "1 star", "1": "2 stars", "2": "3 stars", "3": "4 stars", "4": "5 stars"}'
rows 1 2 3 4 5 1
train
kept ", the data's labels standing for its classes in their order: 1 -> 1 star, 2 -> 2 stars, 3 -> 3 stars, 4 -> 4 stars, 5 -> 5 stars;" \
    '"1","2","3","4","5"'
test_that '  a warning' says "warning: the model's own head"
printf 'text\n' >"$folder/texts.csv"
for letter in a b c d e f g h i j k l m n o p q r s t u v w x y z; do echo "$letter x $letter" >>"$folder/texts.csv"; done
run predict --quiet --model "$model" --input "$folder/texts.csv" --output "$folder/stars.jsonl"
sed 's/{"label": "\([1-5]\) star.*/\1/' "$folder/stars.jsonl" >"$folder/numbers"
{
    printf 'text\tlabel\n'
    tail -n +2 "$folder/texts.csv" | paste - "$folder/numbers"
} >"$folder/dev.tsv"
run eval "$folder/result/config.resolved.yaml" --adapter "$adapter" --set "validation_file=$folder/dev.tsv" --quiet --json
test_that '  what the model calls "2 stars" is label 2' prints '"rows": 26, '
test_that '  in every row' prints '"accuracy": 1.0,'
run predict --quiet --model "$model" --adapter "$adapter" --input "$folder/texts.csv" --output -
test_that '  and is predicted as such' test "$(sed 's/{"label": \(.\),.*/\1/' "$folder/out")" = "$(cat "$folder/numbers")"
rows 1 2 3 4
train
replaced "its 5 classes are 1 star, 2 stars, 3 stars, 4 stars, 5 stars; the data's 4 are 1, 2, 3, 4" '"1","2","3","4"'
train --set keep_head=true
refused "keep_head: true, but the head of $model cannot be kept: its 5 classes are 1 star" 2

# ---- labels that are other outputs' names are not taken in their order, unless that is asked for
for names in '"0", "1", "2"' '"LABEL_1", "LABEL_2", "LABEL_3"'; do
    model 3 "\"id2label\": $(echo "$names" | sed 's/\(.*\), \(.*\), \(.*\)/{"0": \1, "1": \2, "2": \3}/')"
    rows 1 2 3
    train
    case $names in
    *LABEL*) kept ", the data's labels standing for its classes in their order: 1 -> LABEL_1, 2 -> LABEL_2, 3 -> LABEL_3;" '"1","2","3"' ;;
    *) replaced "its 3 classes are 0, 1, 2; the data's 3 are 1, 2, 3" '"1","2","3"' ;;
    esac
done
model 3 '"id2label": {"0": "0", "1": "1", "2": "2"}'
train --set keep_head=true
kept ", the data's labels standing for its classes in their order: 1 -> 0, 2 -> 1, 3 -> 2;" '"1","2","3"'
test_that '  a warning' says "warning: the model's own head"
rows -1 0 1
train
replaced "its 3 classes are 0, 1, 2; the data's 3 are -1, 0, 1" '"-1","0","1"'
model 2 '"id2label": {"0": "LABEL_1", "1": "LABEL_0"}'
rows 0 1
train
replaced "its 2 classes are LABEL_1, LABEL_0; the data's 2 are 0, 1" '"0","1"'
model 2 '"id2label": {"0": "LABEL_0", "1": "LABEL_1"}'
rows 1 2
train
kept ", the data's labels standing for its classes in their order: 1 -> LABEL_0, 2 -> LABEL_1;" '"1","2"'
test_that '  no warning' silent "warning: the model's"
model 3 '"id2label": NaN'
rows 0 1 2
train
test_that 'names that are a number' says '"id2label" is malformed: it is not an object'

# ---- a class that no row has: only by name
nli='"id2label": {"0": "contradiction", "1": "entailment", "2": "neutral"}'
model 3 "$nli"
rows 0 1 1 0
train
replaced "its 3 classes are contradiction, entailment, neutral; the data's 2 are 0, 1" '"0","1"'
rows neutral contradiction neutral
train
kept ": the data's labels are its names; no row has entailment" '"contradiction","entailment","neutral"'
printf 'text\tlabel\na\tentailment\nb\t1\n' >"$folder/dev.tsv"
run eval "$folder/result/config.resolved.yaml" --adapter "$adapter" --set "validation_file=$folder/dev.tsv" --quiet
refused "$folder/dev.tsv:3: label \"1\" is not one of the 3 known: contradiction, entailment, neutral" 1
train --set keep_head=false
replaced 'keep_head is false' '"contradiction","neutral"'
run eval "$folder/result/config.resolved.yaml" --adapter "$adapter" --set "validation_file=$folder/rows.tsv" --set keep_head=true
refused "keep_head: true, but the adapter $adapter was trained on a new head" 2
rows Neutral CONTRADICTION entailment
train
kept ", the data's labels standing for its classes but for upper and lower case: CONTRADICTION -> contradiction, Neutral -> neutral," \
    '"CONTRADICTION","entailment","Neutral"'
rows red green blue
train
replaced "its 3 classes are contradiction, entailment, neutral; the data's 3 are blue, green, red" '"blue","green","red"'
train --set keep_head=true
kept ", the data's labels standing for its classes in their order: blue -> contradiction, green -> entailment, red -> neutral;" \
    '"blue","green","red"'
run predict --quiet --model "$model" --adapter "$adapter" --input "$folder/texts.csv" --output - --set keep_head=false
refused "keep_head: false, but the adapter $adapter was trained on the model's own head" 2
run predict --quiet --model "$model" --input "$folder/texts.csv" --output - --set keep_head=false
refused "the head of $model cannot be used: keep_head is false; name an adapter" 1

# ---- numbered outputs have no names that a label could be
model 2
rows 0 1 1
train
kept ", the data's labels standing for its classes in their order: 0 -> output 0, 1 -> output 1;" '"0","1"'
test_that '  no warning' silent "warning: the model's"
model 3
train
replaced "its 3 classes are only numbered, 0, 1, 2; the data's 2 are 0, 1" '"0","1"'

# ---- a head for something else
for class in BertForTokenClassification BertForMultipleChoice; do
    model 2 "\"architectures\": [\"$class\"], \"id2label\": {\"0\": \"O\", \"1\": \"B-PER\"}"
    rows O B-PER
    train
    replaced "it is a $class's, not one for the label of a whole text" '"B-PER","O"'
    train --set keep_head=true
    refused "keep_head: true, but the head of $model cannot be kept: it is a $class's" 2
    run predict --quiet --model "$model" --input "$folder/texts.csv" --output -
    refused "the head of $model cannot be used: it is a $class's" 1
done
model 3 '"problem_type": "regression"'
run predict --quiet --model "$model" --input "$folder/texts.csv" --output -
refused "the head of $model cannot be used: its problem_type is regression, of 3 values at once" 1

model 2
tests/cli/model_tool reshape "$model/model.safetensors" classifier.weight
train
replaced 'its classifier.weight is F32 [128], not classes x 64' '"B-PER","O"'
model 2 '"problem_type": "multi_label_classification"'
train
replaced 'its problem_type is multi_label_classification, and a row can have only one label here' '"B-PER","O"'
run predict --quiet --model "$model" --input "$folder/texts.csv" --output -
refused "the head of $model cannot be used: its problem_type is multi_label_classification" 1
model 10001
train
replaced 'it has 10001 classes, more than the limit of 10000' '"B-PER","O"'

# ---- numbers to predict
model 3 '"problem_type": "regression"'
rows 0.5 1.5 2.25
train
test_that "replaced: values" says "replaced by a new one: its problem_type is regression, of 3 values at once"
model 3
train
test_that 'replaced: classes, for a number' says 'replaced by a new one: it is for 3 classes, and the labels are numbers to predict'
train --set keep_head=true
refused "keep_head: true, but the head of $model cannot be kept: it is for 3 classes" 2
model 1
train
test_that 'kept: one output for numbers' says "the model's own head of one output is kept"
test_that '  as the adapter says' is '"labels":null,"head":"kept"'
train --set keep_head=false
test_that '  or not' is '"labels":null,"head":"new"'
rows yes no
train
replaced 'it has one output, for a number, and the labels are classes' '"no","yes"'

# ---- none
model 0
train
test_that 'none to keep' says 'a new head: the model has none'
train --set keep_head=true
refused "keep_head: true, but $model has no trained head" 2
run predict --quiet --model "$model" --input "$folder/texts.csv" --output -
refused "$model has no trained head; name an adapter" 1

# ---- rows without labels, for a mask that needs none
printf 'text\na b c\nd e f\n' >"$folder/plain.tsv"
mask() {
    run mask "${srcdir:-.}/tests/cli/short.yaml" --set "model_name_or_path=$model" --set "train_file=$folder/plain.tsv" \
        --output "$folder/mask.safetensors" "$@"
}
mask --set keep_head=true
refused "keep_head: true, but $model has no trained head" 2
mask
test_that 'without a head' says 'a new head: the model has none'
model 2
mask --set keep_head=false
test_that 'without one that is there' says "the model's own head is replaced by a new one: keep_head is false"
model 0

# ---- what else a checkpoint may lack
train
test_that 'a pooler that is there' silent pooler
tests/cli/model_tool drop "$model/model.safetensors" pooler
train
test_that 'one that is not' says "$model has no pooler.dense.weight, pooler.dense.bias: made from the seed"
run eval "$folder/result/config.resolved.yaml" --adapter "$adapter" --set "validation_file=$folder/rows.tsv"
test_that '  the adapter has' silent pooler
finish
