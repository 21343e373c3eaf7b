#!/bin/sh
# What the program does with files that others have, cut short, or put in its way: locks, places that cannot be written, what killed
# processes leave, models that shrink, and homes that PoCL cannot use.
. "${srcdir:-.}/tests/cli/tap.sh"
source=${srcdir:-.}/tests/data/reference/binary
config=$folder/run.yaml
cat >"$config" <<END
model_name_or_path: $source
train_file: $source/train.jsonl
validation_file: $source/eval.jsonl
max_seq_length: 40
per_device_train_batch_size: 9
max_steps: 2
logging_steps: 1
sparse:
  metric: magnitude
  rank_equivalent: 2
END

# train NAME [ARG]...: a run into $folder/NAME.
train() {
    name=$1
    shift
    run train "$config" --quiet --output-dir "$folder/$name" "$@"
}
not() { ! "$@"; }
gone() { ! [ -e "$1" ]; }
whole() { run eval "$config" --quiet --adapter "$folder/$1/adapter" && [ "$status" = 0 ]; }

# start NAME: a long run into $folder/NAME, at work; its number is in $pid.
start() {
    ./speft-cl train "$config" --quiet --set max_steps=1000000 --output-dir "$folder/$1" >/dev/null 2>"$folder/first" </dev/null &
    pid=$!
    for _ in $(seq 600); do
        grep -q '"step":1,"epoch"' "$folder/$1/metrics.jsonl" 2>/dev/null && break
        sleep 0.1
    done
}

# ---- two runs into one folder
start both
before=$(cksum <"$folder/both/config.resolved.yaml")
train both
test_that 'a second run is refused' fails_with 1 \
    "another speft-cl train is running in $folder/both (process $pid on host $(uname -n)): wait for its end, or give another --output-dir"
test_that "  and the first one's configuration is left alone" test "$before" = "$(cksum <"$folder/both/config.resolved.yaml")"
kill -KILL $pid
wait $pid || true
test_that '  as its numbers are' test "$(grep -cv '^{"step":[0-9]*,.*}$' "$folder/both/metrics.jsonl")" -le 1
train both
test_that 'a dead one blocks nobody' test "$status" = 0
test_that '  and the lock goes with the run' gone "$folder/both/train.lock"

# ---- a limit on the size of files
for _ in $(seq 20); do cat "$source/train.jsonl"; done >"$folder/lines"
status=0
(ulimit -f 4 && exec ./speft-cl tokenize --model "$source" --input "$folder/lines") >"$folder/ids" 2>"$folder/err" </dev/null || status=$?
test_that 'a file that may not grow is an error' test "$status" = 1
test_that '  and no sudden end' grep -q '^speft-cl: error: cannot write to standard output: File too large' "$folder/err"

# ---- few addresses; a sanitizer needs more of them
if (ulimit -v 300000 && ./speft-cl --version) >/dev/null 2>&1 && [ "${SPEFT_TEST_DRIVER:-}" = pocl ]; then
    status=0
    (ulimit -v 300000 && exec ./speft-cl devices) >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = 0 ] || # PoCL 6 makes do with it
        test_that 'a limit that leaves the driver no room is named' fails_with 1 'this process may use 292 MiB of addresses (ulimit -v)'
fi

# ---- an output folder that is removed while the run works
start removed
rm -r "$folder/removed"
kill $pid
status=0
wait $pid || status=$?
test_that 'a run whose folder is removed saves its adapter all the same' whole removed
test_that '  and says what is gone' grep -qF "$folder/removed/config.resolved.yaml is gone: it, or its folder, was removed or moved" "$folder/first"

# ---- a study keeps its hands off a run's folder in which somebody trains
cat >"$folder/study.yaml" <<END
output_dir: $folder/study
base: {model_name_or_path: $source, max_seq_length: 40, max_steps: 1}
data: {words: {train_file: $source/train.jsonl, validation_file: $source/eval.jsonl}}
methods: {random: {sparse: {metric: random}}}
budgets: {count: [50]}
learning_rates: [1e-3]
seeds: [1]
END
run study "$folder/study.yaml" --list
run_folder=$(sed -n "s|.* $folder/\(study/runs/.*\)|\1|p" "$folder/out")
start "$run_folder"
before=$(cksum <"$folder/$run_folder/config.resolved.yaml")
run study "$folder/study.yaml"
test_that 'a study stops at a folder in use' fails_with 1 "another speft-cl train is running in $folder/$run_folder (process $pid on host "
test_that '  and leaves it alone' test "$before" = "$(cksum <"$folder/$run_folder/config.resolved.yaml")" -a -d "/proc/$pid"
kill -KILL $pid
wait $pid || true

