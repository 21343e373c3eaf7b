# runtime/optim: schedules, AdamW and clipping.
check_PROGRAMS += tests/unit/test_optim
tests_unit_test_optim_SOURCES = tests/unit/test_optim.c tests/unit/device_support.h tests/unit/near.h
tests_unit_test_optim_LDADD = runtime/optim/liboptim.a runtime/op/libop.a runtime/kernel/libkernel.a \
	runtime/device/libdevice.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
TESTS += tests/unit/test_optim tests/unit/test_optim-intel tests/unit/test_optim-oclgrind
