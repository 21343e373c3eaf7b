#!/bin/sh
# Drivers that crash, hang or end the process where they are asked for their devices, or in a run (tests/support/fake_cl.c): no command
# waits for ever, or ends as if its work were done, and the driver is named.
. "${srcdir:-.}/tests/cli/tap.sh"

if [ ! -f "${OCL_ICD_VENDORS:-}/driver.icd" ]; then
    printf '1..0 # SKIP no driver to stand in front of\n'
    exit 0
fi
FAKE_CL_LIBRARY=$(head -n 1 "$OCL_ICD_VENDORS/driver.icd")
mkdir "$folder/icd" "$folder/tmp"
TMPDIR=$folder/tmp
export TMPDIR
cp "$OCL_ICD_VENDORS/driver.icd" "$folder/icd/sane.icd"
printf '%s\n' "$PWD/tests/support/fake_cl.so" >"$folder/icd/mad.icd"
OCL_ICD_VENDORS=$folder/icd
FAKE_CL_PROCESS=
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0 # a crash is to be one in sanitized processes, too
export OCL_ICD_VENDORS FAKE_CL_LIBRARY FAKE_CL_KERNEL FAKE_CL_MODE FAKE_CL_PROCESS SPEFT_DRIVER_TIMEOUT ASAN_OPTIONS

says() { grep -qF -e "$1" "$folder/err"; }
names_both() { [ "$status" = 1 ] && says "speft-cl: error: one of the OpenCL drivers $folder/icd/mad.icd, $folder/icd/sane.icd $1; speft-cl doctor"; }
finds() { [ "$status" = 1 ] && grep -qF -e "   WRONG   $folder/icd/mad.icd: $1" "$folder/out" && says "$folder/icd/mad.icd $1" && says OCL_ICD_VENDORS; }
clears() { grep -qxF -e "   good    $folder/icd/sane.icd" "$folder/out"; }
stops() { [ "$status" = 1 ] && says "$1" && [ ! -e "$folder/run/adapter" ]; }

model=${srcdir:-.}/tests/data/reference/binary
printf '{"model_name_or_path": "%s", "train_file": "%s/train.jsonl", "output_dir": "%s/run", "max_steps": 2, "max_seq_length": 40}\n' \
    "$model" "$model" "$folder" >"$folder/config.yaml"

