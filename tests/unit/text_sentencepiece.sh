#!/bin/sh
# SentencePiece's kinds beside Python's tokenizers package: tests/tools/sentencepiece_diff.py, as text_python.sh.
set -eu
. "${srcdir:-.}/tests/support/python.sh"
needs_python 'tokenizers'
exec "$python" "${srcdir:-.}/tests/tools/sentencepiece_diff.py" ./speft-cl tests/unit/test_text ${SPEFT_TEST_MODEL:+"$SPEFT_TEST_MODEL"}
