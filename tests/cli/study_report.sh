#!/bin/sh
# A study's report from outside: runs are made, then given scores and predictions, and the rows of the tables are held to what
# doc/study.md says of them. The numbers were made in double precision with numpy and scipy:
#   mean, deviation   of the seeds' scores, the deviation over n - 1
#   p, interval       scipy.stats.ttest_rel, and confidence_interval(0.95) of that
#   rows' error       of an accuracy p: sqrt(p (1 - p) / n); of a correlation: (1 - r^2) / sqrt(n - 1); of a difference: the
#                     deviation of the rows' parts, each the mean over the seeds, / sqrt(n). A row's part in r is
#                     zx zy - r (zx^2 + zy^2) / 2, z by the deviation over n (Devlin, Gnanadesikan and Kettenring, 1975), and
#                     numerically the derivative of r by the row's weight
#   the mean          over D data sets: the same of each seed's mean score; its rows' error is sqrt(sum of squares) / D
. "${srcdir:-.}/tests/cli/tap.sh"
words=${srcdir:-.}/tests/data/reference/binary
pairs=${srcdir:-.}/tests/data/reference/regression
out=$folder/results
config=$folder/small.yaml

# write [METRIC METRIC]: the study, whose data sets are judged by these instead of the tasks' own.
write() {
    set -- "${1:+, metric: $1}" "${2:+, metric: $2}"
    cat >"$config" <<END
output_dir: $out
base: {max_seq_length: 40, per_device_train_batch_size: 9, max_steps: 1}
data:
  words: {model_name_or_path: $words, train_file: $words/train.jsonl, validation_file: $words/eval.jsonl$1}
  pairs: {model_name_or_path: $pairs, train_file: $pairs/train.jsonl, validation_file: $pairs/eval.jsonl$2}
methods:
  random: {sparse: {metric: random}}
  magnitude: {sparse: {metric: magnitude}}
budgets: {density: [0.3]}
learning_rates: [1e-2, 1e-3]
seeds: [1, 2, 3]
END
}

study() { run study "$config" "$@"; }
reported() { grep -qxF -e "$1" "$out/report.md"; }
absent() { ! reported "$@"; }
run_of() { echo "$out/runs/$1/$2/density-0.3_lr-$3_seed-$4"; }

# give DATA METHOD RATE [SCORE LOSS]...: what seeds 1, 2 and 3 reached, accuracy or r, and loss or mse; and what they cost: 2 s,
# 2000 tokens/s and 200 MiB in the mean.
give() {
    data=$1 method=$2 rate=$3 seed=0
    shift 3
    while [ $# -gt 0 ]; do
        seed=$((seed + 1))
        sed -i -E "/\"after\"/,\$ {
                s/\"rows\": [^,]*/\"rows\": 40/
                s/\"(accuracy|pearson)\": [^,]*/\"\\1\": $1/
                s/\"(loss|mse)\": [^,]*/\"\\1\": $2/
            }
            s/\"total_seconds\": [^,]*/\"total_seconds\": $seed/
            s/\"tokens_per_second\": [^,]*/\"tokens_per_second\": ${seed}000/
            s/\"peak_memory\": [^,]*/\"peak_memory\": $((seed * 104857600))/" \
            "$(run_of "$data" "$method" "$rate" $seed)/result.json"
        shift 2
    done
}

# predict DATA METHOD RATE: the predictions of 40 rows by each seed.
predict() {
    for seed in 1 2 3; do
        awk -v data="$1" -v method="$2" -v seed=$seed 'BEGIN {
            for (i = 0; i < 40; i++)
                if (data == "words") {
                    right = method == "magnitude" ? (3 * i + seed) % 10 < 9 : (7 * i + int(i / 10) + seed) % 10 < 7
                    printf "{\"label\": \"a\", \"prediction\": \"%s\"}\n", right ? "a" : "b"
                } else {
                    label = i * i % 11 / 2
                    noise = method == "magnitude" ? ((7 * i + 2 * seed) % 9 - 4) / 8 : (5 * i + seed) % 7 - 3
                    printf "{\"label\": %.1f, \"prediction\": %.3f}\n", label, label + noise
                }
        }' >"$(run_of "$1" "$2" "$3" $seed)/predictions.jsonl"
    done
}