# ---- one that does so where it is asked for its platforms is left out, and the others are used
FAKE_CL_KERNEL=clIcdGetPlatformIDsKHR
SPEFT_DRIVER_TIMEOUT=3
leaves_out() {
    [ "$status" = 0 ] && says "warning: the OpenCL driver $folder/icd/mad.icd is left out: $1" && [ "$(grep -c 'left out' "$folder/err")" = 1 ] &&
        [ $(($(date +%s) - began)) -lt 60 ] && [ -z "$(ls "$TMPDIR")" ]
}
for fault in 'hang:it has not listed its platforms after 3 seconds (SPEFT_DRIVER_TIMEOUT)' \
    'crash:it crashes (signal 11) when it is asked for its platforms' 'exit:it ends the process when it is asked for its platforms'; do
    FAKE_CL_MODE=${fault%%:*}
    began=$(date +%s)
    run devices
    test_that "a driver that does so when it is asked for its platforms ($FAKE_CL_MODE) is left out" leaves_out "${fault#*:}"
    test_that '  the devices of the other are listed, and it is named' \
        [ "$(grep -c -e '^0: ' -e "$folder/icd/mad.icd (${fault#*:})" "$folder/out")" = 2 ]
done
FAKE_CL_MODE=hang
began=$(date +%s)
run train "$folder/config.yaml"
test_that '  and train goes on, too' leaves_out 'it has not listed its platforms after 3 seconds'
test_that '  to its end' [ -e "$folder/run/adapter" ]
rm -rf "$folder/run"

# ---- what holds or ends the program afterwards
FAKE_CL_KERNEL=clGetDeviceIDs
FAKE_CL_MODE=hang
SPEFT_DRIVER_TIMEOUT=2
run devices
test_that 'a driver that hangs where the devices are listed ends any command' names_both 'has not listed its devices for 2 seconds (SPEFT_DRIVER_TIMEOUT)'
SPEFT_DRIVER_TIMEOUT=20
./speft-cl devices >"$folder/out" 2>"$folder/err" &
pid=$!
tries=0
while [ ! -s "$folder/err" ] && [ "$tries" -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
kill -9 "$pid"
wait "$pid" || true
test_that 'and before that a warning says what is waited for' says "mad.icd, $folder/icd/sane.icd has not listed its devices yet"
SPEFT_DRIVER_TIMEOUT=
run doctor --timeout 2
test_that 'doctor says which' finds 'has not listed its devices after 2 seconds (--timeout)'
test_that 'and which are good' clears
library=$PWD/tests/support/fake_cl.so
SPEFT_DRIVER_TIMEOUT=1
OCL_ICD_FILENAMES=$library run devices
test_that 'a library that OCL_ICD_FILENAMES names is named, too' says "$folder/icd/sane.icd, $library has not listed its devices"
test_that 'and how it goes' says 'Take it out of OCL_ICD_FILENAMES'
OCL_ICD_VENDORS=$library run devices
test_that 'so is one that OCL_ICD_VENDORS is' says "the OpenCL driver $library has not listed its devices"
SPEFT_DRIVER_TIMEOUT=
OCL_ICD_VENDORS=$library run doctor --timeout 2
test_that 'by doctor, too' says "the devices cannot be listed: $library has not listed"
rm "$folder/icd/sane.icd"
run doctor --timeout 2
test_that 'one that is alone, too' finds 'has not listed its devices after 2 seconds (--timeout)'

# child_of PID: the process that has it as its parent.
child_of() { cat /proc/[0-9]*/stat 2>/dev/null | sed 's/(.*)/-/' | awk -v parent="$1" '$4 == parent { print $1 }' | head -n 1; }
if [ -r /proc/self/stat ]; then
    ./speft-cl doctor --timeout 60 >"$folder/out" 2>"$folder/err" &
    pid=$!
    tries=0
    while worker=$(child_of "$pid") && [ -z "$worker" ] && [ "$tries" -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    sleep 0.5 # it is in the driver
    kill -9 "$pid"
    wait "$pid" || true
    tries=0
    while [ -n "$worker" ] && grep -q -e --doctor-worker "/proc/$worker/cmdline" 2>/dev/null && [ "$tries" -lt 50 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    test_that 'a doctor that is killed leaves no worker' [ -n "$worker" -a "$tries" -lt 50 ]
fi

printf '%s\n' "$FAKE_CL_LIBRARY" >"$folder/icd/sane.icd"
FAKE_CL_MODE=crash
run devices
test_that 'a driver that crashes there is named, too' names_both 'crashed while listing devices'
run doctor
test_that 'and found by doctor' finds 'crashes (signal 11)'
goes_on() { grep -qE '^0: ' "$folder/out" && grep -qE '^   verdict good: [1-9]' "$folder/out" && [ -z "$(ls -d "$TMPDIR"/speft-cl-doctor* 2>/dev/null)" ]; }
test_that "which then examines the others' devices" goes_on
# ---- one that hangs, and a user who does not wait
# stopped COMMAND...: it ends soon after a signal to it alone, as interrupted; no process of its own and no file is left.
stopped() {
    ./speft-cl "$@" >"$folder/out" 2>"$folder/err" &
    pid=$!
    tries=0
    while [ ! -e "$FAKE_CL_HANGS" ] && [ "$tries" -lt 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    hung=$(cat "$FAKE_CL_HANGS" 2>/dev/null) || hung=
    rm -f "$FAKE_CL_HANGS"
    began=$(date +%s)
    kill -s "$signal" "$pid"
    status=0
    wait "$pid" || status=$?
    took=$(($(date +%s) - began))
    [ -n "$hung" ] && [ "$status" = 130 ] && [ "$took" -lt 20 ] && ! kill -0 "$hung" 2>/dev/null && [ -z "$(ls "$TMPDIR")" ]
}
rm -rf "$TMPDIR"/*
FAKE_CL_MODE=hang
FAKE_CL_HANGS=$folder/hangs
export FAKE_CL_HANGS
for signal in INT TERM; do
    test_that "while doctor's worker lists the devices ($signal)" stopped doctor --timeout 100
    test_that "while the command itself lists them ($signal)" stopped devices
    test_that '  which says whom it waited for' says "interrupted; one of the OpenCL drivers $folder/icd/mad.icd, $folder/icd/sane.icd has not listed"
done
FAKE_CL_KERNEL=clBuildProgram
for process in '--devices-worker 0:devices' '--doctor-worker 0:doctor --timeout 100'; do
    FAKE_CL_PROCESS=${process%%:*}
    # shellcheck disable=SC2086
    SPEFT_CACHE_DIR=$folder/none test_that "while a worker is in a driver (${process#*:})" stopped ${process#*:}
done
FAKE_CL_PROCESS=
FAKE_CL_KERNEL=clGetDeviceIDs
unset FAKE_CL_HANGS
FAKE_CL_MODE=exit
run devices
test_that 'one that ends the process there is no success' names_both 'ended the program while listing devices'
run doctor
test_that 'nor for doctor' finds 'ends the process'
rm "$folder/icd/sane.icd"

# Runs.
mkdir -p "$folder/cache/programs"
cp -l "$SPEFT_CACHE_DIR"/programs/*.program "$folder/cache/programs" 2>/dev/null || true
SPEFT_CACHE_DIR=$folder/cache
export SPEFT_CACHE_DIR
FAKE_CL_MODE=exit
FAKE_CL_KERNEL=sddmm
run train "$folder/config.yaml"
test_that 'a driver that calls exit(0) in the self-test is no success' stops ') ended the program while running sddmm; try another device'
FAKE_CL_MODE=
run train "$folder/config.yaml"
test_that '(a run that is left alone is)' [ "$status" = 0 ]
rm -rf "$folder/run/adapter"
FAKE_CL_MODE=exit
run train "$folder/config.yaml"
test_that 'nor one that calls it in a step' stops ') ended the program while running sddmm; try another device'
run doctor --timeout 60
test_that 'nor for doctor' [ "$status" = 1 ]

# Of two devices of a driver, one whose kernels cannot be built, or run. (PoCL's two names for the CPU.)
if [ "${SPEFT_TEST_DRIVER:-}" = pocl ]; then
    lists_both() { [ "$status" = 0 ] && says "$1" && grep -q '^0: ' "$folder/out" && grep -q '^1: ' "$folder/out"; }
    tested() { [ "$(grep -c 'fp64 unknown' "$folder/out")" = 1 ] && [ "$(grep -c 'fp64 yes' "$folder/out")" = 1 ]; }
    judges_both() { [ "$(grep -c '^   verdict do not use it' "$folder/out")" = 1 ] && [ "$(grep -c '^   verdict good: ' "$folder/out")" = 1 ] && says '1 of 2 devices'; }
    POCL_DEVICES='basic pthread'
    export POCL_DEVICES
    FAKE_CL_MODE=hang
    SPEFT_DRIVER_TIMEOUT=10
    FAKE_CL_PROCESS='--devices-worker 0'
    for FAKE_CL_KERNEL in clBuildProgram probe; do
        run devices
        test_that "a device whose driver hangs ($FAKE_CL_KERNEL) keeps no other from the list" \
            lists_both 'has not built and run a few small kernels after 10 seconds (SPEFT_DRIVER_TIMEOUT)'
        test_that '  its features are unknown, those of the other known' tested
        test_that '  and before that it is said what is waited for' says 'waiting for the driver of '
    done
    FAKE_CL_MODE=crash
    run devices
    test_that 'one that crashes neither' lists_both 'crashes (signal 11) when it builds and runs'
    FAKE_CL_MODE=hang
    FAKE_CL_PROCESS='--doctor-worker 0'
    FAKE_CL_KERNEL=clBuildProgram
    SPEFT_CACHE_DIR=$folder/cold run doctor --device 0 --timeout 5
    test_that 'doctor says what it waits for, too' says 'waiting for device 0, '
    FAKE_CL_KERNEL=add
    run doctor --timeout 30
    test_that 'and judges the other device, too' judges_both
    unset POCL_DEVICES
fi

# Processes that compile, each of which lists the devices for itself.
trains_alone() { [ "$status" = 0 ] && [ -e "$folder/run/adapter" ] && says "$folder/icd/mad.icd $1" && says 'compiling without that; speft-cl doctor'; }
FAKE_CL_PROCESS=--build-worker
FAKE_CL_KERNEL=clIcdGetPlatformIDsKHR
SPEFT_DRIVER_TIMEOUT=2
for FAKE_CL_MODE in hang crash; do
    [ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ] || break # all is compiled in one process
    grep -lE -e 'sddmm|adamw' "$folder"/cache/programs/*.program | xargs rm -f
    rm -rf "$folder/run/adapter"
    if [ "$FAKE_CL_MODE" = hang ]; then
        words='has not listed its devices for 2 seconds (SPEFT_DRIVER_TIMEOUT) in a process'
    else
        words='crashed (signal 11) when it was asked for its devices by a process'
    fi
    run train "$folder/config.yaml"
    test_that "a driver that does so ($FAKE_CL_MODE) only in a process that compiles holds no training up" trains_alone "$words"
done
finish
