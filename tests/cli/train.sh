#!/bin/sh
# Training runs from outside: files, repeatability, interruption, and the commands that read an adapter.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
config=$folder/run.yaml
cat >"$config" <<EOF
model_name_or_path: $source
train_file: $source/train.jsonl
validation_file: $source/eval.jsonl
max_seq_length: 40
per_device_train_batch_size: 9
num_train_epochs: 2
learning_rate: 0.01
logging_steps: 1
sparse:
  rank_equivalent: 2
  scoring_examples: 20
EOF

# train NAME [ARG]...: a run into $folder/NAME.
train() {
    name=$1
    shift
    run train "$config" --quiet --output-dir "$folder/$name" "$@"
}

same() { cmp -s "$folder/$1/adapter/adapter.safetensors" "$folder/$2/adapter/adapter.safetensors"; }
differs() { ! same "$@"; }
lines() { [ "$(grep -c "$2" "$folder/$1/metrics.jsonl")" = "$3" ]; }

# value FILE STEP KEY: the number of that key in the line of that step.
value() { grep "\"step\":$2,\"epoch\"" "$folder/$1/metrics.jsonl" | sed "s/.*\"$3\":\([-0-9.e]*\).*/\1/"; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(d < 1e-5 && d > -1e-5) }'; }

# ---- what a run leaves
train a
test_that 'a run succeeds' test "$status" = 0
test_that 'and says nothing else when quiet' test ! -s "$folder/err"
for text in 'held-out before: accuracy' 'held-out after:  accuracy' 'trained:         522 of 13213' 'tokens/s' 'peak memory' \
    "adapter:         $folder/a/adapter"; do
    test_that "it reports $text" grep -qF -e "$text" "$folder/out"
done
test_that 'the files of output_dir' test "$(cd "$folder/a" && find . -type f | sort | tr '\n' ' ')" = \
    './adapter/adapter.json ./adapter/adapter.safetensors ./config.resolved.yaml ./metrics.jsonl ./predictions.jsonl ./result.json '
for key in '"trained": 522,' '"parameters": 13213,' '"steps": 10,' '"task": "classification",' '"rows": 17,' '"after": {'; do
    test_that "result.json has $key" grep -qF "$key" "$folder/a/result.json"
done
test_that 'a line a step' lines a '^{"step":[0-9]*,"epoch":.*,"loss":.*,"learning_rate":.*,"grad_norm":.*,"tokens_per_second":' 10
test_that 'a line an evaluation' lines a '^{"step":[0-9]*,"eval_loss":.*,"eval_accuracy":' 2
run predict --quiet --model "$source" --adapter "$folder/a/adapter" --input "$source/eval.jsonl" --output -
test_that "predictions.jsonl is predict's" test "$(sed 's/.*"label": \("[a-z]*"\), "logits.*/\1/' "$folder/out")" = \
    "$(sed 's/.*"prediction": \("[a-z]*"\).*/\1/' "$folder/a/predictions.jsonl")"

# ---- the same run, the same bits; dropout and shuffling are on
train b
test_that 'the same seed gives the same bits' same a b
train c --set seed=43
test_that 'another seed does not' differs a c
run train "$folder/a/config.resolved.yaml" --quiet --output-dir "$folder/d"
test_that 'config.resolved.yaml is the same run' same a d
train e --set gemm=tiled --set max_steps=1
test_that 'another GEMM family trains' test "$status" = 0

# ---- masks that move
train m --set sparse.method=dynamic --set sparse.interval=4
test_that 'dynamic: a line at each new mask' lines m \
    '^{"step":[48],"mask_kept":[0-9]*,"mask_dropped":[0-9]*,"mask_added":[0-9]*,"mask_touched":[0-9]*,"mask_size":480}$' 2
test_that 'its mask moves' lines m '"mask_added":0,' 0
run eval "$config" --quiet --adapter "$folder/m/adapter" --json
test_that 'its adapter gives the same loss' grep -qF "\"loss\": $(tail -n 1 "$folder/m/metrics.jsonl" | sed 's/.*"eval_loss":\([0-9.]*\).*/\1/')," \
    "$folder/out"
