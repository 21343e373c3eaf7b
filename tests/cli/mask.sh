#!/bin/sh
# Masks from outside: what decides about the positions, and what does not. That they are PyTorch's: tests/model.
. "${srcdir:-.}/tests/cli/tap.sh"
model=$folder/model
config=$folder/mask.yaml
rows=$folder/rows.tsv
tests/cli/model_tool random "$model" 12
printf 'text\tlabel\n' >"$rows"
for letter in a b c d e f g h i j k l; do
    printf '%s z %s x\tup\nq %s\tdown\n' "$letter" "$letter" "$letter" >>"$rows"
done
cat >"$config" <<EOF
model_name_or_path: $model
train_file: $rows
max_seq_length: 40
per_device_train_batch_size: 5
sparse:
  target_modules: [query, key, value, dense]
  count: 700
EOF

# mask NAME [ARG]...: a mask into $folder/NAME.
mask() {
    name=$1
    shift
    run mask "$config" --quiet --output "$folder/$name" "$@"
}

same() { cmp -s "$folder/$1" "$folder/$2"; }
differs() { [ -s "$folder/$1" ] && [ -s "$folder/$2" ] && ! same "$@"; }

# entries NAME: positions in the file, from the size of its data.
entries() {
    header=$(od -An -t u8 -N 8 "$folder/$1" | tr -d ' ')
    echo $((($(wc -c <"$folder/$1") - 8 - header) / 4))
}

mask all
test_that 'it says what it did' prints "$folder/all: 700 of 338944 weights in 73 matrices"
test_that 'as many positions as the budget' test "$(entries all)" = 700
test_that 'a tensor for each target, those without positions too' test "$(grep -ao '\.indices"' "$folder/all" | wc -l)" = 73
mask again
test_that 'the same rows give the same mask' same all again

# ---- what must not matter
mask groups --set sparse.scoring_memory=1
test_that 'scoring in groups, for want of memory' same all groups
mask dropout --set dropout=0.5
test_that 'dropout' same all dropout

# ---- what must
mask random --set sparse.metric=random
mask random2 --set sparse.metric=random
mask random3 --set sparse.metric=random --set seed=7
test_that 'a random mask is the same again' same random random2
test_that 'and another with another seed' differs random random3
test_that 'the metric' differs all random
mask magnitude --set sparse.metric=magnitude
test_that 'no metric is another one' differs magnitude random
mask moving --metric magnitude --set sparse.method=dynamic --set sparse.interval=3
test_that 'a method whose mask moves has the same first one' same magnitude moving
mask flagged --metric magnitude
test_that 'by flag as by --set' same magnitude flagged
mask tensor --set sparse.scope=tensor
test_that 'the scope' differs all tensor
mask uniform --set sparse.scope=uniform_count
test_that 'as many of each' test "$(entries uniform)" = $((700 / 73 * 73))
# Each metric; several at a time would be more than what these tests may take.
before=$(cksum <"$model/model.safetensors")
for metric in $(./speft-cl metrics | sed -n 's/^\([a-z_]*\):.*/\1/p'); do
    mask "by-$metric" --metric "$metric" --set sparse.scoring_examples=6 --set sparse.lift_rank=2
    test_that "$metric" prints "$folder/by-$metric: 700 of 338944 weights"
done
test_that 'taylor_fo is snip' same by-taylor_fo by-snip
test_that 'force is not' differs by-force by-snip
mask code --metric grasp --set sparse.scoring_examples=6 --set sparse.sign=code
test_that 'the other sign of grasp' differs by-grasp code
test_that 'the model is as it was' test "$before" = "$(cksum <"$model/model.safetensors")"

# ---- kept scores
mask kept --set sparse.score_cache="$folder/scores"
test_that 'keeping scores changes nothing' same all kept
mask kept --set sparse.score_cache="$folder/scores" --set sparse.scope=tensor
test_that 'nor does reading them for another budget' same tensor kept
test_that 'one file of them' test "$(ls "$folder/scores" | wc -l)" = 1
scores=$(ls "$folder/scores")
mv "$folder/scores/$scores" "$folder/elsewhere"
ln -s "$folder/elsewhere" "$folder/scores/$scores"
: >"$folder/elsewhere"
mask kept --set sparse.score_cache="$folder/scores"
test_that 'a link among the scores' grep -qF "warning: scoring anew: $folder/scores/$scores is a link" "$folder/err"
test_that '  is not written through' test ! -s "$folder/elsewhere" -a ! -h "$folder/scores/$scores"
rm "$folder/scores/$scores"
mkfifo "$folder/scores/$scores"
mask kept --set sparse.score_cache="$folder/scores"
test_that 'nor is a pipe waited for' grep -qF "$scores is not a regular file" "$folder/err"
test_that '  which changes nothing' same all kept
echo 'no scores' >"$folder/scores/$scores"
mask kept --set sparse.score_cache="$folder/scores"
test_that 'a file of something else is named with its folder' grep -qF "warning: scoring anew: $folder/scores/$scores: " "$folder/err"
chmod 777 "$folder/scores"
mask kept --set sparse.score_cache="$folder/scores"
test_that 'a folder of scores that others can write is not used' \
    grep -qF "warning: sparse.score_cache is not used: $folder/scores can be written by everybody" "$folder/err"
test_that '  which changes nothing, either' same all kept
chmod 700 "$folder/scores"

# ---- the list of metrics
run metrics
test_that 'the metrics' prints 'gradient: the largest mean gradients'
test_that 'what they need' prints 'needs  weight, gradient, rows, labels'
run metrics --json
test_that 'as JSON' prints '"name": "grasp"'

