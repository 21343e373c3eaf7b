#!/bin/sh
# The tokenizer beside Python's tokenizers package: tests/tools/tokenizer_diff.py, which prints the TAP.
# Python is $SPEFT_PYTHON, else python3; without the package this is a skip. $SPEFT_TEST_MODEL adds a model directory.
set -eu
python=${SPEFT_PYTHON:-python3}
if ! "$python" -c 'import tokenizers' 2>/dev/null; then
    echo "1..0 # SKIP $python has no tokenizers package; SPEFT_PYTHON names one that has"
    exit 0
fi
exec "$python" "${srcdir:-.}/tests/tools/tokenizer_diff.py" ./speft-cl tests/unit/test_text ${SPEFT_TEST_MODEL:+"$SPEFT_TEST_MODEL"}
