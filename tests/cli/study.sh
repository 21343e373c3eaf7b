#!/bin/sh
# Studies from outside: the grid, going on after an end of any kind, the report's numbers, and mistakes in the file.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
pairs=${srcdir:-.}/tests/data/reference/regression
out=$folder/results
config=$folder/small.yaml

# write [LINE]...: the study, and what is added to it.
write() {
    cat >"$config" <<END
output_dir: $out
base:
  model_name_or_path: $source
  max_seq_length: 40
  per_device_train_batch_size: 9
  max_steps: 1
data:
  words: {train_file: $source/train.jsonl, validation_file: $source/eval.jsonl}
methods:
  random: {sparse: {metric: random}}
  magnitude: {sparse: {metric: magnitude}}
  head: {sparse: {method: head}}
seeds: [1, 2, 3]
END
    for line in "$@"; do printf '%s\n' "$line" >>"$config"; done
}

study() { run study "$config" "$@"; }
has() { grep -qF -e "$1" "$folder/out"; }
count() { [ "$(grep -c -e "$1" "$folder/out")" = "$2" ]; }
told() { [ "$(grep -c -e "$1" "$folder/err")" = "$2" ]; }
reported() { grep -qxF -e "$1" "$out/report.md"; }

# ---- the grid
write 'budgets: {count: [50, 20]}' 'learning_rates: [1e-2, 1e-3]'
study --list
test_that 'budgets and rates multiply, the head has no budget: 3 x (2 x 2 x 2 + 2)' count '^-' 30
test_that '  in folders that say what they are' has "$out/runs/words/magnitude/count-50_lr-0.01_seed-1"
test_that '  and none of them is done' has '0 of 30 runs are done'
test_that '  nothing is written by a list' test ! -e "$out"
study --list --set methods=head,random --set seeds=7 --set 'budgets={density: [0.1]}' --set learning_rates=0.5
test_that 'chosen and changed from the command line' has 'words: random, density 0.1, learning rate 0.5, seed 7'
test_that '  in that order' test "$(head -n 1 "$folder/out" | cut -d, -f1)" = '-      words: head'
study --list --set methods=random --set seeds=7 --set 'budgets={count: [1000001, 1000002, 12345678901, 12345678902], density: [0.1, 0.3333333333333333]}'
test_that 'budgets keep their digits' sh -c "grep -q 'count 1000002, ' '$folder/out' && grep -q '/count-12345678902_lr-0.001_seed-7$' '$folder/out'"
test_that '  as few as tell them apart' has '/density-0.3333333333333333_lr-0.001_seed-7'
write 'budgets: {count: [50]}'
sed -i 's/random: {/random: {learning_rates: [1, 2, 3], budgets: {density: [0.1, 0.2]}, /' "$config"
study --list
test_that "a method's own rates and budgets" count 'random, density' 18
test_that '  are not the others' count 'magnitude, count 50, learning rate 0.001' 3
study --list --set learning_rates=null --set seeds=null --set budgets=null --set methods=head
test_that 'null is the value of the configuration' has 'head, learning rate 0.001, seed 42  '
write 'budgets: {count: [50]}'
sed -i 's/random: {.*/random: [{learning_rates: [1], sparse: {metric: random}}, {budgets: {count: [3]}, learning_rates: [4, 5]}]/' "$config"
sed -i 's/words: {.*/words: [&, {metric: f1}]/; s/words: \[ *words: /words: [/' "$config"
study --list
test_that '  in a list of blocks, too, the last before the others' count 'random, count 3, learning rate [45], seed' 6
study --quiet --set methods=head
test_that '  and what a data set is judged by' grep -qxF '## words: f1' "$out/report-methods-head.md"
rm -r "$out"
printf 'model_name_or_path: %s\nmax_steps: 3\nsparse: {rank_equivalent: 5}\n' "$pairs" >"$folder/other.yaml"
write 'budgets: {count: [50]}'
sed -i "s|^  words: |  more: [other.yaml, {train_file: $pairs/train.jsonl, validation_file: $pairs/eval.jsonl}]\n&|" "$config"
study --list
test_that 'blocks from files, beside the study' count 'more: random, count 50' 3

