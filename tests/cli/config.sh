#!/bin/sh
# Mistakes in the configuration end a command before anything is read, opened or written: exit 2, the place, a caret.
. "${srcdir:-.}/tests/cli/tap.sh"
OCL_ICD_VENDORS=/nonexistent
export OCL_ICD_VENDORS
config=$folder/run.yaml
output=$folder/result

# bad TEXT EXPECTED [ARG]...: trains with TEXT in the file.
bad() {
    printf '%b' "$1" >"$config"
    expected=$2
    shift 2
    run train "$config" --output-dir "$output" "$@"
    test_that "${expected#"$config:"}" fails_with 2 "$expected"
}

good='model_name_or_path: m\ntrain_file: rows.tsv\n'
bad "${good}learning_rat: 1\n" "$config:3:1: unknown option \"learning_rat\"; did you mean \"learning_rate\"?"
test_that 'the line stands beneath' grep -qxF '    learning_rat: 1' "$folder/err"
test_that 'and a caret under it' grep -qxF '    ^' "$folder/err"
bad "${good}learning_rate: fast\n" "$config:3:16: learning_rate: found \"fast\", expected a number in [0, 1000]"
bad "${good}sparse:\n  density: 2\n" "$config:4:12: sparse.density: found \"2\", expected a number in (0, 1]"
bad "${good}sparse:\n  density: 0.1\n  count: 5\n" "$config:5:3: density, rank_equivalent and count are one budget"
bad "${good}seed: 1\nseed: 2\n" "$config:4:1: \"seed\" stands here and on line 3"
bad "${good}\tseed: 1\n" "$config:3:1: not valid YAML"
bad "${good}seed: [1\n" "not valid YAML"
bad "${good}" '--set: learning_rate: found "x"' --set learning_rate=x
bad "${good}" '--set: unknown option "sparse.densty"; did you mean "sparse.density"?' --set sparse.densty=1
bad "${good}" '--set: expected key=value' --set seed
bad "${good}" "--set: nothing follows the '='; write learning_rate=null to unset it" --set learning_rate=
bad 'seed: 1\n' "$config: model_name_or_path is missing"
bad 'model_name_or_path: m\n' 'train_file is missing'
printf '%b' "$good" >"$config"
run train "$config"
test_that 'no output folder' fails_with 2 'output_dir is missing'
run train "$folder/absent.yaml"
test_that 'no such file' fails_with 2 "cannot open $folder/absent.yaml"
run train -
test_that 'standard input is no file' fails_with 2 'cannot open -'
run train
test_that 'no file at all' fails_with 2 'speft-cl train CONFIG'
run train "$config" "$config"
test_that 'two files' fails_with 2 'train has no use for'
run train "$config" --ouput-dir "$output"
test_that 'a flag misspelt' fails_with 2 'did you mean --output-dir?'
test_that 'nothing was written' test ! -e "$output"
finish
