#!/bin/sh
# speft-cl devices: what it lists on the driver at hand, and what it says without one.
. "${srcdir:-.}/tests/cli/tap.sh"

# has TEXT...: each stands in the last run's output.
has() {
    [ "$status" = 0 ] || return 1
    for text in "$@"; do
        grep -qF -e "$text" "$folder/out" || return 1
    done
}

not() { ! "$@"; }

run devices
test_that 'a device is listed, with its features tested' has '0: ' '[default]' 'platform ' 'driver ' 'memory ' \
    'largest allocation' 'compute units' 'fp16 ' 'fp64 ' 'sub-groups '
test_that 'every feature is known' grep -qE 'fp16 (yes|no), fp64 (yes|no), sub-groups (yes|no)$' "$folder/out"
if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ] && [ -f /etc/OpenCL/vendors/rusticl.icd ]; then
    driver=$OCL_ICD_VENDORS
    cp -r "$driver" "$folder/two"
    cp /etc/OpenCL/vendors/rusticl.icd "$folder/two"
    OCL_ICD_VENDORS=$folder/two RUSTICL_ENABLE='' run devices
    test_that 'a driver without a device is named' has "drivers without a device: $folder/two/rusticl.icd (platform rusticl; " 'RUSTICL_ENABLE'
    test_that '  and nothing is said of hardware that it was not asked for' not grep -q '/dev/dri' "$folder/out"
fi
run devices --json
test_that '--json gives the same' has '"index": 0' '"name": ' '"platform": ' '"driver": ' '"global_memory": ' \
    '"max_allocation": ' '"compute_units": ' '"type": "' '"default": true'
test_that 'with the features as booleans' [ "$(grep -cE '"(fp16|fp64|subgroups)": (true|false)' "$folder/out")" -ge 3 ]

# A driver that is registered, but not there.
if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ]; then
    driver=$OCL_ICD_VENDORS
    mkdir "$folder/broken" "$folder/only"
    cp "$driver/driver.icd" "$folder/broken/a.icd"
    printf '/opt/none/libamdocl64.so\n' >"$folder/broken/b.icd"
    cp "$folder/broken/b.icd" "$folder/only"
    OCL_ICD_VENDORS=$folder/broken run devices
    test_that 'a driver whose library is not there is named' has "drivers that do not work: $folder/broken/b.icd (/opt/none/libamdocl64.so"
    OCL_ICD_VENDORS=$folder/only run devices
    test_that 'and with the error, where there is no other' fails_with 1 "$folder/only/b.icd (/opt/none/libamdocl64.so: cannot open"
    mkdir "$folder/windows"
    sed 's/$/\r/' "$driver/driver.icd" >"$folder/windows/a.icd"
    OCL_ICD_VENDORS=$folder/windows run devices
    test_that 'so is a file whose line ends as in Windows' fails_with 1 "$folder/windows/a.icd (its line ends as Windows' do"
    OCL_ICD_VENDORS=$folder/only/b.icd run devices
    test_that 'so is a single file' fails_with 1 "$folder/only/b.icd (/opt/none/libamdocl64.so: cannot open"
    OCL_ICD_VENDORS=$folder/broken run train "${srcdir:-.}/tests/cli/short.yaml" --device vendor:nvidia --output-dir "$folder/out.d" \
        --set "model_name_or_path=${srcdir:-.}/tests/data/reference/binary" \
        --set "train_file=${srcdir:-.}/tests/data/reference/binary/train.jsonl"
    test_that 'and where no device is the one that is asked for' fails_with 1 "its devices are not seen: $folder/broken/b.icd"
fi

