#!/bin/sh
# speft-cl doctor on the driver at hand, on one that computes wrong numbers, crashes or hangs (tests/support/fake_cl.c), and without one;
# and training on such a driver.
. "${srcdir:-.}/tests/cli/tap.sh"

# has STATUS TEXT...: the last run ended so, and each text stands in its output.
has() {
    [ "$status" = "$1" ] || return 1
    shift
    for text in "$@"; do
        grep -qF -e "$text" "$folder/out" || return 1
    done
}

lacks() { ! grep -qF -e "$1" "$folder/out"; }
says() { grep -qF -e "$1" "$folder/err"; }
stops() { [ "$status" = 1 ] && says "$1"; }
untouched() { [ ! -e "$folder/run/adapter" ] && [ ! -s "$folder/run/metrics.jsonl" ]; }
at_least() { [ "$(grep -cE -e "$2" "$folder/out")" -ge "$1" ]; }

run doctor
test_that 'a good device: its verdict and its speed' has 0 '0: ' 'verdict good: ' ' cases agree with double precision' ' GFLOPS (' ' GB/s ('
test_that 'as numbers' grep -qE '^   speed   [0-9.e+-]+ GFLOPS' "$folder/out"
test_that 'and nothing wrong' lacks WRONG
run doctor --device 0
test_that 'a device by its number' has 0 'verdict good: '
run doctor --device 'no such device'
test_that 'one that is not there' fails_with 1 'no device matches "no such device"; there is 0: '
run doctor --help
test_that 'its help says what its exit status means' has 0 'Exit status: 0: ' 'an installed driver does not work'
run doctor --timeout soon
test_that 'a time that is none' fails_with 2 '--timeout is "soon"; it takes seconds'

if [ -f "${OCL_ICD_VENDORS:-}/driver.icd" ]; then
    FAKE_CL_LIBRARY=$(head -n 1 "$OCL_ICD_VENDORS/driver.icd")
    mkdir "$folder/icd"
    printf '%s\n' "$PWD/tests/support/fake_cl.so" >"$folder/icd/driver.icd"
    OCL_ICD_VENDORS=$folder/icd
    export OCL_ICD_VENDORS FAKE_CL_LIBRARY FAKE_CL_KERNEL FAKE_CL_MODE

    FAKE_CL_MODE=scale FAKE_CL_KERNEL=layernorm_backward
    run doctor
    test_that 'wrong numbers: the case, the number and the kernels' has 1 'WRONG   layernorm, case ' 'expected ' \
        'kernels: layernorm_forward layernorm_backward' 'verdict do not use it: '
    test_that 'and an error' says 'speft-cl: error: 1 of 1 device cannot be trusted'
    test_that 'in that op alone' [ "$(grep -c '^   WRONG' "$folder/out")" = "$(grep -c '^   WRONG   layernorm' "$folder/out")" ]
    test_that 'all else is measured all the same' has 1 ' GFLOPS (' ' GB/s ('

    FAKE_CL_MODE=skip FAKE_CL_KERNEL=clEnqueueFillBuffer
    run doctor
    test_that 'a fill that fills nothing' has 1 'WRONG   transfer, case fill 3: ' 'kernels: clEnqueueFillBuffer'
    FAKE_CL_KERNEL=clEnqueueCopyBuffer
    run doctor
    test_that 'a copy that copies nothing' has 1 'WRONG   transfer, case copy 3: ' 'kernels: clEnqueueCopyBuffer'
    FAKE_CL_KERNEL=clEnqueueMapBuffer
    run doctor
    test_that 'a mapping that shows something else' has 1 'WRONG   transfer, case map 3: ' 'kernels: clEnqueueMapBuffer'
    for name in clEnqueueReadBuffer clEnqueueWriteBuffer; do
        FAKE_CL_KERNEL=$name
        run doctor
        test_that "a driver whose $name does nothing" has 1 'WRONG   transfer, case write 3: ' 'do not use it'
    done

    FAKE_CL_MODE=crash FAKE_CL_KERNEL=add
    run doctor --all
    test_that 'a driver that crashes: with which case' has 1 'WRONG   add, 1: the driver crashed' 'WRONG   add, 17: the driver crashed' \
        ', and the rest was not tried'
    test_that 'and what came before it, line by line' at_least 15 '^   good    (activation|adamw), .*; kernels: [a-z_]+'

    FAKE_CL_MODE=hang FAKE_CL_KERNEL=column_sum
    run doctor --timeout 10
    test_that 'a driver that hangs' has 1 'WRONG   column_sum, 1x1: not done after 10 seconds (--timeout)' \
        'do not use it: 1 of ' ', and the rest was not tried'

    # Binaries that other tests compiled, but no verdicts.
    mkdir -p "$folder/cache/programs"
    cp -l "$SPEFT_CACHE_DIR"/programs/*.program "$folder/cache/programs" 2>/dev/null || true
    SPEFT_CACHE_DIR=$folder/cache
    export SPEFT_CACHE_DIR
    FAKE_CL_MODE=skip FAKE_CL_KERNEL=sddmm
    model=${srcdir:-.}/tests/data/reference/binary
    printf '{"model_name_or_path": "%s", "train_file": "%s/train.jsonl", "output_dir": "%s/run", "max_steps": 2, "max_seq_length": 40}\n' \
        "$model" "$model" "$folder" >"$folder/config.yaml"
    run train "$folder/config.yaml"
    test_that 'training stops on it' stops 'computes wrong numbers: kernel sddmm ('
    test_that 'before its first step, with nothing saved' untouched
    FAKE_CL_MODE=fail
    run train "$folder/config.yaml"
    test_that 'and on one that reports an error' stops ') fails in the self-test: kernel sddmm ('
    test_that 'whose words are not of the batch' [ -z "$(grep -v ': memory: ' "$folder/err" | grep batch)" ]
    FAKE_CL_MODE=
    run train "$folder/config.yaml"
    test_that 'and goes on once it is right' [ -e "$folder/run/adapter/adapter.json" ]
    FAKE_CL_MODE=skip
    for command in "eval $folder/config.yaml --set validation_file=$model/eval.jsonl --adapter $folder/run/adapter" \
        "predict --model $model --adapter $folder/run/adapter --input $model/eval.jsonl --output -"; do
        rm -f "$folder"/cache/programs/*.checked
        FAKE_CL_KERNEL=embedding_forward
        # shellcheck disable=SC2086
        run $command
        test_that "${command%% *} stops on one too" stops 'computes wrong numbers: kernel embedding_forward ('
    done
    rm -f "$folder"/cache/programs/*.checked
    FAKE_CL_KERNEL=gemm_packed
    run mask "$folder/config.yaml" --metric snip --output "$folder/mask.safetensors"
    test_that 'mask stops on one too' stops 'computes wrong numbers: kernel gemm_packed ('
fi

OCL_ICD_VENDORS=/nonexistent
OCL_ICD_FILENAMES=
export OCL_ICD_VENDORS OCL_ICD_FILENAMES
run doctor
test_that 'without a driver: what to install' fails_with 1 'apt install pocl-opencl-icd'
finish