run train "$config" --output-dir "$folder/m" --set sparse.method=dynamic --set sparse.interval=10
test_that 'an interval as long as the run is warned of' grep -qF 'the mask will not move: sparse.interval is 10' "$folder/err"
run train "$config" --output-dir "$folder/m" --set sparse.method=spiel --set max_steps=5
test_that 'so is a run that ends before the first reselection' grep -qF 'sparse.selection_accumulation_steps is 5' "$folder/err"
run train "$config" --output-dir "$folder/m" --set sparse.method=spiel --set sparse.initial_replacement=1e-4
test_that 'and a share that rounds to no entry' \
    grep -qF 'after the first reselection, which replaces all, the mask will not move: sparse.initial_replacement 0.0001 of at most' "$folder/err"
run train "$config" --output-dir "$folder/m" --set sparse.method=spiel --set sparse.initial_replacement=1e-4 --set sparse.replacement_schedule=cosine
test_that '  which cosine has none of' grep -qF 'warning: the mask will not move: sparse.initial_replacement 0.0001' "$folder/err"
train m --set sparse.method=spiel --set sparse.growth=ma --set sparse.reselection_steps=4 --set sparse.selection_accumulation_steps=1
test_that 'spiel: a line at each reselection' lines m '^{"step":[159],"mask_kept"' 3
test_that 'the adapter names the method' grep -q '"method": "spiel"' "$folder/m/adapter/adapter.json"

# ---- micro-batches add up to the batch
exact='--set shuffle=false --set dropout=0 --set max_train_samples=36 --set num_train_epochs=1'
# shellcheck disable=SC2086 # a list of words
train whole $exact --set per_device_train_batch_size=12 --set sparse.metric=magnitude
# shellcheck disable=SC2086
train parts $exact --set per_device_train_batch_size=6 --set gradient_accumulation_steps=2 --set sparse.metric=magnitude
for step in 1 2 3; do
    test_that "step $step of accumulated gradients: loss" near "$(value whole $step loss)" "$(value parts $step loss)"
    test_that "step $step of accumulated gradients: norm" near "$(value whole $step grad_norm)" "$(value parts $step grad_norm)"
done

# ---- evaluation in between, max_steps, plain lines
train f --set eval_strategy=steps --set eval_steps=3 --set max_steps=7
test_that 'evaluations at 0, 3, 6 and 7' lines f eval_loss 4
test_that 'seven steps' lines f grad_norm 7
run train "$config" --set max_steps=2 --output-dir "$folder/g"
test_that 'progress is plain lines where there is no terminal' grep -q '^train 2/2 ' "$folder/err"
test_that 'without control characters' sh -c "! grep -q '[[:cntrl:]]' '$folder/err'"
if TERM=xterm script -qec true /dev/null >/dev/null 2>&1; then
    TERM=xterm script -qec "./speft-cl train '$config' --set max_steps=200 --output-dir '$folder/terminal'" /dev/null \
        >"$folder/out" 2>"$folder/err" </dev/null
    test_that 'on a terminal it is one line' test "$(grep -c 'train [0-9]*/200 ' "$folder/out")" = 1
    test_that '  that is written over' grep -q "$(printf '\r')train [0-9]*/200  loss .* tokens/s  .* left" "$folder/out"
fi

# ---- eval and predict
run eval "$config" --quiet --adapter "$folder/a/adapter" --json
last=$(grep eval_loss "$folder/a/metrics.jsonl" | tail -n 1 | sed 's/.*"eval_loss":\([-0-9.e]*\).*/\1/')
test_that 'eval gives the loss that training ended with' grep -qF "\"loss\": $last" "$folder/out"
run predict --quiet --model "$source" --adapter "$folder/a/adapter" --input "$source/eval.jsonl" --output -
test_that 'predict gives a line a row' test "$(grep -c '^{"label": "[a-z]*", "logits": \[-*[0-9.e-]*, -*[0-9.e-]*\]}$' "$folder/out")" = 17
cp "$folder/out" "$folder/stdout"
run predict --quiet --model "$source" --adapter "$folder/a/adapter" --input "$source/eval.jsonl" --output "$folder/p.jsonl"
test_that 'and the same to a file' cmp -s "$folder/stdout" "$folder/p.jsonl"
run predict --quiet --model "$source" --adapter "$folder/a/adapter" --input "$source/eval.jsonl" --output /dev/full
test_that 'a device that takes nothing' fails_with 1 '/dev/full'
test_that '  is still a device' test -c /dev/full
run predict --quiet --model "$source" --input "$source/eval.jsonl" --output -
test_that "the model's own head needs no adapter" test "$(grep -c logits "$folder/out")" = 17

