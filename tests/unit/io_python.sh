#!/bin/sh
# safetensors files between this program and Python's safetensors package, both ways; each side reads what the other wrote.
# Python is $SPEFT_PYTHON, else python3; without the package (or numpy) tests/support/python.sh ends it.
set -eu
. "${srcdir:-.}/tests/support/python.sh"
needs_python 'numpy, safetensors.numpy'
folder=$(mktemp -d "${TMPDIR:-/tmp}/speft-io-XXXXXX")
trap 'rm -rf "$folder"' EXIT

say() { # NUMBER NAME: the verdict on the command before it
    if [ "$result" -eq 0 ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; fi
}

echo 1..2
result=0
tests/unit/test_io write "$folder/ours.safetensors" &&
    "$python" - "$folder/ours.safetensors" <<'PYTHON' || result=1
import sys
import numpy
from safetensors import safe_open

expected = {
    "flags": ("BOOL", [5], None),
    "z.weight": ("F32", [2, 3], [0, -1.5, 2, 3e-40, 5, 1e30]),
    "half": ("F16", [2], None),
    "a.indices": ("U32", [3], [0, 7, 4294967295]),
    "bhalf": ("BF16", [2], None),
    "scalar": ("F64", [], [0.1]),
    "empty": ("F32", [0, 4], []),
    '"q\\\u00e9': ("U8", [5], [1, 0, 1, 1, 0]),
}
with safe_open(sys.argv[1], "numpy") as file:
    assert file.metadata() == {"format": "pt"}, file.metadata()
    assert sorted(file.keys()) == sorted(expected), file.keys()
    for name, (dtype, shape, values) in expected.items():
        view = file.get_slice(name)
        assert (view.get_dtype(), view.get_shape()) == (dtype, shape), name
        if values is not None:
            got = file.get_tensor(name)
            assert (got.ravel() == numpy.array(values, got.dtype)).all(), (name, got)
PYTHON
say 1 "Python reads what we write"

result=0
cat >"$folder/expected" <<'LIST'
d F64 [] 0.100000001
h F16 [3] 1 65504 5.96046448e-08
i I64 [1, 3]
none I8 [0, 3]
w F32 [2, 2] 0.5 -1.5 2 2.99999784e-40
LIST
"$python" - "$folder/theirs.safetensors" <<'PYTHON' &&
import sys
import numpy
from safetensors.numpy import save_file

save_file({
    "w": numpy.array([[0.5, -1.5], [2, 3e-40]], numpy.float32),
    "h": numpy.array([1, 65504, 6e-8], numpy.float16),
    "d": numpy.array(0.1, numpy.float64),
    "i": numpy.array([[1, 2, 3]], numpy.int64),
    "none": numpy.zeros((0, 3), numpy.int8),
}, sys.argv[1], {"format": "pt", "x": "y"})
PYTHON
    tests/unit/test_io list "$folder/theirs.safetensors" >"$folder/list" &&
    LC_ALL=C sort "$folder/list" | diff "$folder/expected" - || result=1
say 2 "we read what Python writes"
