# Files of runtime/base, with the system calls that matter noted on their way.
check_PROGRAMS += tests/unit/test_files
tests_unit_test_files_SOURCES = tests/unit/test_files.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_files_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
tests_unit_test_files_LDFLAGS = -Wl,--wrap=fsync,--wrap=renameat
TESTS += tests/unit/test_files tests/unit/test_files-valgrind

check_PROGRAMS += tests/unit/test_staging
tests_unit_test_staging_SOURCES = tests/unit/test_staging.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_staging_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_staging_LDFLAGS = -Wl,--wrap=rename,--wrap=renameat,--wrap=renameat2
TESTS += tests/unit/test_staging tests/unit/test_staging-valgrind

check_PROGRAMS += tests/unit/test_processes
tests_unit_test_processes_SOURCES = tests/unit/test_processes.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_processes_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_processes_LDFLAGS = -Wl,--wrap=fopen
TESTS += tests/unit/test_processes tests/unit/test_processes-valgrind

check_PROGRAMS += tests/unit/test_private
tests_unit_test_private_SOURCES = tests/unit/test_private.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_private_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_private_LDFLAGS = -Wl,--wrap=getpwuid,--wrap=getgrgid,--wrap=getpwent,--wrap=setpwent
TESTS += tests/unit/test_private tests/unit/test_private-valgrind

check_PROGRAMS += tests/unit/test_locks
tests_unit_test_locks_SOURCES = tests/unit/test_locks.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_locks_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_locks_LDFLAGS = -Wl,--wrap=fcntl
TESTS += tests/unit/test_locks tests/unit/test_locks-valgrind

check_PROGRAMS += tests/unit/test_replace
tests_unit_test_replace_SOURCES = tests/unit/test_replace.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_replace_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_replace_LDFLAGS = -Wl,--wrap=lstat,--wrap=fstatat,--wrap=mkdir,--wrap=mkdirat,--wrap=fchown
TESTS += tests/unit/test_replace

# The same where a link has no descriptor of its own, as on macOS.
check_PROGRAMS += tests/unit/test_files_by_name tests/unit/test_private_by_name
tests_unit_test_files_by_name_SOURCES = $(tests_unit_test_files_SOURCES) tests/unit/walk_by_name.c
tests_unit_test_files_by_name_LDADD = $(tests_unit_test_files_LDADD)
tests_unit_test_files_by_name_LDFLAGS = $(tests_unit_test_files_LDFLAGS)
tests_unit_test_private_by_name_SOURCES = $(tests_unit_test_private_SOURCES) tests/unit/walk_by_name.c
tests_unit_test_private_by_name_LDADD = $(tests_unit_test_private_LDADD)
tests_unit_test_private_by_name_LDFLAGS = $(tests_unit_test_private_LDFLAGS)
TESTS += tests/unit/test_files_by_name tests/unit/test_private_by_name