write
study --quiet
test_that 'a study of two data sets' test "$status" = 0
give words random 0.01 0.700 0.60 0.675 0.62 0.725 0.61
give words random 0.001 0.600 0.70 0.625 0.72 0.600 0.71
give words magnitude 0.01 0.800 0.52 0.800 0.55 0.775 0.50
give words magnitude 0.001 0.900 0.40 0.850 0.45 0.925 0.41
give pairs random 0.01 0.63 1.8 0.60 2.0 0.61 1.9
give pairs random 0.001 0.53 2.8 0.50 2.9 0.52 2.7
give pairs magnitude 0.01 0.86 0.9 0.84 0.8 0.83 0.7
give pairs magnitude 0.001 0.96 0.30 0.94 0.35 0.93 0.28
for data in words pairs; do
    for rate in 0.01 0.001; do
        predict $data random $rate
        predict $data magnitude $rate
    done
done
sed -i 's/"device": "[^"]*"/"device": "one"/' "$out"/runs/*/*/*/result.json
sed -i 's/"device": "[^"]*"/"device": "another"/' "$out"/runs/*/random/*seed-3/result.json

# ---- the tables
study --report
test_that 'a report' test "$status" = 0
test_that 'the devices' reported '- 20 on one'
test_that '  each with its runs' reported '- 4 on another'
test_that 'accuracy, the measure of classes, at the best rate' reported \
    '| random | density 0.3 | 0.01 (best) | 3 of 3 | 0.7000 | 0.0250 | 0.0725 | 762 | 2.0 | 2000 | 200 |'
test_that '  which is another for another method' reported \
    '| magnitude | density 0.3 | 0.001 (best) | 3 of 3 | 0.8917 | 0.0382 | 0.0491 | 762 | 2.0 | 2000 | 200 |'
test_that "Pearson's r, that of numbers" reported \
    '| random | density 0.3 | 0.01 (best) | 3 of 3 | 0.6133 | 0.0153 | 0.0999 | 1431 | 2.0 | 2000 | 200 |'
test_that '  of the other method' reported \
    '| magnitude | density 0.3 | 0.001 (best) | 3 of 3 | 0.9433 | 0.0153 | 0.0176 | 1431 | 2.0 | 2000 | 200 |'
test_that 'the mean over the data sets' reported '| random | density 0.3 | 3 | 0.6567 | 0.0166 |'
test_that '  of the other method' reported '| magnitude | density 0.3 | 3 | 0.9175 | 0.0195 |'
test_that 'the rates that are not the best' reported '| words | random | density 0.3 | 0.001 | 3 of 3 | 0.6083 | 0.0144 |'

# ---- differences
test_that "accuracy: the rows' error by what each row got right" reported \
    '| magnitude | 3 | +0.1917 | +0.1558 to +0.2275 | 0.0019 | 0.0019 | 0.0531 | yes |'
test_that "Pearson's r: by each row's influence" reported \
    '| magnitude | 3 | +0.3300 | +0.3052 to +0.3548 | 0.0003 | 0.0003 | 0.0647 | yes |'
test_that 'the mean over the data sets: by both' reported \
    '| magnitude | 3 | +0.2608 | +0.2513 to +0.2703 | 0.0001 | 0.0001 | 0.0418 | yes |'

# ---- overlaps, whose mean is that of what mask-compare says
# jaccard ADAPTER...: the overlap of each pair, as a line.
jaccard() { ./speft-cl mask-compare "$@" --json | sed -n 's/^      "jaccard": \([0-9.e-]*\),*$/\1/p'; }
mean() { awk '{ sum += $1 } END { printf "%.3f", sum / NR }'; }
adapter() { echo "$(run_of words "$@")/adapter"; }
between=$(for seed in 1 2 3; do jaccard "$(adapter random 0.01 $seed)" "$(adapter magnitude 0.001 $seed)"; done | mean)
within=$(jaccard "$(adapter random 0.01 1)" "$(adapter random 0.01 2)" "$(adapter random 0.01 3)" | mean)
test_that 'the mean overlap of two methods and of the seeds of one' reported "| random | $within | $between |"
test_that '  the same seen from the other, whose seeds agree' reported "| magnitude | $between | 1.000 |"

# ---- metrics of which less is better
write loss mse
study --report
test_that 'loss: the best is the least' reported \
    '| random | density 0.3 | 0.01 (best) | 3 of 3 | 0.6100 | 0.0100 | - | 762 | 2.0 | 2000 | 200 |'
test_that '  for each method' reported \
    '| magnitude | density 0.3 | 0.001 (best) | 3 of 3 | 0.4200 | 0.0265 | - | 762 | 2.0 | 2000 | 200 |'
test_that 'mse' reported \
    '| magnitude | density 0.3 | 0.001 (best) | 3 of 3 | 0.3100 | 0.0361 | - | 1431 | 2.0 | 2000 | 200 |'
test_that 'loss: without an error of the rows the seeds decide alone' reported \
    '| magnitude | 3 | -0.1900 | -0.2330 to -0.1470 | 0.0028 | 0.0028 | - | yes |'
test_that 'mse: likewise' reported '| magnitude | 3 | -1.5900 | -1.7872 to -1.3928 | 0.0008 | 0.0008 | - | yes |'
test_that '  they have no mean' absent '## Mean over the data sets'
rm "$(run_of words random 0.01 2)/result.json"
study --report
test_that 'a rate that more seeds have done goes before a better one' reported \
    '| random | density 0.3 | 0.001 (best) | 3 of 3 | 0.7100 | 0.0100 | - | 762 | 2.0 | 2000 | 200 |'

# ---- a validation file that is replaced while a run works; the study sleeps over the run's end, so that it comes in time
cat "$words/eval.jsonl" >"$folder/eval.jsonl"
runs=$folder/changed/runs/words/random
set -- study "$config" --output-dir "$folder/changed" --set data=words --set methods=random --set learning_rates=1e-3 \
    --set max_steps=300 --set "data.words.validation_file=$folder/eval.jsonl"
# wait_for FILE
wait_for() {
    for _ in $(seq 600); do
        [ ! -e "$1" ] || break
        sleep 0.1
    done
}
# replaced_meanwhile SEED ARG...: the study, whose file is another when the run of that seed has ended.
replaced_meanwhile() {
    dir=$runs/density-0.3_lr-0.001_seed-$1
    shift
    ./speft-cl "$@" >"$folder/out" 2>"$folder/err" </dev/null &
    pid=$!
    wait_for "$dir/log.txt"
    kill -STOP $pid
    wait_for "$dir/result.json"
    head -n 1 "$words/eval.jsonl" >>"$folder/eval.jsonl"
    kill -CONT $pid
    status=0
    wait $pid || status=$?
}
replaced_meanwhile 1 "$@" --set seeds=1
test_that 'a run that ends well, but not on the file that is there now, fails the study' test "$status" = 1
test_that '  which says why' grep -qF "it ended well, but $folder/eval.jsonl is not what it was: it was changed while" "$folder/err"
run "$@" --list --set seeds=1
test_that '  it is not done' prints '0 of 1 runs are done'
test_that '  but failed' grep -q '^failed words: random' "$folder/out"
cat "$words/eval.jsonl" >"$folder/eval.jsonl"
run "$@" --set seeds=1
test_that '  when the file is as it was, it is right' test "$status" = 0
test_that '  and not made again' test "$(grep -c '^speft-cl: run ' "$folder/err")" = 0
run "$@" --set seeds=2
replaced_meanwhile 3 "$@" --set seeds=2,3
test_that 'runs of an earlier file are not reported beside those of a later one' test "$status" = 1
test_that '  which is told' grep -qF 'error: 2 of 2 runs are of a model or of data that have changed since' "$folder/err"
finish
