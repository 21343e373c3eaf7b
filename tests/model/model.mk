# check_PROGRAMS += tests/model/test_model...; TESTS += the same
