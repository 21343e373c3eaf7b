# check_PROGRAMS += tests/unit/test_sparse...; TESTS += the same
