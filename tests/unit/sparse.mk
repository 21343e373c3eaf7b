# runtime/sparse: the choice of positions (no device), and the delta on every driver that is installed.
check_PROGRAMS += tests/unit/test_select tests/unit/test_sparse
sparse_test_libs = runtime/sparse/libsparse.a runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a \
	runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
tests_unit_test_select_SOURCES = tests/unit/test_select.c
tests_unit_test_select_LDADD = $(sparse_test_libs)
tests_unit_test_sparse_SOURCES = tests/unit/test_sparse.c tests/unit/device_support.h
tests_unit_test_sparse_LDADD = $(sparse_test_libs)
check_PROGRAMS += tests/unit/test_support
tests_unit_test_support_SOURCES = tests/unit/test_support.c
tests_unit_test_support_LDADD = $(sparse_test_libs)
TESTS += tests/unit/test_select tests/unit/test_select-valgrind tests/unit/test_support tests/unit/test_support-valgrind \
	tests/unit/test_sparse tests/unit/test_sparse-intel tests/unit/test_sparse-oclgrind
