# runtime/kernel, on every driver that is installed.
check_PROGRAMS += tests/unit/test_kernel
tests_unit_test_kernel_SOURCES = tests/unit/test_kernel.c tests/unit/device_support.h
tests_unit_test_kernel_LDADD = runtime/kernel/libkernel.a runtime/device/libdevice.a runtime/base/libbase.a \
	$(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
TESTS += tests/unit/test_kernel tests/unit/test_kernel-intel tests/unit/test_kernel-rusticl tests/unit/test_kernel-oclgrind
