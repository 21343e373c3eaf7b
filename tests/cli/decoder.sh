#!/bin/sh
# The commands on a causal language model: what train says of it eval says again, and a study compares methods by a score of
# which less is better. Numbers beside PyTorch's: tests/model/test_decoders.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/decoders/llama
out=$folder/results
config=$folder/study.yaml

# An epoch is five steps, after which the higher rate is far ahead and the lower one has not moved.
cat >"$config" <<END
output_dir: $out
base:
  model_name_or_path: $source
  task: causal_lm
  max_seq_length: 40
  per_device_train_batch_size: 9
  num_train_epochs: 1
  sparse: {target_modules: all-linear}
data:
  ids: {train_file: $source/train.jsonl, validation_file: $source/eval.jsonl}
methods:
  gradient: {sparse: {metric: gradient}}
  random: {sparse: {metric: random}}
budgets: {count: [2000]}
learning_rates: [1e-2, 1e-7]
seeds: [1]
END

# score METHOD RATE KEY: what a run reached after its training.
score() {
    sed -n "/\"after\"/,\$ s/.*\"$3\": \([0-9.e+-]*\).*/\1/p" "$out/runs/ids/$1/count-2000_lr-$2_seed-1/result.json" | head -n 1
}
# less A B: as numbers.
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a + 0 < b + 0) }'; }
four() { printf %.4f "$1"; }

run study "$config" --quiet
test_that 'a study of a causal language model' test "$status" = 0
test_that '  is judged by perplexity' grep -qxF '## ids: perplexity' "$out/report.md"
test_that '  which training lowers' less "$(score gradient 0.01 perplexity)" "$(score gradient 1e-07 perplexity)"
for method in gradient random; do
    test_that "  so that the better rate has the lower one: $method" grep -qE \
        "^\| $method \| count 2000 \| 0\.01 \(best\) \| 1 of 1 \| $(four "$(score $method 0.01 perplexity)") \|" "$out/report.md"
done
sed -i 's/ids: {/ids: {metric: loss, /' "$config"
run study "$config" --report
test_that 'by loss' grep -qE \
    "^\| gradient \| count 2000 \| 0\.01 \(best\) \| 1 of 1 \| $(four "$(score gradient 0.01 loss)") \|" "$out/report.md"

dir=$out/runs/ids/gradient/count-2000_lr-0.01_seed-1
run eval "$dir/config.resolved.yaml" --adapter "$dir/adapter" --json --quiet
test_that 'eval says what train said' prints "$(printf '"loss": %.9g, "perplexity": %.9g, "token_accuracy": %.9g' \
    "$(score gradient 0.01 loss)" "$(score gradient 0.01 perplexity)" "$(score gradient 0.01 token_accuracy)")"
finish
