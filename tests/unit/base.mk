# check_PROGRAMS += tests/unit/test_base...; TESTS += the same
check_PROGRAMS += tests/unit/test_statistics
tests_unit_test_statistics_SOURCES = tests/unit/test_statistics.c
tests_unit_test_statistics_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_statistics tests/unit/test_statistics-valgrind
