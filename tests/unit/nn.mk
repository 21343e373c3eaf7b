# runtime/nn: the planner, with the model families that build its plans.
check_PROGRAMS += tests/unit/test_plan
plan_test_libs = models/libmodels.a runtime/nn/libnn.a runtime/sparse/libsparse.a runtime/op/libop.a \
	runtime/kernel/libkernel.a runtime/device/libdevice.a runtime/tensor/libtensor.a runtime/base/libbase.a \
	$(CMOCKA_LIBS) $(LIBS_DEVICE) $(LIBS_BASE)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c tests/unit/plan_support.h tests/unit/device_support.h
tests_unit_test_plan_LDADD = $(plan_test_libs)
TESTS += tests/unit/test_plan tests/unit/test_plan-intel tests/unit/test_plan-rusticl

# Rotary embeddings' frequencies, against transformers' numbers.
check_PROGRAMS += tests/unit/test_rope
tests_unit_test_rope_SOURCES = tests/unit/test_rope.c
tests_unit_test_rope_LDADD = runtime/nn/libnn.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_rope
EXTRA_DIST += tests/tools/rope_torch.py

# A batch larger than any other, from the data to the gradients.
check_PROGRAMS += tests/unit/test_large_batch
tests_unit_test_large_batch_SOURCES = tests/unit/test_large_batch.c tests/unit/plan_support.h tests/unit/device_support.h
tests_unit_test_large_batch_LDADD = runtime/data/libdata.a runtime/text/libtext.a $(plan_test_libs) $(LIBS_TEXT)
TESTS += tests/unit/test_large_batch tests/unit/test_large_batch-intel

# Of a plan and another one's parameters.
check_PROGRAMS += tests/unit/test_shared_params
tests_unit_test_shared_params_SOURCES = tests/unit/test_shared_params.c tests/unit/plan_support.h tests/unit/device_support.h
tests_unit_test_shared_params_LDADD = $(plan_test_libs)
TESTS += tests/unit/test_shared_params

check_PROGRAMS += tests/unit/test_families
tests_unit_test_families_SOURCES = tests/unit/test_families.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_families_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/unit/test_families
