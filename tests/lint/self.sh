#!/bin/sh
# The lints themselves: each must fail on a tree made to break it, once for each of its rules.
. "$(dirname "$0")/tap.sh"

bad=$(mktemp -d)
trap 'rm -rf "$bad"' EXIT
mkdir -p "$bad/runtime/base" "$bad/runtime/train" "$bad/runtime/nn" "$bad/runtime/op" "$bad/cl/op" "$bad/tests" "$bad/autotools"
ln -s "$lint" "$bad/tests/lint"
for name in Makefile.am configure.ac dev README.md HACKING.md NEWS.md runtime/local.mk; do
    : >"$bad/$name"
done

# One fault for each rule.
{
    printf '#include "runtime/op/op.h"\n#include <CL/cl.h>\nint f(char *x);\nint f(char *x)\n{\n'
    printf '    printf(x); \n\treturn atoi(x) + undeclared;\n'
    yes '    ;' | head -n 1000
    printf '/* %0120d */\n' 0
    printf '}\n/* no end of line */'
} >"$bad/runtime/base/bad.c"
printf 'enum { BYTES = sizeof(float) };\n' >"$bad/runtime/nn/bad.c"
printf 'void f(void);\nvoid f(void)\n{\n    struct sp_plan_pass pass = { .dropout = 1 };\n}\n' >"$bad/runtime/train/bad.c"
printf 'size_t needs_stddef(void);\n' >"$bad/runtime/base/bad.h"
printf 'SP_OP(missing)\n' >"$bad/runtime/op/op.def"
printf 'const struct sp_op sp_op_unlisted = { 0 };\n' >"$bad/runtime/op/unlisted.c"
printf '// lint: -DN=4\n// lint: -DN=4%0120d\n__kernel void k(__global int *x) { int unused; x[N] = undeclared; }\n' 0 >"$bad/cl/op/bad.cl"

for name in layers lists banned style compile kernels; do
    output=$(srcdir=$bad SPEFT_LINT_CFLAGS='' sh "$lint/$name.sh" 2>&1 || true)
    check "every rule of $name.sh can fail" "$(printf '%s\n' "$output" | grep -E '^ok' | grep -v '# SKIP' || true)"
    check "$name.sh has a rule that fails" "$(printf '%s\n' "$output" | grep -qE '^not ok|# SKIP' || printf 'no "not ok" in: %s\n' "$output")"
done
check 'style.sh measures the lines of kernels, those for the lint too' \
    "$(srcdir=$bad sh "$lint/style.sh" 2>&1 | grep -q 'cl/op/bad.cl:2$' || echo 'cl/op/bad.cl:2 is not named')"
finish
