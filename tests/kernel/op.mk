# Every op against its reference, on every driver that is installed; and broken kernels must be noticed.
check_PROGRAMS += tests/kernel/conformance
tests_kernel_conformance_SOURCES = tests/kernel/conformance.c
tests_kernel_conformance_LDADD = runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a \
	runtime/base/libbase.a $(LIBS_DEVICE) $(LIBS_BASE)
check_PROGRAMS += tests/kernel/test_check
tests_kernel_test_check_SOURCES = tests/kernel/test_check.c tests/unit/device_support.h
tests_kernel_test_check_LDADD = $(tests_kernel_conformance_LDADD) $(CMOCKA_LIBS)
TESTS += tests/kernel/test_check tests/kernel/conformance tests/kernel/conformance-intel tests/kernel/conformance-rusticl \
	tests/kernel/conformance-oclgrind tests/kernel/broken.sh
EXTRA_DIST += tests/kernel/broken.sh tests/tools/fit_math.py
