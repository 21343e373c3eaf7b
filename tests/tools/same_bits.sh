#!/bin/sh
# same_bits.sh OLD NEW [DRIVER]...: whether two builds of speft-cl do the same, bit for bit. Run it from the top of the source.
#
# OLD and NEW are programs; each runs a matrix of configurations on the reference models (BERT and RoBERTa, every method, the tasks, both
# optimizers, accumulation, dropout, every metric's mask, eval and predict with what was trained, a study of six runs) on every DRIVER (pocl
# and intel by default), and what they wrote and said is compared byte for byte: adapters, masks, predictions, metrics.jsonl, result.json,
# the resolved configuration, the study's report. Times, speeds and memory are left out. A run that ends with an error must end so in
# both, in the same words. Exit 0 when nothing differs; 1 otherwise, and the folder that holds both is named and kept.
set -eu
[ $# -ge 2 ] || { sed -n 's/^# //; 2,3p' "$0" >&2; exit 2; }
old=$(realpath "$1") new=$(realpath "$2")
shift 2
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/speft-same-bits-XXXXXX")
export SPEFT_INTEL_ROOT="${SPEFT_INTEL_ROOT:-$(sh "$source/tests/support/driver.sh" --kept)/venv}"
runs=0

# untimed FILE...: takes from FILE what no two runs have in common: times, speeds, memory, progress and compiling.
untimed() {
    sed -i -E "/^(train |speed: |peak memory: )|: (compiling|checking) [0-9]+ |^  *mask|: first step /d
        s/\"(tokens_per_second|[a-z_]*seconds|peak_memory|device_peak_memory)\": ?[0-9.e+-]+,?//g
        s/ in [0-9.]+ s$//
        s/ +[0-9]+ s +[0-9]+ MiB$//
        s/( [0-9]+ of [0-9]+ (\|[^|]*){4}).*/\1/
        s/( of [0-9]+<.td>(<td>[^<]*<.td>){4}).*/\1/
        s:$PWD/::g" "$@"
}

# speft NAME ARG...: runs the program; what it said and its exit status are in NAME.said.
speft() {
    name=$1
    shift
    runs=$((runs + 1))
    status=0
    sh "$source/tests/support/driver.sh" "$driver" "$program" "$@" >"$name.said" 2>&1 </dev/null || status=$?
    printf 'exit status %s\n' "$status" >>"$name.said"
}

configuration() {
    data=$source/tests/data/reference/$1
    cat <<END
model_name_or_path: $data
train_file: $data/train.jsonl
validation_file: $data/eval.jsonl
max_seq_length: 40
per_device_train_batch_size: 4
max_steps: 9
learning_rate: 0.01
logging_steps: 1
eval_strategy: steps
eval_steps: 4
sparse:
  rank_equivalent: 2
  scoring_examples: 22
END
}

# The options of each method; SpIEL's two growths are two.
method() {
    case $1 in
    static) echo sparse.method=static ;;
    dynamic) echo sparse.method=dynamic sparse.interval=3 ;;
    dynamic-revert) echo sparse.method=dynamic sparse.interval=3 sparse.on_drop=revert sparse.metric=fisher ;;
    spiel-ag) echo sparse.method=spiel sparse.reselection_steps=4 sparse.selection_accumulation_steps=2 sparse.metric=random ;;
    spiel-ma) echo sparse.method=spiel sparse.growth=ma sparse.reselection_steps=3 sparse.selection_accumulation_steps=1 \
        sparse.metric=random ;;
    full) echo sparse.method=full ;;
    head) echo sparse.method=head ;;
    esac
}

train() {
    name=$1
    shift
    set -- train "$task.yaml" --output-dir "$name" $(printf -- '--set %s ' "$@")
    speft "$name" "$@"
}

matrix() {
    for task in binary multiclass regression; do
        configuration $task >$task.yaml
        for m in static dynamic dynamic-revert spiel-ag spiel-ma full head; do
            for optimizer in adamw sm3; do
                [ $m-$optimizer != spiel-ma-adamw ] || continue
                run=$task-$m-$optimizer
                train $run $(method $m) optimizer=$optimizer
                train $run-accumulated $(method $m) optimizer=$optimizer gradient_accumulation_steps=3 weight_decay=0.1 dropout=0
            done
            data=$source/tests/data/reference/$task
            run=$task-$m-sm3
            speft $run-eval eval $task.yaml --adapter $run/adapter
            speft $run-predict predict --model "$data" --adapter $run/adapter --input "$data/eval.jsonl" --output $run.jsonl
        done
        for metric in $("$program" metrics | sed -n 's/^\([a-z_]*\):.*/\1/p'); do
            for scope in global tensor uniform_count; do
                speft $task-$metric-$scope mask $task.yaml --metric $metric --output $task-$metric-$scope.safetensors \
                    --set sparse.scope=$scope --set sparse.scoring_memory=1
            done
        done
        speft $task-compare mask-compare $task-gradient-global.safetensors $task-snip-global.safetensors
        train $task-smooth label_smoothing_factor=0.1 lr_scheduler_type=cosine warmup_steps=2 shuffle=false
        train $task-targets 'sparse.target_modules=[query,key,value,dense]' max_grad_norm=0.1
        train $task-new-head keep_head=false
        train $task-cached sparse.score_cache=scores
        train $task-cached-again sparse.score_cache=scores
    done
    task=roberta
    data=$source/tests/data/reference/$task
    configuration $task >$task.yaml
    for m in static dynamic full head; do
        train $task-$m $(method $m)
        speft $task-$m-predict predict --model "$data" --adapter $task-$m/adapter --input "$data/eval.jsonl" --output $task-$m.jsonl
    done
    speft $task-synflow mask $task.yaml --metric synflow --output $task-synflow.safetensors
    cat >study.yaml <<END
output_dir: study
data:
  two: [binary.yaml, {per_device_train_batch_size: 9}]
methods:
  random: {sparse: {metric: random}}
  gradient: {sparse: {metric: gradient}}
budgets: {count: [50]}
seeds: [1, 2, 3]
END
    speft study study study.yaml
    find . -type f ! -name '*.safetensors' >files
    while read -r file; do untimed "$file"; done <files
}

failed=0
for driver in ${@:-pocl intel}; do
    for build in old new; do
        eval "program=\$$build"
        mkdir -p "$work/$driver/$build"
        (SPEFT_CACHE_DIR=$work/$build-cache && export SPEFT_CACHE_DIR && mkdir -p -m 700 "$SPEFT_CACHE_DIR" && cd "$work/$driver/$build" && matrix && echo $runs >"$work/runs")
    done
    if diff -r "$work/$driver/old" "$work/$driver/new" >"$work/$driver/diff" 2>&1; then
        printf '%s: %s runs, %s files: the same bits\n' "$driver" "$(cat "$work/runs")" "$(find "$work/$driver/old" -type f | wc -l)"
    else
        failed=1
        printf '%s: %s runs: these differ:\n' "$driver" "$(cat "$work/runs")"
        sed -n 's/^\(Binary files\|Only in\|diff -r\)/  &/p' "$work/$driver/diff"
    fi
done
if [ "$failed" = 0 ]; then rm -rf "$work"; else echo "both are in $work"; fi
exit $failed
