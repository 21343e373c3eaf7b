#!/bin/sh
# Tuned values through programs: odd ones give the same results, wrong ones end a run with their place.
. "${srcdir:-.}/tests/cli/tap.sh"
SPEFT_TUNING_FILE=$folder/x.tune
export SPEFT_TUNING_FILE

# So small that small cases have several blocks and tiles.
printf '%s\n' 'gemm_packed any DEPTH=16 ROWS=4 ROW_BLOCK=8' 'gemm_tiled any TK=4 TM=48 TN=16 WM=6 WN=1' >"$SPEFT_TUNING_FILE"
passes() {
    status=0
    ./tests/kernel/conformance --quick "$1" >"$folder/out" 2>"$folder/err" || status=$?
    test_that "$1 passes its cases $2" [ "$status" = 0 ]
}
passes gemm_packed 'with other values'
passes gemm_tiled 'with other values'

# The tile that devices with wider vectors than this one's may have.
printf '%s\n' 'gemm_packed any ROWS=12 WEIGHT_DEPTH=256' >"$SPEFT_TUNING_FILE"
passes gemm_packed 'with the register tile of AVX-512'

printf 'gemm_packed cpu ROWS=7\n' >"$SPEFT_TUNING_FILE"
printf '{"text": "a"}\n' >"$folder/rows.jsonl"
run predict --model "${srcdir:-.}/tests/data/reference/binary" --input "$folder/rows.jsonl" --output - --quiet
wrong_value() { [ "$status" = 1 ] && grep -qF "error: \$SPEFT_TUNING_FILE: $SPEFT_TUNING_FILE:1:22: ROWS cannot be '7'" "$folder/err"; }
test_that 'a wrong value is exit 1 and its place' wrong_value
finish