# ---- what killed processes left, here on another host
dead=99999999-1-00000001-0
mkdir "$folder/both/adapter.tmp-$dead" "$folder/both/adapter.tmp-99999999-2-00000001-0"
: >"$folder/both/adapter.tmp-$dead/adapter.safetensors"
: >"$folder/both/result.json.tmp-$dead"
touch -d 2001-01-01 "$folder/both/adapter.tmp-$dead" "$folder/both/result.json.tmp-$dead"
train both
test_that "a killed one's leavings are cleared away" test ! -e "$folder/both/adapter.tmp-$dead" -a ! -e "$folder/both/result.json.tmp-$dead"
test_that "  what may be a living one's is not" test -d "$folder/both/adapter.tmp-99999999-2-00000001-0"
rmdir "$folder/both/adapter.tmp-99999999-2-00000001-0"

# ---- and under the names that earlier versions gave: a folder whose number no process has, a file of mkstemp's letters and a day's age
sh -c : &
gone_pid=$!
wait $gone_pid
mkdir "$folder/both/adapter.tmp-$gone_pid-0" "$folder/both/adapter.tmp-99999999-3" "$folder/both/adapter.tmp-$$-0" "$folder/both/adapter.tmp-99999998-0"
: >"$folder/both/adapter.tmp-$gone_pid-0/adapter.safetensors.a1B2c3"
: >"$folder/both/adapter.tmp-$$-0/adapter.json"
: >"$folder/both/adapter.tmp-99999998-0/notes"
: >"$folder/both/adapter.tmp-99999998-0/adapter.json"
for name in hK3x9Q backup Backup 250101 hK3x9Q1 3f9a1c 3F9A1C; do : >"$folder/both/result.json.$name"; done
touch -d 2001-01-01 "$folder/both"/result.json.*
: >"$folder/both/result.json.hK3x9R"
train both
test_that "an earlier version's leavings are cleared away" test "$status" = 0 -a ! -e "$folder/both/adapter.tmp-$gone_pid-0" -a \
    ! -e "$folder/both/adapter.tmp-99999999-3" -a ! -e "$folder/both/result.json.hK3x9Q"
test_that "  not a living process's, nor with something else in them" test -e "$folder/both/adapter.tmp-$$-0/adapter.json" -a \
    -e "$folder/both/adapter.tmp-99999998-0/adapter.json"
test_that '  nor files that are new, or that a person may have named so' test \
    "$(find "$folder/both" -name 'result.json.*' | sed 's/.*json.//' | LC_ALL=C sort | tr '\n' ' ')" = \
    '250101 3F9A1C 3f9a1c Backup backup hK3x9Q1 hK3x9R '
rm -r "$folder/both"/adapter.tmp-* "$folder/both"/result.json.*

# ---- a user's own files of such names stay, byte for byte, where they are: in the folder of a run, the working folder, beside a file
# theirs: lists what is in $folder/mine, but for what a run leaves there
theirs() { (cd "$folder/mine" && find . -name '*-[0-9]*' | LC_ALL=C sort && find . -name '*-[0-9]*' -type f -exec cat {} +); }
mkdir "$folder/mine"
for name in paper.tmp-12345-1 "paper.tmp-$dead" t.csv.tmp-20230101-120000 t.csv.tmp-99999999-2 thesis.old-2023-1 result.old-99999-1 \
    "thesis.old-$dead" result.json.tmp-99999999-1; do
    printf '%s\n' "$name" >"$folder/mine/$name"
done
for name in checkpoints.tmp-54321-3 adapter.old-90210-2 adapter.tmp-20230101-120000 "checkpoints.old-$dead"; do
    mkdir "$folder/mine/$name"
    printf '%s\n' "$name" >"$folder/mine/$name/notes-1"
