check_PROGRAMS += tests/unit/test_data_reader tests/unit/test_data tests/unit/test_layout tests/unit/test_header
tests_unit_test_data_reader_SOURCES = tests/unit/test_data_reader.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_data_reader_LDADD = runtime/data/libdata.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
tests_unit_test_data_SOURCES = tests/unit/test_data.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_data_LDADD = runtime/data/libdata.a runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
tests_unit_test_layout_SOURCES = tests/unit/test_layout.c tests/unit/layout_files.c tests/unit/layout_files.h \
	tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_layout_LDADD = $(tests_unit_test_data_LDADD)
tests_unit_test_header_SOURCES = tests/unit/test_header.c tests/unit/layout_files.c tests/unit/layout_files.h \
	tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_header_LDADD = $(tests_unit_test_data_LDADD)
TESTS += tests/unit/test_data_reader tests/unit/test_data tests/unit/test_layout tests/unit/test_header