# A driver that is there, and of no use.
if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ]; then
    # beside KIND LIBRARY: that as a driver, with a good one in $folder/KIND, and alone in $folder/KIND-only
    beside() {
        mkdir "$folder/$1" "$folder/$1-only"
        printf '%s\n' "$2" >"$folder/$1/a.icd"
        cp "$folder/$1/a.icd" "$folder/$1-only"
        cp "$OCL_ICD_VENDORS/driver.icd" "$folder/$1/b.icd"
    }
    unset CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES GPU_DEVICE_ORDINAL ZE_AFFINITY_MASK
    FAKE_CL_LIBRARY=$(head -n 1 "$OCL_ICD_VENDORS/driver.icd")
    export FAKE_CL_LIBRARY
    beside math libm.so.6
    beside lame "$PWD/tests/support/lame_cl.so"
    beside idle "$PWD/tests/support/fake_cl.so"
    FAKE_CL_KERNEL=clIcdGetPlatformIDsKHR
    FAKE_CL_MODE=none
    LAME_CL_CALLS=1
    export FAKE_CL_KERNEL FAKE_CL_MODE LAME_CL_CALLS
    lacks='it is no OpenCL driver: it has no clGetExtensionFunctionAddress'
    nowhere="$PWD/tests/support/lame_cl.so: undefined symbol: lame_cl_nowhere"
    nothing='it offers no platform: CL_PLATFORM_NOT_FOUND_KHR'
    for fault in "math:drivers that do not work:a driver could not be loaded:$lacks" \
        "lame:drivers that do not work:a driver could not be loaded:$nowhere" \
        "idle:drivers without a device:A driver that shows no device:$nothing"; do
        kind=${fault%%:*} fault=${fault#*:}
        line=${fault%%:*} fault=${fault#*:}
        words=${fault%%:*} reason=${fault#*:}
        OCL_ICD_VENDORS=$folder/$kind run devices
        test_that "a driver that is of no use ($kind) is named, and the others are listed" has '0: ' "$line: $folder/$kind/a.icd ($reason)"
        OCL_ICD_VENDORS=$folder/$kind-only run devices
        test_that '  with the error, where there is no other' fails_with 1 "$words: $folder/$kind-only/a.icd ($reason)"
        OCL_ICD_VENDORS=$folder/$kind run doctor
        test_that '  and by doctor' grep -qF -e "$line: $folder/$kind/a.icd ($reason)" "$folder/out"
        test_that '  which examines the others' grep -q '^   verdict good: ' "$folder/out"
        if [ "$kind" = idle ]; then expected=0; else expected=1; fi
        test_that "  and ends with $expected" test "$status:$(grep -c 'error: a driver that is installed does not work' "$folder/err")" = "$expected:$expected"
        OCL_ICD_VENDORS=$folder/$kind run doctor --device 0
        test_that '  but not where another device is asked about' test "$status" = 0
    done
    OCL_ICD_VENDORS=$folder/idle run devices
    test_that 'how it stands with the hardware is said' grep -qE 'drivers without a device: .*/dev/(dri|kfd|nvidia|dxg)' "$folder/out"
    CUDA_VISIBLE_DEVICES=none OCL_ICD_VENDORS=$folder/idle run devices
    test_that '  and what may hide devices' has "($nothing; CUDA_VISIBLE_DEVICES is \"none\", which says what it shows)"
    OCL_ICD_VENDORS=$folder/math run devices --json
    test_that 'with --json it is said aside' sh -c "grep -qF 'a.icd ($lacks)' '$folder/err' && ! grep -q a.icd '$folder/out'"
    unset LAME_CL_CALLS
    for fault in 'crash:it crashes (signal 11) as it is loaded' 'exit:it ends the process as it is loaded' \
        'hang:it is not loaded after 3 seconds (SPEFT_DRIVER_TIMEOUT)'; do
        limit=
        [ "${fault%%:*}" != hang ] || limit=3
        FAKE_CL_LOADED=${fault%%:*} SPEFT_DRIVER_TIMEOUT=$limit OCL_ICD_VENDORS=$folder/idle run devices
        test_that "one that ends or holds the process as it is loaded (${fault%%:*}) is named" has '0: ' "$folder/idle/a.icd (${fault#*:})"
    done
    OCL_ICD_VENDORS=$folder/lame-only run devices
    test_that 'a driver that lacks a function which is never called is used' has '0: '
    mkdir "$folder/tmp"
    LAME_CL_CALLS=1 TMPDIR=$folder/tmp OCL_ICD_VENDORS=$folder/lame run devices
    test_that 'nothing is left of what one was kept from the loader with' test -z "$(ls "$folder/tmp")"
fi

# The same driver named twice is one platform.
if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ]; then
    run devices
    grep -c '^[0-9]*: ' "$folder/out" >"$folder/once"
    mkdir "$folder/icd"
    cp "$OCL_ICD_VENDORS/driver.icd" "$folder/icd/a.icd"
    cp "$OCL_ICD_VENDORS/driver.icd" "$folder/icd/b.icd"
    OCL_ICD_VENDORS=$folder/icd
    run devices
    grep -c '^[0-9]*: ' "$folder/out" >"$folder/twice"
    test_that 'a driver that is installed twice is listed once' cmp -s "$folder/once" "$folder/twice"
fi

OCL_ICD_VENDORS=/nonexistent
OCL_ICD_FILENAMES=
export OCL_ICD_VENDORS OCL_ICD_FILENAMES
run devices
test_that 'without a driver: what to install' fails_with 1 'apt install pocl-opencl-icd'
# ---- .icd files that are none: a link to nothing, a folder, a pointer in place of the file, a pipe
mkdir "$folder/none" "$folder/none/b.icd" "$folder/pipe"
ln -s nowhere/a.icd "$folder/none/a.icd"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 30\n' >"$folder/none/c.icd"
OCL_ICD_VENDORS=$folder/none run devices
test_that 'an .icd file that is a link to nothing is named' fails_with 1 "cannot open $folder/none/a.icd: it is a link to nowhere/a.icd, which is not there"
test_that '  one that is a folder' fails_with 1 "cannot read $folder/none/b.icd: Is a directory"
test_that '  one that was not fetched' fails_with 1 "$folder/none/c.icd is a Git LFS pointer"
mkfifo "$folder/pipe/a.icd"
for command in devices doctor; do
    status=0
    OCL_ICD_VENDORS=$folder/pipe timeout -s KILL 60 ./speft-cl $command >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    test_that "one that is a pipe is not waited for ($command)" test "$status" = 1
    test_that '  and is named' grep -qF "error: $folder/pipe/a.icd is a pipe, which the OpenCL loader would wait for without end" "$folder/err"
done
mkdir "$folder/pipe2"
printf '%s\n' "$folder/pipe/a.icd" >"$folder/pipe2/a.icd"
status=0
OCL_ICD_VENDORS=$folder/pipe2 timeout -s KILL 60 ./speft-cl devices >"$folder/out" 2>"$folder/err" </dev/null || status=$?
test_that '  nor is a library that is one' fails_with 1 "$folder/pipe/a.icd is a pipe"

finish