done
find "$folder/mine" -exec touch -d 2001-01-01 {} +
before=$(theirs)
train mine
test_that "a user's own files are no leavings" test "$status" = 0 -a "$before" = "$(theirs)"
test_that '  and take no names of their own accord' test ! -e "$folder/mine/thesis" -a ! -e "$folder/mine/result"
status=0
(program=$PWD/speft-cl && cp "$config" "$folder/mine/run.yaml" && cd "$folder/mine" &&
    sed "s|: \([^ /]*/tests/\)|: $(cd "$OLDPWD" && pwd -P)/\1|" run.yaml >here.yaml && "$program" train here.yaml --quiet --output-dir ./) \
    >"$folder/out" 2>"$folder/err" || status=$?
test_that '  nor in the working folder' test "$status" = 0 -a "$before" = "$(theirs)"
run predict --quiet --model "$source" --input "$source/eval.jsonl" --output "$folder/mine/t.csv"
test_that '  nor beside the file that predict writes' test "$status" = 0 -a "$before" = "$(theirs)"
run train "$config" --quiet --device nosuch --output-dir "$folder/mine"
test_that '  nor when a run fails' test "$status" != 0 -a "$before" = "$(theirs)"

# ---- an earlier run in a container's image: what lies in a layer below cannot be moved
if [ "$(id -u)" = 0 ] && mkdir "$folder/image" "$folder/above" "$folder/work" "$folder/merged" && unshare -m \
    mount -t overlay -o "redirect_dir=off,lowerdir=$folder/image,upperdir=$folder/above,workdir=$folder/work" none "$folder/merged" 2>/dev/null; then
    cp -r "$folder/both" "$folder/image/out"
    mkdir "$folder/image/out/adapter/mine"
    echo words >"$folder/image/out/adapter/mine/notes"
    status=0
    unshare -m sh -c 'mount -t overlay -o "redirect_dir=off,lowerdir=$1/image,upperdir=$1/above,workdir=$1/work" none "$1/merged" &&
        ./speft-cl train "$2" --quiet --output-dir "$1/merged/out" && ls "$1/merged/out" && cat "$1/merged/out/adapter/mine/notes" &&
        exec ./speft-cl eval "$2" --quiet --adapter "$1/merged/out/adapter"' sh "$folder" "$config" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    test_that "an adapter of a container's image is replaced" test "$status" = 0 -a -s "$folder/above/out/adapter/adapter.safetensors"
    test_that '  what else is in its folder stays' grep -qx words "$folder/out"
    test_that '  and nothing lies beside it' not grep -q '^adapter\.' "$folder/out"
fi

# ---- places that cannot be written are found before the first step, and nothing of an earlier run is taken
# refused NAME TEXT: a run into $folder/NAME ends with TEXT, without a step, and leaves an earlier result.
refused() {
    run train "$config" --output-dir "$folder/$1"
    [ "$status" = 1 ] && ! grep -q '^train ' "$folder/err" && grep -qF -e "$2" "$folder/err" && ! grep -qs grad_norm "$folder/$1/metrics.jsonl"
}
fails_at_pipe() { [ "$status" = 1 ] && grep -qF "cannot write $1: it is a pipe that nobody reads" "$folder/err"; }
for file in adapter predictions.jsonl result.json metrics.jsonl config.resolved.yaml; do
    mkdir "$folder/link-$file" "$folder/other-$file"
    ln -s nowhere "$folder/link-$file/$file"
    test_that "$file is a link to nothing" refused "link-$file" "$file"
    cp "$folder/both/result.json" "$folder/both/predictions.jsonl" "$folder/other-$file"
    rm -f "$folder/other-$file/$file"
    if [ "$file" = adapter ]; then : >"$folder/other-$file/$file"; else mkdir "$folder/other-$file/$file"; fi
    test_that "$file is of another kind" refused "other-$file" "$file"
    test_that '  an earlier result stays' test -e "$folder/other-$file/result.json" -a -e "$folder/other-$file/predictions.jsonl"