# ---- rows without labels
unlabelled=$folder/unlabelled.tsv
cut -f 1 "$rows" >"$unlabelled"
mask plain --set train_file="$unlabelled" --metric magnitude
test_that 'labels that a metric does not need may be missing' same magnitude plain
mask inputs --set train_file="$unlabelled" --metric wanda --set sparse.scoring_examples=6
test_that 'inputs need none' same by-wanda inputs
mask none --set train_file="$unlabelled" --metric wanda --set label_column=klass
test_that '  but a column that is named must be there' fails_with 2 'no column "klass"'
mask none --set train_file="$unlabelled"
test_that 'others say that they do' fails_with 2 'gradient scores with labels'
mask few --set sparse.scoring_examples=5
test_that 'the rows' differs all few
mask density --set sparse.count=null --set sparse.density=0.01
test_that 'a density' test "$(entries density)" = 3389
mask everything --set sparse.count=338944
test_that 'every position' test "$(entries everything)" = 338944
mask rank --set sparse.count=null --set sparse.rank_equivalent=1 --set 'sparse.target_modules=[query]'
test_that 'a rank: the rows and columns of each' test "$(entries rank)" = $((12 * 128))
mask one --set 'sparse.target_modules=[layer.3.attention.self.value]'
test_that 'one layer by the end of its name' prints '700 of 4096 weights in 1 matrices'

# ---- what cannot be
mask none --set sparse.method=head
test_that 'without a mask in the method' fails_with 2 'no mask'
mask none --set sparse.count=338945
test_that 'a budget too big' fails_with 2 'larger than the 338944 targeted weights'
mask none --set sparse.count=null --set sparse.density=1e-7
test_that 'a budget that is nothing' fails_with 2 'rounds to no entry'
mask none --set sparse.count=50 --set sparse.scope=tensor
test_that 'or nothing for each' fails_with 2 'gives none to any of the 73 matrices'
mask none --set 'sparse.target_modules=[querry]'
test_that 'a target that is none' fails_with 2 "did you mean 'query'?"
mask none --set 'sparse.target_modules=[classifier]'
test_that 'the head is trained in any case, and no target' fails_with 2 'classifier'
test_that 'nothing was written' test ! -e "$folder/none"
mask none/below
test_that 'no folder for it' fails_with 1 "$folder/none/below"
run mask "$config" --quiet
test_that 'no file for it' fails_with 2 '--output'
cp "$model/model.safetensors" "$folder/whole.safetensors"
tests/cli/model_tool zero "$model/model.safetensors" encoder.layer.3.attention.self.key.weight
mask zero --metric magnitude
test_that 'a tensor of zeros gives nothing' prints '700 of 338944 weights'
mask smallest --metric magnitude_bottom --set sparse.scope=tensor
test_that 'the smallest weights are there first' prints ' of 338944 weights in 73 matrices'
mask none --metric magnitude --set sparse.scope=tensor
test_that 'and cannot where it must' fails_with 1 'all scores of encoder.layer.3.attention.self.key.weight by magnitude are zero'
tests/cli/model_tool zero "$model/model.safetensors" pooler.dense.weight
mask none --set 'sparse.target_modules=[query, key]'
test_that 'no score but zero' fails_with 1 'all scores by gradient are zero'
mv "$folder/whole.safetensors" "$model/model.safetensors"
tests/cli/model_tool set "$model/model.safetensors" encoder.layer.5.output.LayerNorm.weight 7f7fffff
mask none
test_that 'a model that gives no numbers' fails_with 1 'is not a number'
test_that '  is told where that begins' fails_with 1 'the first tensor that is not finite: attention over the output of encoder.layer.6.attention.self.query.weight: the score of'
for metric in snip force taylor_fo fisher grasp grad_weight_ratio; do
    mask none --metric $metric
    test_that "  by $metric" fails_with 1 '.weight at position '
done
mask none --metric wanda
test_that 'an infinite score, its tensor and where' fails_with 1 'the score of encoder.layer.6.attention.self.query.weight at position 0 is infinite'
cp "$model/model.safetensors" "$folder/whole.safetensors"
for bits in 7fc00000 7f800000 ff800000; do
    tests/cli/model_tool set "$model/model.safetensors" encoder.layer.5.output.dense.weight $bits
    mask none --metric random
    test_that "a weight of $bits, by a metric that reads none" fails_with 1 \
        "$model/model.safetensors: tensor encoder.layer.5.output.dense.weight: element 0 is "
done
mv "$folder/whole.safetensors" "$model/model.safetensors"
sed 's/^sparse:/&\n  method: spiel\n  growth: ag/' "$config" >"$folder/spiel.yaml"
run mask "$folder/spiel.yaml" --quiet --metric random --output "$folder/s1"
test_that "a metric's mask, whatever the method" prints '700 of 338944 weights'
run mask "$config" --quiet --metric random --output "$folder/s2"
test_that '  is the static one' same s1 s2
mask none --metric gradiant
test_that 'a metric that is none' fails_with 2 'did you mean gradient?'
test_that 'and no mask' sh -c "! ls '$folder' | grep -q '^none'"
for input in "$config" "$rows" "$model/model.safetensors"; do
    cp "$input" "$folder/before"
    run mask "$config" --quiet --metric random --output "$input"
    test_that "what a mask is made from is not replaced: $(basename "$input")" fails_with 2 "$input is an input"
    test_that '  by a byte' cmp -s "$input" "$folder/before"
done
finish
