lints = tests/lint/layers.sh tests/lint/lists.sh tests/lint/banned.sh tests/lint/style.sh tests/lint/kernels.sh \
	tests/lint/compile.sh tests/lint/self.sh tests/lint/support.sh
TESTS += $(lints)
EXTRA_DIST += $(lints) tests/lint/tap.sh tests/lint/code.awk
