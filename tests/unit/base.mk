# check_PROGRAMS += tests/unit/test_base...; TESTS += the same