run study "${srcdir:-.}/configs/studies/glue.yaml" --list --output-dir "$out"
test_that 'the study that is shipped: 3 x 3 x (2 + 2 x 10)' prints '0 of 198 runs are done'

# ---- runs, and going on
write 'budgets: {count: [50]}'
study --quiet
test_that 'a study' test "$status" = 0
test_that '  says nothing else when quiet' test ! -s "$folder/err"
test_that '  shows its table' grep -qE '^  magnitude +count 50 +0.001 +3/3  0\.[0-9]{4} \+- 0\.[0-9]{4} ' "$folder/out"
test_that '  and where the report is' has "$out/report.html"
test_that 'the files of a run' test "$(cd "$out/runs/words/head/lr-0.001_seed-1" && find . -type f | sort | tr '\n' ' ')" = \
    './adapter/adapter.json ./adapter/adapter.safetensors ./config.resolved.yaml ./log.txt ./metrics.jsonl ./predictions.jsonl ./result.json '
study
test_that 'what is done is not done again' told '^speft-cl: run ' 0
ln -s "$(cd "$source" && pwd)" "$folder/there"
study --list --set "model_name_or_path=$folder/there" --set "train_file=$folder/there/train.jsonl" --set "validation_file=$folder/there/eval.jsonl"
test_that '  whatever the way to its files' has '9 of 9 runs are done'
study --set max_steps=2
test_that 'another configuration is another run' told '^speft-cl: run [0-9] of 9: ' 9
rm "$out/runs/words/random/count-50_lr-0.001_seed-2/result.json"
printf 'x' >"$out/runs/words/head/lr-0.001_seed-3/result.json"
study --set max_steps=2
test_that 'only what lacks a result' told '^speft-cl: run [28] of 9: \|^speft-cl: run 9 of 9: ' 2
test_that '  which is told' grep -qF 'run 2 of 9: words, random, count 50, learning rate 0.001, seed 2: accuracy 0.' "$folder/err"
mv "$out" "$folder/moved"
study --set max_steps=2 --list --output-dir "$folder/moved"
test_that 'results may move' has '9 of 9 runs are done'
mv "$folder/moved" "$out"
sed 's/, validation_file: [^}]*//' "$config" >"$folder/unjudged.yaml"
run study "$folder/unjudged.yaml" --list --set max_steps=2
test_that 'without the rows that judged them they are others' has '0 of 9 runs are done'
study --list --set max_steps=2 --set data.words.train_file=absent.jsonl
test_that 'what cannot be read cannot speak against them' has '9 of 9 runs are done'
test_that '  which is told' grep -qF 'absent.jsonl cannot be read, so that it is not known whether results are of what it holds now' "$folder/err"
program=$PWD/speft-cl
(cd "$folder" && "$program" study --quiet --set methods=head --set seeds=1 --output-dir=-x --set model_name_or_path=there \
    --set train_file=there/train.jsonl --set validation_file=there/eval.jsonl "$config") >"$folder/out" 2>"$folder/err" </dev/null || true
test_that 'a folder whose name begins with -' test -e "$folder/-x/runs/words/head/lr-0.001_seed-1/result.json"

