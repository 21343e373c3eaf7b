# runtime/kernel, on every driver that is installed.
check_PROGRAMS += tests/unit/test_kernel
tests_unit_test_kernel_SOURCES = tests/unit/test_kernel.c tests/unit/device_support.h
tests_unit_test_kernel_LDADD = runtime/kernel/libkernel.a runtime/device/libdevice.a runtime/base/libbase.a \
	$(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
TESTS += tests/unit/test_kernel tests/unit/test_kernel-intel tests/unit/test_kernel-rusticl tests/unit/test_kernel-oclgrind

check_PROGRAMS += tests/unit/test_lanes
tests_unit_test_lanes_SOURCES = tests/unit/test_lanes.c tests/unit/device_support.h
tests_unit_test_lanes_LDADD = $(tests_unit_test_kernel_LDADD)
TESTS += tests/unit/test_lanes tests/unit/test_lanes-intel tests/unit/test_lanes-rusticl tests/unit/test_lanes-oclgrind

check_PROGRAMS += tests/unit/test_kernel_check
tests_unit_test_kernel_check_SOURCES = tests/unit/test_kernel_check.c tests/unit/device_support.h
tests_unit_test_kernel_check_LDADD = $(tests_unit_test_kernel_LDADD)
TESTS += tests/unit/test_kernel_check

check_PROGRAMS += tests/unit/test_site_cache
tests_unit_test_site_cache_SOURCES = tests/unit/test_site_cache.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_site_cache_LDADD = $(tests_unit_test_kernel_LDADD)
TESTS += tests/unit/test_site_cache

# Every driver call and every allocation fails once.
check_PROGRAMS += tests/unit/test_device_faults
tests_unit_test_device_faults_SOURCES = tests/unit/test_device_faults.c tests/unit/device_support.h
tests_unit_test_device_faults_LDADD = $(tests_unit_test_kernel_LDADD)
tests_unit_test_device_faults_LDFLAGS = \
	-Wl,--wrap=sp_driver_leave,--wrap=sp_calloc,--wrap=sp_realloc,--wrap=sp_strdup,--wrap=sp_asprintf
TESTS += tests/unit/test_device_faults
