# Files of runtime/base, with the system calls that matter noted on their way.
check_PROGRAMS += tests/unit/test_files
tests_unit_test_files_SOURCES = tests/unit/test_files.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_files_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
tests_unit_test_files_LDFLAGS = -Wl,--wrap=fsync,--wrap=renameat,--wrap=renameat2,--wrap=rename,--wrap=fcntl,--wrap=fopen
TESTS += tests/unit/test_files tests/unit/test_files-valgrind

check_PROGRAMS += tests/unit/test_replace
tests_unit_test_replace_SOURCES = tests/unit/test_replace.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_replace_LDADD = $(tests_unit_test_files_LDADD)
TESTS += tests/unit/test_replace
tests_unit_test_replace_LDFLAGS = -Wl,--wrap=lstat,--wrap=fstatat,--wrap=mkdir,--wrap=mkdirat
