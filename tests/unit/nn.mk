# check_PROGRAMS += tests/unit/test_nn...; TESTS += the same
