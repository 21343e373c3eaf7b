# Tuned values: the file's reader and lookup; other values than the shipped ones give the same results.
check_PROGRAMS += tests/unit/test_tuning
tests_unit_test_tuning_SOURCES = tests/unit/test_tuning.c tests/unit/device_support.h
tests_unit_test_tuning_LDADD = runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a \
	runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
TESTS += tests/unit/test_tuning tests/unit/tuning.sh
dist_check_SCRIPTS += tests/unit/tuning.sh