# ---- a head of other labels is a new one
sed 's/"accepted"/"yes"/; s/"rejected"/"no"/' "$source/train.jsonl" >"$folder/train.jsonl"
run train "$config" --output-dir "$folder/h" --set max_steps=1 --set "train_file=$folder/train.jsonl" --set validation_file=null
test_that 'other labels make a new head' grep -q "the model's own head is replaced" "$folder/err"
test_that 'whose labels the adapter keeps' grep -q '"yes"' "$folder/h/adapter/adapter.json"

# ---- interrupted
start_long() {
    long=$1
    shift
    ./speft-cl train "$config" --set num_train_epochs=100000 --output-dir "$folder/$long" "$@" >"$folder/out" 2>"$folder/err" \
        </dev/null &
    pid=$!
}
wait_for_step() {
    for _ in $(seq 600); do
        grep -q "\"step\":$2,\"epoch\"" "$folder/$1/metrics.jsonl" 2>/dev/null && break
        sleep 0.1
    done
}
# interrupt WHERE STEP [ARG]...: a long run that gets SIGINT when STEP has its line.
interrupt() {
    where=$1 step=$2
    shift 2
    start_long "$where" "$@"
    wait_for_step "$where" "$step"
    kill -INT $pid
    status=0
    wait $pid || status=$?
    test_that "$where: exit 130" test "$status" = 130
    test_that '  without a result' test ! -e "$folder/$where/result.json"
    test_that '  with a word about the adapter' grep -q "the adapter as of step [0-9]* is saved in $folder/$where/adapter" "$folder/err"
    run eval "$config" --quiet --adapter "$folder/$where/adapter"
    test_that '  which is whole' test "$status" = 0
}
interrupt interrupted-in-a-step 3
for _ in $(seq 200); do cat "$source/eval.jsonl"; done >"$folder/long.jsonl"
interrupt interrupted-in-an-evaluation 1 --set "validation_file=$folder/long.jsonl" --set per_device_eval_batch_size=1 \
    --set eval_strategy=steps --set eval_steps=1

# ---- killed in the last evaluation: what was trained is on disk, and no result
gone() { ! [ -e "$1" ]; }
./speft-cl train "$config" --set max_steps=1 --set "validation_file=$folder/long.jsonl" --set per_device_eval_batch_size=1 \
    --output-dir "$folder/killed" >"$folder/out" 2>"$folder/err" </dev/null &
pid=$!
waiting=$folder/killed/adapter.unevaluated
for _ in $(seq 600); do
    [ -e "$waiting" ] && break
    sleep 0.1
done
kill -KILL $pid
wait $pid || true
test_that 'killed in the last evaluation: no adapter' gone "$folder/killed/adapter"
test_that '  and no result' gone "$folder/killed/result.json"
test_that '  the log says where it is' grep -qF "step 1: what was trained is in $waiting until it is evaluated" "$folder/err"
mkdir -p "$folder/closed"
mkdir -m 700 "$folder/closed/adapter"
./speft-cl train "$config" --set max_steps=1 --set "validation_file=$folder/long.jsonl" --set per_device_eval_batch_size=1 \
    --output-dir "$folder/closed" >"$folder/out" 2>&1 </dev/null &
pid=$!
for _ in $(seq 600); do
    [ -e "$folder/closed/adapter.unevaluated" ] && break
    sleep 0.1
done
kill -KILL $pid
wait $pid || true
test_that '  as closed as the adapter before it' test -e "$folder/closed/adapter.unevaluated/adapter.json" -a \
    -z "$(find "$folder/closed/adapter.unevaluated" -perm /077)"
