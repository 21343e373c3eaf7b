# check_PROGRAMS += tests/unit/test_base...; TESTS += the same
check_PROGRAMS += tests/unit/test_statistics
tests_unit_test_statistics_SOURCES = tests/unit/test_statistics.c
tests_unit_test_statistics_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_statistics tests/unit/test_statistics-valgrind

check_PROGRAMS += tests/unit/test_json
tests_unit_test_json_SOURCES = tests/unit/test_json.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_json_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_json tests/unit/test_json-valgrind

check_PROGRAMS += tests/unit/test_escape
tests_unit_test_escape_SOURCES = tests/unit/test_escape.c
tests_unit_test_escape_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_escape tests/unit/test_escape-valgrind

check_PROGRAMS += tests/unit/test_stream
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_stream tests/unit/test_stream-valgrind

# Not under valgrind: this program starts itself.
check_PROGRAMS += tests/unit/test_child
tests_unit_test_child_SOURCES = tests/unit/test_child.c
tests_unit_test_child_LDADD = runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_child

# The command line's part that a list of commands of its own can be given to.
check_PROGRAMS += tests/unit/test_command
tests_unit_test_command_SOURCES = tests/unit/test_command.c frontends/cli/command_find.c frontends/cli/completion.c \
	frontends/cli/help.c frontends/cli/arguments.c
tests_unit_test_command_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/unit/test_command