done
mkdir "$folder/linked"
ln -s ../both "$folder/linked/adapter.unevaluated"
test_that 'adapter.unevaluated is a link' refused linked "$folder/linked/adapter.unevaluated is a link"
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    # with_mounted FILE: a run into a folder of which the file is mounted by itself
    with_mounted() {
        rm -rf "$folder/mounted"
        mkdir "$folder/mounted"
        echo old >"$folder/mounted/$1"
        echo old >"$folder/of-mount"
        status=0
        unshare -m sh -c 'mount --bind "$1/of-mount" "$1/mounted/$2" && exec ./speft-cl train "$3" --quiet --output-dir "$1/mounted"' \
            sh "$folder" "$1" "$config" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    }
    with_mounted metrics.jsonl
    test_that 'a metrics.jsonl that is mounted is written' test "$status" = 0 -a "$(grep -c grad_norm "$folder/of-mount")" = 2
    with_mounted result.json
    test_that '  and a result.json is called what it is' fails_with 1 \
        "cannot replace $folder/mounted/result.json: the file is mounted by itself, so that no new one can take its place; mount its folder"
fi
for file in metrics.jsonl config.resolved.yaml result.json; do
    mkdir "$folder/pipe-$file"
    cp "$folder/both/predictions.jsonl" "$folder/pipe-$file"
    mkfifo "$folder/pipe-$file/$file"
    status=0
    timeout -s KILL 60 ./speft-cl train "$config" --output-dir "$folder/pipe-$file" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    test_that "$file is a pipe that nobody reads" fails_at_pipe "$folder/pipe-$file/$file"
    test_that '  an earlier result stays' test -s "$folder/pipe-$file/predictions.jsonl"
done
mkdir -p "$folder/entries/adapter/adapter.json/notes"
cp "$folder/both/result.json" "$folder/entries"
test_that 'an adapter that holds what a save could not replace' refused entries "$folder/entries/adapter/adapter.json is a folder"
test_that '  an earlier result stays' test -e "$folder/entries/result.json" -a "$(ls "$folder/entries" | wc -l)" = 2
: >"$folder/file"
test_that 'output_dir is a file\' refused file "a file of that name is in the way"
ln -s nowhere "$folder/dangling"
test_that 'output_dir is a link to nothing' refused dangling 'link to nothing'
run train "$config" --quiet --output-dir /proc/no/where
test_that 'output_dir cannot be made' fails_with 1 '/proc/no'
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    # mounted TYPE OPTIONS NAME: a run into $folder/both in which NAME is mounted; what even root cannot write
    mounted() {
        status=0
        unshare -m sh -c "mount $1 '$folder/both/$2' '$folder/both/$2' && mount -o remount,ro,bind '$folder/both/$2' 2>/dev/null
            exec ./speft-cl train '$config' --output-dir '$folder/both'" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
        [ "$status" = 1 ] && ! grep -q '^train ' "$folder/err" && grep -qF -e "$folder/both" "$folder/err"
    }
    test_that 'a read-only output_dir' mounted --bind .
    test_that 'a read-only adapter' mounted --bind adapter
    test_that 'a read-only result' mounted --bind result.json
    test_that '  takes nothing of the earlier run' test -s "$folder/both/predictions.jsonl" -a -s "$folder/both/result.json"
fi
run predict --quiet --model "$folder/no-model" --input "$source/eval.jsonl" --output "$folder/no/where"
test_that 'predict looks at its output first' fails_with 1 "cannot write $folder/no/where"
run mask "$config" --quiet --output "$folder/dangling"
test_that 'so does mask' fails_with 1 'a link to nowhere, which is not there'
run mask-compare "$folder/both/adapter" "$folder/both/adapter" --output "$folder/no/where.svg"
test_that 'and mask-compare' fails_with 1 "cannot write $folder/no/where.svg"