run eval "$config" --quiet --adapter "$folder/killed"
test_that '  and so does its folder, given as an adapter' fails_with 1 "what it had trained is $waiting: give that"
run eval "$config" --quiet --adapter "$folder/killed/adapter/"
test_that '  and the name that it would have' fails_with 1 "what it had trained is $waiting: give that"
run eval "$config" --quiet --adapter "$waiting" --json
cp "$folder/out" "$folder/of-the-killed"
train not-killed --set max_steps=1 --set "validation_file=$folder/long.jsonl"
test_that 'a run that is not killed leaves nothing there' gone "$folder/not-killed/adapter.unevaluated"
run eval "$config" --quiet --adapter "$folder/not-killed/adapter" --json
test_that '  and what the killed one trained is whole' cmp -s "$folder/out" "$folder/of-the-killed"
run train "$config" --set max_steps=1 --output-dir "$folder/killed"
test_that 'the next run says what is there' grep -qF "warning: $waiting is what an earlier run had trained when it was killed" "$folder/err"
test_that '  and puts its own in the place' test "$status" = 0 -a ! -e "$waiting" -a -e "$folder/killed/adapter"

# ---- a file that can be written no further, between two steps
status=0
(trap '' XFSZ && ulimit -f 64 && exec ./speft-cl train "$config" --quiet --set max_steps=2000 --output-dir "$folder/too-large") \
    >"$folder/out" 2>"$folder/err" </dev/null || status=$?
test_that 'a metrics.jsonl that is too large ends the run' fails_with 1 "cannot write $folder/too-large/metrics.jsonl: File too large"
test_that '  and takes not what was trained' grep -q "the adapter as of step [0-9]* is saved in $folder/too-large/adapter: cannot" "$folder/err"
run eval "$config" --quiet --adapter "$folder/too-large/adapter"
test_that '  which is whole' test "$status" = 0

# ---- and after the last step, when the adapter is there already
awk '{ line[NR] = $0 } END { for (i = 0; i < 100; i++) for (k = 1; k <= NR; k++) print line[k] }' "$source/eval.jsonl" >"$folder/held-out.jsonl"
status=0
(trap '' XFSZ && ulimit -f 32 && exec ./speft-cl train "$config" --quiet --set max_steps=1 --set sparse.metric=magnitude \
    --set "validation_file=$folder/held-out.jsonl" --output-dir "$folder/too-many") >"$folder/out" 2>"$folder/err" </dev/null || status=$?
test_that 'predictions that cannot be written' fails_with 1 \
    "the adapter as of step 1 is saved in $folder/too-many/adapter: cannot write $folder/too-many/predictions.jsonl: File too large"
run eval "$config" --quiet --adapter "$folder/too-many/adapter"
test_that '  and it is' test "$status" = 0

# ---- the word of PEFT for all targets
train linear --set max_steps=1 --set sparse.metric=magnitude --set sparse.target_modules=all-linear
test_that 'all-linear is taken' test "$status" = 0
train by-name --set max_steps=1 --set sparse.metric=magnitude --set 'sparse.target_modules=[query, key, value, dense]'
test_that '  and means all linear layers but the head' same linear by-name

# ---- a model that is written to while it is trained: what was trained is kept
mkdir "$folder/model"
cp "$source"/*.json "$source"/vocab.txt "$source"/*.safetensors "$folder/model"
start_long written-to --set "model_name_or_path=$folder/model" --set sparse.score_cache=null
wait_for_step written-to 1
printf x | dd of="$folder/model/model.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
kill -INT $pid
status=0
wait $pid || status=$?
test_that 'a model that was written to meanwhile' grep -qF "$folder/model/model.safetensors was written to or touched while" \
    "$folder/err"
test_that '  ends as an interrupted run does' test "$status" = 130
test_that '  the adapter is there' test -e "$folder/written-to/adapter/adapter.safetensors"
run eval "$config" --quiet --adapter "$folder/written-to/adapter"
test_that '  but not for any model' fails_with 1 'its base is "'"$folder/model"'" with the checksum unknown'
finish
