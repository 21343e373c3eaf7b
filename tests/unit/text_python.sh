#!/bin/sh
# The tokenizer beside Python's tokenizers package: tests/tools/tokenizer_diff.py, which prints the TAP.
# Python is $SPEFT_PYTHON, else python3; without the package tests/support/python.sh ends it. $SPEFT_TEST_MODEL adds a model directory.
set -eu
. "${srcdir:-.}/tests/support/python.sh"
needs_python 'tokenizers'
exec "$python" "${srcdir:-.}/tests/tools/tokenizer_diff.py" ./speft-cl tests/unit/test_text ${SPEFT_TEST_MODEL:+"$SPEFT_TEST_MODEL"}