# ---- a model that becomes shorter while it is read: its vocabulary is a pipe, which the program reads when the weights are mapped
mkdir "$folder/model"
cp "$source"/*.json "$source"/*.safetensors "$folder/model"
rm -f "$folder/model/tokenizer.json"
mkfifo "$folder/model/vocab.txt"
cut() {
    cp "$source/model.safetensors" "$folder/model"
    { truncate -s "$1" "$folder/model/model.safetensors"; cat "$source/vocab.txt"; } >"$folder/model/vocab.txt" &
    run predict --quiet --model "$folder/model" --input "$source/eval.jsonl" --output -
    wait
    fails_with 1 "$2"
}
size=$(wc -c <"$source/model.safetensors")
test_that 'a model that is cut short is named' cut 8192 "$folder/model/model.safetensors became shorter while it was read"
test_that '  by a few bytes, too' cut $((size - 8)) "$folder/model/model.safetensors was written to"

yes 'a good movie' | head -n 30000 >"$folder/lines"
{
    status=0
    ./speft-cl tokenize --model "$source" --input "$folder/lines" 2>"$folder/err" || status=$?
    echo $status >"$folder/status"
} | { sleep 0.3; echo more >>"$folder/lines"; cat >/dev/null; } # the pipe was full long before
status=$(cat "$folder/status")
test_that 'a file to tokenize that is written to' fails_with 1 "$folder/lines was written to while it was read"

# ---- PoCL's own folder
if grep -q pocl "${OCL_ICD_VENDORS:-/nonexistent}/driver.icd" 2>/dev/null; then
    unset POCL_CACHE_DIR XDG_CACHE_HOME
    chmod 700 "$folder"
    # at_home HOME CACHE COMMAND...: with that home and that cache folder
    at_home() {
        home=$1 cache=$2
        shift 2
        status=0
        env HOME="$home" SPEFT_CACHE_DIR="$cache" TMPDIR="$folder/tmp" "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    }
    mkdir "$folder/tmp"
    at_home /proc "$folder/cache" ./speft-cl devices
    test_that 'a home that cannot be written has a device' test "$status" = 0
    test_that '  and says where PoCL has its files' grep -qF "PoCL's own folder is of no use (cannot make the folder /proc/.cache: " "$folder/err"
    test_that '  in our cache' grep -qF "): its compiled kernels are in $folder/cache/pocl" "$folder/err"
    at_home /proc /proc ./speft-cl devices
    test_that 'nor ours: the folder for temporary files' test "$status" = 0 -a -d "$folder/tmp/speft-cl-$(id -u)/pocl"
    rm -r "$folder/tmp/speft-cl-$(id -u)"
    mkdir -m 777 "$folder/tmp/speft-cl-$(id -u)"
    at_home /proc /proc ./speft-cl devices
    test_that "  but not one of everybody's" sh -c "grep -q 'its compiled kernels are in /' '$folder/err' && ! grep -qF '$folder/tmp' '$folder/err'"
    at_home /proc "$folder/cache" env POCL_CACHE_DIR=/proc/none ./speft-cl devices
    test_that "a folder that the user named is the user's matter" fails_with 1 'PoCL needs a folder that it can write to and load code from: cannot make the folder /proc/none'
    test_that '  and the message says what sets it' grep -qF 'Give it one with POCL_CACHE_DIR' "$folder/err"
    at_home "$folder/home" "$folder/cache" ./speft-cl devices
    test_that 'nothing is said of a home that is fine' prints 'Portable Computing Language'
    at_home "$folder/home2" "$folder/cache" env POCL_CACHE_DIR= ./speft-cl devices
    test_that '  nor when the folder named is an empty one' prints 'Portable Computing Language'
    at_home /proc "$folder/cache" env POCL_CACHE_DIR= ./speft-cl devices
    test_that '  which names none' test "$status" = 0
    mkdir -m 1777 "$folder/sticky"
    at_home "$folder/home" "$folder/cache" env XDG_CACHE_HOME="$folder/sticky/new//" ./speft-cl devices
    test_that '  nor of a new one in a folder for temporary files' prints 'Portable Computing Language'
    test_that '    which is made for the user alone' test -n "$(find "$folder/sticky/new" -prune -perm 700)"
    ln -s nowhere "$folder/dangling-home"
    at_home "$folder/dangling-home" "$folder/cache" ./speft-cl devices
    test_that 'a home that is a link to nothing is of no use' grep -qF "): its compiled kernels are in $folder/cache/pocl" "$folder/err"
    mkdir "$folder/home3"
    at_home "$folder/home3" "$folder/cache4" env OCL_ICD_VENDORS=/nonexistent ./speft-cl devices
    test_that 'where there is no PoCL no folder is made for it' test -z "$(find "$folder/home3" -mindepth 1)"
    if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
        # in_root COMMAND...: with a "/" that holds what the real one does, and in which root writes as it likes
        in_root() {
            mkdir -p "$folder/root"
            at_home /new-home "$folder/cache" unshare -m sh -c 'root=$1 && shift && mount -t tmpfs -o mode=755 none "$root" && for at in /*; do
                    if [ -h "$at" ]; then cp -P "$at" "$root/"; elif [ -d "$at" ]; then mkdir "$root$at" && mount --rbind "$at" "$root$at"; fi
                done && exec chroot "$root" sh -c "cd \"\$0\" && exec \"\$@\"" "$PWD" "$@"' sh "$folder/root" "$@"
        }
        in_root test -x ./speft-cl
        if [ "$status" = 0 ]; then
            in_root ./speft-cl devices
            test_that 'nothing is said of a home that is yet to be made in /' prints 'Portable Computing Language'
            in_root env XDG_CACHE_HOME=/new ./speft-cl devices
            test_that '  nor of such a cache folder' prints 'Portable Computing Language'
        fi
        case $PWD:$OCL_ICD_VENDORS in
        /tmp/* | *:/tmp/*) ;;
        *)
            at_home "$folder" "$folder/cache" unshare -m sh -c 'mount -t tmpfs -o mode=1777 none /tmp &&
                env -u HOME -u TMPDIR ./speft-cl devices && [ ! -e /tmp/pocl ]'
            test_that 'without a home no folder of all users is taken' test "$status" = 0
            test_that '  and it is said why' grep -qF "PoCL's own folder is of no use (cannot make the folder /tmp/pocl: /tmp can be written by everybody" "$folder/err"
            planted='mount -t tmpfs -o mode=1777 none /tmp && mount -t tmpfs -o mode=1777 none /dev/shm && unset TMPDIR &&
                mkdir -m 777 "/tmp/speft-cl-$(id -u)" "/dev/shm/speft-cl-$(id -u)"'
            at_home /proc /proc unshare -m sh -c "$planted"' && ./speft-cl devices && ls /tmp'
            test_that 'nor is one that another user made under our name' test "$status" = 0
            test_that '  but a new one' grep -qE 'compiled kernels are in /tmp/speft-cl-pocl\.tmp-[-0-9a-f]+, for this run alone; name' "$folder/err"
            test_that '    which is gone after the run' not grep -q 'speft-cl-pocl' "$folder/out"
            # killed at work; another user's bears the same process's name
            at_home /proc /proc unshare -m sh -c "$planted"' && { ./speft-cl devices >/dev/null & } && pid=$! &&
                while kill -0 $pid && [ -z "$(find /tmp/speft-cl-pocl.tmp-* -mindepth 2 2>/dev/null)" ]; do sleep 0.05; done
                kill -9 $pid; wait $pid; left=$(ls -d /tmp/speft-cl-pocl.tmp-*) && mkdir "${left%0}1" && chown 65534 "${left%0}1" &&
                ls -d /tmp/speft-cl-pocl.tmp-* && ./speft-cl devices >/dev/null && ls -d /tmp/speft-cl-pocl.tmp-*'
            test_that '    or, where that was killed, after the next' test "$(grep -c '^/tmp/speft-cl-pocl.*-0$' "$folder/out")" = 1
            test_that "    but not another user's" test "$(grep -c '^/tmp/speft-cl-pocl.*-1$' "$folder/out")" = 2
            ;;
        esac
        mkdir "$folder/full"
        at_home "$folder/full" "$folder/cache2" unshare -m sh -c "mount -t tmpfs -o mode=700,size=100k none '$folder/full'
            head -c 200k /dev/zero >'$folder/full/all' 2>/dev/null; exec ./speft-cl predict --model '$source' --input '$source/eval.jsonl' --output -"
        test_that 'a home on a full disk is no matter' test "$status" = 0
        test_that '  and says why' grep -q "PoCL's own folder is of no use (.*No space left on device)" "$folder/err"
        at_home "$folder/full" "$folder/cache2" unshare -m sh -c "mount -t tmpfs -o mode=700,size=8m none '$folder/full'; exec ./speft-cl devices"
        test_that '  nor one on a disk that is nearly full' grep -q "PoCL's own folder is of no use (.*: the disk is full)" "$folder/err"
        at_home "$folder/full" "$folder/cache2" unshare -m sh -c "mount -t tmpfs -o mode=700,noexec none '$folder/full'
            exec ./speft-cl predict --model '$source' --input '$source/eval.jsonl' --output -"
        test_that '  nor one from which nothing is run' test "$status" = 0
        test_that '    and says why' grep -qF "PoCL's own folder is of no use ($folder/full is mounted noexec)" "$folder/err"
        for cache in cache2 cache5; do # programs that are there, and programs that are not
            at_home "$folder" "$folder/$cache" unshare -m sh -c "mount -t tmpfs -o mode=700,noexec none '$folder/full'
                POCL_CACHE_DIR='$folder/full' exec ./speft-cl predict --model '$source' --input '$source/eval.jsonl' --output -"
            test_that "one that the user chose ends the run kindly ($cache)" test "$status" = 1
            test_that '  and the driver is named' grep -q '^speft-cl: error: .*mounted noexec' "$folder/err"
        done
        at_home "$folder" "$folder/cache3" unshare -m sh -c "mount -t tmpfs -o mode=700,size=100k none '$folder/full'
            head -c 200k /dev/zero >'$folder/full/all' 2>/dev/null
            POCL_CACHE_DIR='$folder/full' exec ./speft-cl predict --model '$source' --input '$source/eval.jsonl' --output -"
        test_that 'one that the user chose is named' grep -q "PoCL needs a folder that it can write to and load code from: .*$folder/full.*POCL_CACHE_DIR" "$folder/err"
        test_that '  and ends the run kindly' test "$status" = 1
        # a cache folder that keeps nothing: one word on it, and no promise
        for kind in size=100k ro; do
            mkdir "$folder/cache-$kind"
            if [ $kind = ro ]; then work="predict --model $source --input $source/eval.jsonl --output -"; else work="train $config --output-dir $folder/kept"; fi
            at_home "$folder/home" "$folder/cache-$kind" unshare -m sh -c "mount -t tmpfs -o mode=700,$kind none '$folder/cache-$kind'
                exec ./speft-cl $work"
            test_that "a cache folder mounted $kind is no matter" test "$status" = 0
            test_that '  is told of once' test "$(grep -c 'compiled programs are not kept' "$folder/err")" = 1
            test_that '  and the next run is promised nothing' not grep -q 'finds them in the cache' "$folder/err"
        done
        chmod 755 "$folder"
        if setpriv --reuid=65534 --regid=65534 --clear-groups test -x ./speft-cl 2>/dev/null; then
            mkdir -m 777 "$folder/nobody"
            cp -r "$OCL_ICD_VENDORS" "$folder/icd"
            chmod -R go+rX "$folder/icd"
            at_home /nonexistent /nonexistent env TMPDIR="$folder/nobody" OCL_ICD_VENDORS="$folder/icd" setpriv --reuid=65534 --regid=65534 --clear-groups ./speft-cl devices
            test_that 'a user without a home has a device' test "$status" = 0
            mkdir -m 700 "$folder/own"
            chown 101:104 "$folder/own"
            # as_mapped COMMAND...: as a user of a namespace in which root is not, so that / is nobody's
            ids='--map-user=101 --map-group=104'
            as_mapped() {
                # shellcheck disable=SC2086
                at_home "$folder/own" "$folder/own/cache" env OCL_ICD_VENDORS="$folder/icd" setpriv --reuid=101 --regid=104 --clear-groups \
                    unshare -U $ids "$@"
            }
            as_mapped test -x ./speft-cl
            if [ "$status" = 0 ]; then
                as_mapped ./speft-cl devices
                test_that '  nor is one without root' prints 'Portable Computing Language'
                ids=--map-root-user
                as_mapped ./speft-cl devices
                test_that '  nor is one with another root than the system has' prints 'Portable Computing Language'
            fi
        fi
    fi
fi
finish
