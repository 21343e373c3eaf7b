# check_PROGRAMS += tests/train/test_train...; TESTS += the same