# ---- the report: numbers that were given, and what scipy.stats.ttest_rel and statsmodels' Holm make of them
# score METHOD SEED ACCURACY
score() {
    sed -i '/"after"/,$ { s/"rows": [0-9]*/"rows": 400/; s/"accuracy": [0-9.e-]*/"accuracy": '"$3"'/; }' "$out"/runs/words/"$1"/*seed-"$2"/result.json
}
score random 1 0.80; score random 2 0.82; score random 3 0.81
score magnitude 1 0.83; score magnitude 2 0.846; score magnitude 3 0.842
score head 1 0.60; score head 2 0.61; score head 3 0.63
study --set max_steps=2 --report
test_that 'a report of what is done' test "$status" = 0
test_that 'mean, deviation, error of 400 rows' grep -qE '^\| random \| count 50 \| 0\.001 \| 3 of 3 \| 0\.8100 \| 0\.0100 \| 0\.0196 \| 92 \| ' "$out/report.md"
test_that '  of the others' grep -qE '^\| magnitude \| count 50 \| 0\.001 \| 3 of 3 \| 0\.8393 \| 0\.0083 \| 0\.0184 \| 92 \| ' "$out/report.md"
test_that 'a difference that the seeds agree on, but too small for 400 rows' reported \
    '| magnitude | 3 | +0.0293 | +0.0217 to +0.0369 | 0.0036 | 0.0040 | 0.0269 | on these rows only |'
test_that 'a difference beyond noise' reported '| head | 3 | -0.1967 | -0.2346 to -0.1587 | 0.0020 | 0.0040 | 0.0313 | yes |'
# 100 rows of which some are wrong: the error is that of their differences (numpy).
rows() {
    awk -v seed="$2" -v method="$1" 'BEGIN {
        for (i = 0; i < 100; i++) {
            right = method == "magnitude" ? (3 * i + seed) % 10 < 9 : (7 * i + int(i / 10) + seed) % 10 < 8
            printf "{\"label\": \"a\", \"prediction\": \"%s\"}\n", right ? "a" : "b"
        }
    }' >"$(echo "$out"/runs/words/"$1"/*seed-"$2")/predictions.jsonl"
    sed -i 's/"rows": 400/"rows": 100/' "$out"/runs/words/"$1"/*seed-"$2"/result.json
}
for seed in 1 2 3; do
    rows random $seed
    rows magnitude $seed
done
study --set max_steps=2 --report
test_that 'the error of the rows themselves' reported \
    '| magnitude | 3 | +0.0293 | +0.0217 to +0.0369 | 0.0036 | 0.0040 | 0.0309 | on these rows only |'
score head 1 0.85; score head 2 0.70
study --set max_steps=2 --report --set reference=magnitude --quiet
test_that '--set reference' grep -qF 'Each method against magnitude, ' "$out/report.md"
study --set max_steps=2 --report --set reference=magnitud
test_that '  which must be one' fails_with 2 'there is no method "magnitud"; did you mean "magnitude"?'
sed -i 's/^seeds:/reference: magnitude\n&/' "$config"
study --set max_steps=2 --report
test_that 'a reference' grep -qF 'Each method against magnitude, ' "$out/report.md"
test_that 'a difference within noise' grep -qE '^\| head \| 3 \| -0\.1127 \| .* \| no \|$' "$out/report.md"
same=$(./speft-cl mask-compare "$out/runs/words/random/count-50_lr-0.001_seed-1/adapter" "$out/runs/words/magnitude/count-50_lr-0.001_seed-1/adapter" |
    sed -n 's/^1-2 .* //p')
cp "$out/report.md" "$folder/before.md"
study --set max_steps=2 --report --set seeds=1
test_that 'the overlap is that of mask-compare' grep -qE "^\| random \| - \| $(printf %.3f "$same") \|$" "$out/report-seeds-1.md"
test_that 'one seed has no noise to judge by' grep -qE '^\| random \| 1 \| .* \| needs two seeds \|$' "$out/report-seeds-1.md"
test_that '  and has a report of its own' has "$out/report-seeds-1.html (and report-seeds-1.md, results-seeds-1.jsonl)"
test_that '  that of all stays' cmp -s "$out/report.md" "$folder/before.md"
study --report --set seeds=9
test_that 'no report on nothing' fails_with 1 'none of the 3 runs is done'
test_that 'the HTML report names no other file' sh -c "grep -qF '<svg ' '$out/report.html' && ! grep -qE 'src=|href=|url\(' '$out/report.html'"
test_that 'a line a run for programs' grep -qE \
    '^\{"data":"words","method":"random","budget":\{"count":50.0\},"learning_rate":0.001,"seed":1,.*"metric":"accuracy","score":0.8[0-9]*,"error":null,"result":\{' "$out/results.jsonl"
study --set max_steps=2 --set 'data.words.max_train_samples=5' --list
test_that 'an option of one data set' has '0 of 9 runs are done'

# ---- learning rates
write 'learning_rates: [1e-2, 1e-3]' 'budgets: {count: [50]}'
study --quiet --set methods=random,magnitude
test_that 'the best rate is marked' grep -qE '^\| random \| count 50 \| 0\.0?0?1 \(best\) \| 3 of 3 ' "$out/report-methods-random-magnitude.md"
test_that '  with what that means' grep -q 'chosen by the same validation rows' "$out/report-methods-random-magnitude.md"

# ---- another program, another model, other data
write 'budgets: {count: [50]}'
study --quiet
# spoilt RUN COMMAND...: COMMAND is done to a run's file; then so many of the nine are done.
left=9
spoilt() {
    dir=$out/runs/words/$1
    shift
    "$@"
    study --list
    left=$((left - 1))
    has "$left of 9 runs are done"
}
other_sum() { sed -i "s/\\(\"$1\": \"\\)..../\\10000/" "$dir/result.json"; }
other_version() { sed -i 's/"version": "/&0./' "$dir/result.json"; }
no_adapter() { rm -r "$dir/adapter"; }
no_deltas() { echo x >"$dir/adapter/adapter.safetensors"; }
test_that 'a result of another version is not done' spoilt head/lr-0.001_seed-1 other_version
test_that '  nor is one of another model' spoilt head/lr-0.001_seed-2 other_sum model_sha256
test_that '  of other training rows' spoilt magnitude/count-50_lr-0.001_seed-1 other_sum train_file_sha256
test_that '  of other rows to judge it' spoilt magnitude/count-50_lr-0.001_seed-2 other_sum validation_file_sha256
test_that '  without its adapter' spoilt random/count-50_lr-0.001_seed-1 no_adapter
test_that '  with a damaged one' spoilt random/count-50_lr-0.001_seed-2 no_deltas
sum=$(sha256sum <"$source/eval.jsonl" | cut -d' ' -f1)
test_that 'the checksums are those of the files' grep -qF "\"validation_file_sha256\": \"$sum\"" \
    "$out/runs/words/head/lr-0.001_seed-3/result.json"
mkdir "$folder/model"
cp "$source"/* "$folder/model"
write 'budgets: {count: [50]}'
study --quiet --output-dir "$folder/own" --set "model_name_or_path=$folder/model" --set methods=head
sed -i 's/"gelu"/"relu"/' "$folder/model/config.json"
study --list --output-dir "$folder/own" --set "model_name_or_path=$folder/model" --set methods=head
test_that 'another config.json is another model' has '0 of 3 runs are done'
study --quiet --output-dir "$folder/own" --set "model_name_or_path=$folder/model" --set methods=head --set seeds=1
echo '[new]' >>"$folder/model/vocab.txt"
study --list --output-dir "$folder/own" --set "model_name_or_path=$folder/model" --set methods=head --set seeds=1
test_that '  so is another vocabulary' has '0 of 1 runs are done'

# ---- two data sets, one of numbers
write 'budgets: {count: [50]}'
sed -i "s|^  words: |  pairs: {model_name_or_path: $pairs, train_file: $pairs/train.jsonl, validation_file: $pairs/eval.jsonl, metric: spearman}\n&|" "$config"
study --quiet --set methods=random,head --set seeds=1,2
test_that 'the metric of a data set' grep -qxF '## pairs: spearman' "$out/report-methods-random-head-seeds-1-2.md"
test_that 'the mean over data sets' grep -qxF '## Mean over the data sets' "$out/report-methods-random-head-seeds-1-2.md"

# ---- a metric that the task does not have
write 'budgets: {count: [50]}'
sed -i 's/^  words: {/&metric: spearman, /' "$config"
cp "$out/report.md" "$folder/before.md"
study --set methods=head
test_that 'a metric of another task, seen by the runs that are done' fails_with 2 \
    "$config:8:19: metric: found \"spearman\", but the task of data set words is classification: expected one of accuracy, f1, matthews_correlation, loss"
test_that '  the report is as it was' cmp -s "$out/report.md" "$folder/before.md"
rm -rf "$out/runs/words/head"
study --set methods=head
test_that '  or by the first run' fails_with 2 'but the task of data set words is classification'
test_that '  and the others are not made' test "$(ls "$out/runs/words/head")" = lr-0.001_seed-1
write
sed -i 's/^  words: {/&metric: accuracy, task: regression, /' "$config"
study --list
test_that '  or before anything is run' fails_with 2 "$config:8:19: metric: found \"accuracy\", but the task of data set words is regression: expected one of pearson"

# ---- scores that are no numbers, and reports that cannot be written
write 'budgets: {count: [50]}'
study --quiet
sed -i '/"after"/,$ s/"accuracy": [0-9.e-]*/"accuracy": null/' "$out/runs/words/head/lr-0.001_seed-1/result.json"
study --report
test_that 'a missing score is null for programs' grep -qF '"seed":1,' "$out/results.jsonl"
test_that '  in its line alone' test "$(grep -c '"score":null' "$out/results.jsonl")" = 1
cp "$out/report.md" "$folder/before.md"
rm "$out/results.jsonl"
ln -s /dev/full "$out/results.jsonl"
study --report
test_that 'a report that cannot be written whole' fails_with 1 "cannot write $out/results.jsonl"
test_that '  leaves the one before' cmp -s "$out/report.md" "$folder/before.md"
rm "$out/results.jsonl"
test_that '  and nothing else' sh -c "! ls '$out' | grep -qE '\.(md|html|jsonl)\.'"

# ---- names of reports on parts
long=1.00000000001,2.00000000002,3.00000000003,4.00000000004,5.00000000005,6.00000000006,7.00000000007,8.00000000008,9.00000000009
for seed in 1 2; do study --report --set learning_rates=$long,1e-3 --set methods=head --set seeds=$seed; done
test_that 'parts with long names have reports of their own' \
    test "$(find "$out" -name 'report-learning_rates-1.00000000001-2.00000000002-*.md' | wc -l)" = 2

# ---- a run that fails
mkdir -p "$out/runs/words/head/lr-0.5_seed-1/log.txt"
study --set methods=head --set seeds=1 --set learning_rates=0.5
test_that 'a log that cannot be written' fails_with 1 "cannot write $out/runs/words/head/lr-0.5_seed-1/log.txt: "
write 'budgets: {count: [50, 50000000]}'
study --set methods=random,head
test_that 'a run that fails fails the study, at its end' test "$status" = 1
test_that '  with its own words' grep -qF 'speft-cl: error: 3 of 9 runs failed; the first: words, random, count 50000000, learning rate 0.001, seed 1: the sparse budget' "$folder/err"
test_that '  and those after it are done' test -e "$out/runs/words/head/lr-0.001_seed-3/result.json"
test_that '  the report has it, too' grep -qF 'failed: words, random, count 50000000' "$out/report-methods-random-head.md"
study --list --set methods=random,head
test_that '  it is not done' has '6 of 9 runs are done'
test_that '  it is called failed' count '^failed' 3
study --report --set methods=random,head
test_that '  a report without running keeps it' grep -qF 'failed: words, random, count 50000000' "$out/report-methods-random-head.md"
test_that '  and fails like the study' test "$status" = 1

# ---- interrupted
write 'budgets: {count: [50]}'
study --quiet --set methods=random,head
rm -rf "$out/runs/words/magnitude"
./speft-cl study "$config" --set methods=random,head,magnitude --set methods.magnitude.max_steps=1000000 >"$folder/out" 2>"$folder/err" </dev/null &
pid=$!
log=$out/runs/words/magnitude/count-50_lr-0.001_seed-1/log.txt
for _ in $(seq 600); do
    grep -q '^train ' "$log" 2>/dev/null && break
    sleep 0.1
done
study --set methods=random
test_that 'one study at a time in a folder' fails_with 1 "another speft-cl study is running in $out (process $pid on host "
study --list
test_that '  but it can be looked at' has '6 of 9 runs are done'
kill -INT $pid
status=0
wait $pid || status=$?
test_that 'interrupted: 130' test "$status" = 130
test_that '  with what is done' grep -qF 'interrupted with 6 of 9 runs done; the same command goes on' "$folder/err"
test_that '  and the run in hand has ended, too' grep -q '^speft-cl: interrupted; the adapter as of step' "$log"
study
test_that 'it goes on' told '^speft-cl: run [0-9] of 9: words, magnitude' 3
if TERM=xterm script -qec true /dev/null >/dev/null 2>&1; then
    TERM=xterm script -qec "./speft-cl study '$config' --set max_steps=500" /dev/null >"$folder/out" 2>"$folder/err" </dev/null
    test_that 'on a terminal a table is drawn over itself' grep -q "$(printf '\033')\[[0-9]*A$(printf '\033')\[J" "$folder/out"
    test_that '  with the run in hand' grep -q '^> random .*0/3' "$folder/out"
fi

# ---- killed: nothing goes on running, and the folder is free again
./speft-cl study "$config" --set seeds=8 --set methods=head --set max_steps=1000000 >"$folder/out" 2>"$folder/err" </dev/null &
pid=$!
log=$out/runs/words/head/lr-0.001_seed-8/log.txt
for _ in $(seq 600); do
    grep -q '^train ' "$log" 2>/dev/null && break
    sleep 0.1
done
# its_run: the process of that run, where the system lists them; the pattern does not match itself.
its_run() { grep -l "${log%/log.txt}/config[.]resolved" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
[ "$(uname)" != Linux ] || test_that 'a run is a process of its own' test -n "$(its_run)"
kill -KILL $pid
wait $pid 2>/dev/null || true
for _ in $(seq 100); do
    [ -n "$(its_run)" ] || break
    sleep 0.1
done
after=$(its_run)
[ -z "$after" ] || kill -KILL "$after" || true
test_that '  which ends with a study that was killed' test -z "$after"
study --quiet --set seeds=8 --set methods=head
test_that '  and does not lock its folder' test "$status" = 0

# ---- a run that a signal ends
if [ "$(uname)" = Linux ]; then
    ./speft-cl study "$config" --set seeds=9 --set methods=head --set max_steps=1000000 >"$folder/out" 2>"$folder/err" </dev/null &
    pid=$!
    log=$out/runs/words/head/lr-0.001_seed-9/log.txt
    for _ in $(seq 600); do
        grep -q '^train ' "$log" 2>/dev/null && break
        sleep 0.1
    done
    kill -KILL "$(its_run)"
    status=0
    wait $pid || status=$?
    test_that 'a run that is killed fails the study' test "$status" = 1
    test_that '  which says by what signal' grep -q '^speft-cl: error: 1 of 1 runs failed.*: the process was ended by signal 9 (' "$folder/err"
    test_that '  and keeps that' grep -qx 'the process was ended by signal 9' "${log%/log.txt}/error.txt"
fi

# ---- names with dots, and a folder of scores of the study's own
write 'budgets: {count: [50]}'
sed -i "s/^  words: {/  wo.rds: {/; s|random}}|snip, score_cache: $folder/mine}}|; s/magnitude}}/magnitude, score_cache: null}}/" "$config"
rm -rf "$out"
study --set seeds=1 --set data.wo.rds.max_train_samples=5
test_that 'names with dots' test -e "$out/runs/wo.rds/head/lr-0.001_seed-1/result.json"
test_that '  and an option of theirs' grep -qx 'max_train_samples: 5' "$out/runs/wo.rds/head/lr-0.001_seed-1/config.resolved.yaml"
test_that "the study's own folder of scores" sh -c "ls '$folder/mine' | grep -q ."
test_that '  or none' test ! -e "$out/scores"

# ---- mistakes, before anything is run
bad() {
    expected=$1
    shift
    study "$@"
    test_that "${expected#"$config:"}" fails_with 2 "$expected"
}
rm -rf "$out"
write 'budget: {count: [50]}'
bad "$config:14:1: there is no key \"budget\"; did you mean \"budgets\"?"
test_that 'the line and a caret' sh -c "grep -qxF '    budget: {count: [50]}' '$folder/err' && grep -qxF '    ^' '$folder/err'"
write 'budgets: {cuont: [50]}'
bad "$config:14:11: there is no budget \"cuont\"; did you mean \"count\"?"
write 'budgets: [50]'
bad "$config:14:10: budgets: found a list, expected a block such as {rank_equivalent: [8, 1]}"
write 'budgets: {count: [50, many]}'
bad "$config:14:23: sparse.count: found \"many\", expected a whole number in [1, inf)"
write 'learning_rates: []'
bad "$config:14:17: learning_rates: found an empty list, expected a list of values"
write 'reference: randm'
bad "$config:14:12: there is no method \"randm\"; did you mean \"random\"?"
write 'reference: random' 'learning_rates: [1]'
sed -i 's/head: {/head: {learning_rate: 2, /' "$config"
bad "$config:12:10: learning_rate would give way to the study's learning_rates: write learning_rates: [...] for head"
write
sed -i 's/head: {/head: {seed: 2, /' "$config"
bad "$config:12:10: seed would give way to the study's seeds: name it there"
write
sed -i 's/words: {/words: {output_dir: here, /' "$config"
bad "$config:8:11: output_dir is the study's: each run has a folder of its own in it"
write
sed -i 's/metric: magnitude/metrik: magnitude/' "$config"
bad "$config:11:24: unknown option \"metrik\" in sparse; did you mean \"metric\"?"
write
sed -i 's/  magnitude:/  magni tude:/' "$config"
bad "$config:11:3: found \"magni tude\" as the name of a method"
write
sed -i 's/seeds: .*/seeds: [1, 1]/' "$config"
bad "$config: two runs would be the same, $out/runs/words/random/lr-0.001_seed-1: a value stands twice"
write
sed -i 's/  words: {/  words: {metric: speed, /' "$config"
bad "$config:8:19: metric: found \"speed\", expected one of accuracy"
write
sed -i 's/^data:/date:/' "$config"
bad "$config:7:1: there is no key \"date\"; did you mean \"data\"?"
write
sed -i '/^data:/,/^  words/d' "$config"
bad "$config: data is missing"
write
sed -i '/^output_dir/d' "$config"
bad 'output_dir is missing: add a line "output_dir: ..." or give --output-dir'
write
bad '--set methods: there is no method "haed"; did you mean "head"?' --set methods=haed
bad '--set: there is no data set "wrods"; did you mean "words"?' --set data.wrods.seed=1
bad '--set: expected NAME.KEY=VALUE of a method' --set methods.head=1
bad '--set learning_rates: learning_rates: found an empty list, expected a list of values' --set learning_rates=
bad '--set seeds: seed: found "x", expected a whole number' --set seeds=x
bad '--set: unknown option "sead"; did you mean "seed"?' --set data.words.sead=1
bad 'two runs would be the same' --set seed=1
bad "--set sparse.density=0.2: a study's runs have the budgets of its lists: write --set 'budgets={density: [0.2]}'" \
    --set sparse.density=0.2
bad '--set data.words.sparse.count=2: a study' --set data.words.sparse.count=2
bad '--set methods.head.sparse.rank_equivalent=2: a study' --set methods.head.sparse.rank_equivalent=2
bad '--set: expected NAME.KEY=VALUE of a data set' --set data.words
bad '--set: metric is no option of the runs' --set data.words.metric=f1
bad '--set: learning_rates is no option of the runs' --set methods.head.learning_rates=1
bad '--set budgets: budgets: found an empty block, expected a block' --set 'budgets={}'
bad "$config: output_dir is not UTF-8" --set "output_dir=$(printf 'x\377')"
bad "--set: output_dir is the study's" --set methods.random.output_dir=here
bad '--list and --report: give one of them' --list --report
bad "data set words: there is no file $folder/absent.tsv" --set "data.words.train_file=$folder/absent.tsv"
bad 'validation_file is missing' --set validation_file=null
bad 'absent-model' --set model_name_or_path=absent-model
printf 'output_dir: out\ndata: {a: {}}\nmethods: {b: 5e-5}\n' >"$folder/mistake.yaml"
program=$PWD/speft-cl status=0
(cd "$folder" && "$program" study mistake.yaml) >"$folder/out" 2>"$folder/err" || status=$?
test_that 'a file that is none, with its place' fails_with 2 'mistake.yaml:3:14: found "5e-5", expected a block of options or the name of a file'
run study "$folder/absent.yaml"
test_that 'no such file' fails_with 2 "cannot open $folder/absent.yaml"
test_that 'nothing was written' test ! -e "$out"
finish
