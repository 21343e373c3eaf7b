# Training runs through the program, their files looked into.
check_PROGRAMS += tests/train/test_train
tests_train_test_train_SOURCES = tests/train/test_train.c tests/model/program.c tests/model/program.h tests/unit/near.h
tests_train_test_train_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)

check_PROGRAMS += tests/train/test_accumulation
tests_train_test_accumulation_SOURCES = tests/train/test_accumulation.c tests/model/program.c tests/model/program.h tests/unit/near.h
tests_train_test_accumulation_LDADD = $(tests_train_test_train_LDADD)

check_PROGRAMS += tests/train/test_not_finite
tests_train_test_not_finite_SOURCES = tests/train/test_not_finite.c tests/model/program.c tests/model/program.h
tests_train_test_not_finite_LDADD = $(tests_train_test_train_LDADD)

check_PROGRAMS += tests/train/test_mask
tests_train_test_mask_SOURCES = tests/train/test_mask.c tests/unit/device_support.h
tests_train_test_mask_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
check_PROGRAMS += tests/train/test_moving
tests_train_test_moving_SOURCES = tests/train/test_moving.c tests/train/weights.c tests/train/weights.h tests/model/program.c \
	tests/model/program.h tests/unit/near.h
tests_train_test_moving_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
tests_train_test_moving_LDFLAGS = -Wl,--wrap=sp_config_method
EXTRA_DIST += tests/tools/moving_torch.py tests/tools/same_bits.sh

# Properties over random configurations, both sides of each move looked at.
check_PROGRAMS += tests/train/test_moving_random
tests_train_test_moving_random_SOURCES = tests/train/test_moving_random.c tests/train/weights.c tests/train/weights.h \
	tests/model/program.c tests/model/program.h
tests_train_test_moving_random_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
tests_train_test_moving_random_LDFLAGS = -Wl,--wrap=sp_sparse_move,--wrap=sp_optimizer_find \
	-Wl,--wrap=sp_kernel_build_recorded,--wrap=sp_build_program
TESTS += tests/train/test_mask tests/train/test_moving tests/train/test_moving-intel tests/train/test_moving_random \
	tests/train/test_accumulation tests/train/test_not_finite tests/train/test_train

# What a run says that it will take of the device's memory.
check_PROGRAMS += tests/train/test_ledger
tests_train_test_ledger_SOURCES = tests/train/test_ledger.c tests/model/program.c tests/model/program.h tests/unit/device_support.h
tests_train_test_ledger_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_ledger

# A run's state, kept and restored.
check_PROGRAMS += tests/train/test_state
tests_train_test_state_SOURCES = tests/train/test_state.c tests/model/program.c tests/model/program.h tests/unit/device_support.h
tests_train_test_state_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_state

# Additions to linear layers, by a part of the test's own in the list of parts.
check_PROGRAMS += tests/train/test_additions
tests_train_test_additions_SOURCES = tests/train/test_additions.c tests/model/program.c tests/model/program.h tests/unit/device_support.h
tests_train_test_additions_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
tests_train_test_additions_LDFLAGS = -Wl,--wrap=sp_part_dense
TESTS += tests/train/test_additions

# Tasks that only the test has, in a list of its own.
check_PROGRAMS += tests/train/test_other_tasks
tests_train_test_other_tasks_SOURCES = tests/train/test_other_tasks.c tests/model/program.c tests/model/program.h \
	tests/unit/device_support.h tests/unit/near.h
tests_train_test_other_tasks_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_other_tasks

check_PROGRAMS += tests/train/test_waits
tests_train_test_waits_SOURCES = tests/train/test_waits.c tests/model/program.c tests/model/program.h tests/unit/device_support.h
tests_train_test_waits_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
tests_train_test_waits_LDFLAGS = -Wl,--wrap=clEnqueueWriteBuffer,--wrap=clEnqueueReadBuffer,--wrap=clEnqueueMapBuffer,--wrap=clFinish \
	-Wl,--wrap=clWaitForEvents,--wrap=clEnqueueNDRangeKernel,--wrap=sp_trained_waits
TESTS += tests/train/test_waits

# A step that is not finite, found out when the next one is on its way.
check_PROGRAMS += tests/train/test_late
tests_train_test_late_SOURCES = tests/train/test_late.c tests/model/program.c tests/model/program.h tests/unit/device_support.h
tests_train_test_late_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_late

# Every kernel wrong in every way, on a driver made for it: a shared library, hence the name.
check_PROGRAMS += tests/support/fake_cl.so
tests_support_fake_cl_so_SOURCES = tests/support/fake_cl.c
tests_support_fake_cl_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_support_fake_cl_so_LDFLAGS = -shared
tests_support_fake_cl_so_LDADD = -ldl
check_PROGRAMS += tests/support/lame_cl.so
tests_support_lame_cl_so_SOURCES = tests/support/lame_cl.c
tests_support_lame_cl_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_support_lame_cl_so_LDFLAGS = -shared -Wl,-z,lazy -Wl,-z,undefs
tests_support_lame_cl_so_LDADD = -ldl
check_PROGRAMS += tests/train/test_self_test
tests_train_test_self_test_SOURCES = tests/train/test_self_test.c tests/model/program.c tests/model/program.h \
	tests/unit/device_support.h
tests_train_test_self_test_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
tests_train_test_self_test_LDFLAGS = -Wl,--wrap=sp_trained_before_step,--wrap=sp_check_before_use \
	-Wl,--wrap=sp_kernel_build_recorded,--wrap=sp_device_open
TESTS += tests/train/test_self_test

# Task causal_lm, on a family of the test's own.
check_PROGRAMS += tests/train/test_causal_lm
tests_train_test_causal_lm_SOURCES = tests/train/test_causal_lm.c tests/model/program.c tests/model/program.h \
	tests/train/said.h tests/unit/device_support.h tests/unit/near.h
tests_train_test_causal_lm_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_causal_lm

check_PROGRAMS += tests/train/test_generate
tests_train_test_generate_SOURCES = tests/train/test_generate.c tests/model/program.c tests/model/program.h \
	tests/unit/device_support.h tests/unit/near.h
tests_train_test_generate_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_generate tests/train/test_generate-intel

check_PROGRAMS += tests/train/test_prompt
tests_train_test_prompt_SOURCES = tests/train/test_prompt.c tests/model/program.c tests/model/program.h \
	tests/train/said.h tests/unit/device_support.h
tests_train_test_prompt_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/train/test_prompt
