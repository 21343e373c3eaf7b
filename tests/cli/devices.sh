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

run devices
test_that 'a device is listed, with its features tested' has '0: ' '[default]' 'platform ' 'driver ' 'memory ' \
    'largest allocation' 'compute units' 'fp16 ' 'fp64 ' 'sub-groups '
test_that 'every feature is known' grep -qE 'fp16 (yes|no), fp64 (yes|no), sub-groups (yes|no)$' "$folder/out"
if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ] && [ -f /etc/OpenCL/vendors/rusticl.icd ]; then
    driver=$OCL_ICD_VENDORS
    cp -r "$driver" "$folder/two"
    cp /etc/OpenCL/vendors/rusticl.icd "$folder/two"
    OCL_ICD_VENDORS=$folder/two RUSTICL_ENABLE='' run devices
    test_that 'a platform without a device is named' has 'platforms without a device: rusticl' 'RUSTICL_ENABLE'
fi
run devices --json
test_that '--json gives the same' has '"index": 0' '"name": ' '"platform": ' '"driver": ' '"global_memory": ' \
    '"max_allocation": ' '"compute_units": ' '"type": "' '"default": true'
test_that 'with the features as booleans' [ "$(grep -cE '"(fp16|fp64|subgroups)": (true|false)' "$folder/out")" -ge 3 ]

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
finish
