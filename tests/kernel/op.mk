# check_PROGRAMS += tests/kernel/test_op...; TESTS += the same
