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
bad "${good}" 'write --set learning_rate=VALUE' --lr 1e-3
bad "${good}" 'train has no flag --seed; to set an option of the configuration write --set seed=VALUE' --seed 3
bad "${good}" 'train has no flag --output_dir; did you mean --output-dir?' --output_dir x
bad "${good}" 'train has no flag --gpu=0; did you mean --device?' --gpu=0
bad "${good}" '--device: found an empty text, expected --device SPEC' --device ''
bad "${good}" '--output-dir: found an empty text' --output-dir=
bad "${good}" '--set: output_dir: found "~/o", in which only a shell reads ~ as the home folder' --output-dir '~/o'
bad "${good}" '--set: output_dir: found "None", expected a text; write null for nothing' --output-dir None
bad 'methods: {a: {}}\ndata: {b: {}}\n' "$config:1:1: this is a study, expected the configuration of one run: speft-cl study $config"
bad 'seed: 1\n' "$config: model_name_or_path is missing"
bad 'model_name_or_path: m\n' 'train_file is missing'
printf '%b' "$good" >"$config"
run train "$config"
test_that 'no output folder' fails_with 2 'output_dir is missing'
run train "$folder/absent.yaml"
test_that 'no such file' fails_with 2 "cannot open $folder/absent.yaml"
run train -
test_that 'standard input is no file' fails_with 2 'cannot open -'
run train ''
test_that 'an empty name' fails_with 2 'train: argument 1 is an empty text: speft-cl train CONFIG'
run study "$config"
test_that 'a study that is the configuration of a run' fails_with 2 \
    "$config:1:1: this is the configuration of one run, expected a study: speft-cl train $config"
printf 'base: {}\nepochs: 1\ndata: {b: {}}\nmethods: {a: {}}\n' >"$folder/study.yaml"
run study "$folder/study.yaml"
test_that "an option among a study's keys" fails_with 2 \
    "$folder/study.yaml:2:1: \"epochs\" is an option of the runs: write it into the block base"
sed -i 's/epochs/lr/' "$folder/study.yaml"
run study "$folder/study.yaml"
test_that "  or another tool's name for a list" fails_with 2 \
    "$folder/study.yaml:2:1: there is no key \"lr\"; did you mean \"learning_rates\"?"
printf 'base: ~\nbudgets: NULL\ndata: {b: {metric: Null}}\nmethods: {a: {}}\noutput_dir: None\n' >"$folder/study.yaml"
run study "$folder/study.yaml"
test_that "a study's folder called None" fails_with 2 "$folder/study.yaml:5:13: output_dir: found \"None\", expected the name of a folder"
run study "$folder/study.yaml" --output-dir None
test_that "  or so after a flag" fails_with 2 '--set: output_dir: found "None", expected the name of a folder'
printf 'base: ~\nbudgets: NULL\ndata: {b: {metric: Null}}\nmethods: {a: {}}\noutput_dir: ~/s\n' >"$folder/study.yaml"
run study "$folder/study.yaml"
test_that "  or by the shell's ~" fails_with 2 "$folder/study.yaml: output_dir: found \"~/s\", in which only a shell reads ~ as the home folder; write $HOME/s"
run study "$folder/study.yaml" --output-dir "$folder/x"
test_that "  and what else says nothing" fails_with 2 'b, a: '"$folder/study.yaml: model_name_or_path is missing"
for flag in model input output adapter; do
    run predict --model m --input i --output o "--$flag" ''
    test_that "an empty --$flag" fails_with 2 "--$flag: found an empty text"
done
run predict --model_name_or_path m
test_that "a flag by an option's name" fails_with 2 'predict has no flag --model_name_or_path; did you mean --model?'
run train
test_that 'no file at all' fails_with 2 'speft-cl train CONFIG'
run train "$config" "$config"
test_that 'two files' fails_with 2 'train has no use for'
run train "$config" --ouput-dir "$output"
test_that 'a flag misspelt' fails_with 2 'did you mean --output-dir?'
said() { grep -q -e "$1" "$folder/err"; }
not_said() { ! said "$1"; }
printf '%btext_column:  #1 String \n' "$good" >"$config"
run train "$config" --output-dir "$output"
test_that 'a name that is a comment' said \
    "warning: $config:3: text_column: nothing is given, as # begins a comment; a name that begins with it wants quotes: \"#1 String\"\$"
printf '%btext_column:  # optional\n' "$good" >"$config"
run train "$config" --output-dir "$output"
test_that '  or a comment that is one' said "speft-cl: $config:3: text_column: nothing is given, as # begins a comment"
printf '%btext_column: null #1\nlabel_column: "#1 String" #1\nvalidation_file:\n' "$good" >"$config"
run train "$config" --output-dir "$output" --set 'text_pair_column=#1 String'
test_that '  and nothing where nothing is hidden' not_said 'begins a comment'
test_that 'nothing was written' test ! -e "$output"
finish
