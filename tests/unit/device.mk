# runtime/device, on every driver that is installed.
check_PROGRAMS += tests/unit/test_device
tests_unit_test_device_SOURCES = tests/unit/test_device.c tests/unit/device_support.h
tests_unit_test_device_LDADD = runtime/device/libdevice.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
TESTS += tests/unit/test_device tests/unit/test_device-intel tests/unit/test_device-rusticl tests/unit/test_device-oclgrind

check_PROGRAMS += tests/unit/test_access
tests_unit_test_access_SOURCES = tests/unit/test_access.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_access_LDADD = $(tests_unit_test_device_LDADD)
TESTS += tests/unit/test_access
