# check_PROGRAMS += tests/unit/test_optim...; TESTS += the same
