# Backward of every node by finite differences.
check_PROGRAMS += tests/grad/test_grad
tests_grad_test_grad_SOURCES = tests/grad/test_grad.c tests/grad/grad_support.h tests/unit/plan_support.h tests/unit/device_support.h
tests_grad_test_grad_LDADD = $(plan_test_libs)
TESTS += tests/grad/test_grad tests/grad/test_grad-intel

# What is added to a linear layer's output.
check_PROGRAMS += tests/grad/test_addition
tests_grad_test_addition_SOURCES = tests/grad/test_addition.c tests/unit/plan_support.h tests/unit/device_support.h
tests_grad_test_addition_LDADD = $(plan_test_libs)
TESTS += tests/grad/test_addition tests/grad/test_addition-intel

# The loss over a vocabulary, in slices.
check_PROGRAMS += tests/grad/test_language
tests_grad_test_language_SOURCES = tests/grad/test_language.c tests/unit/plan_support.h tests/unit/device_support.h
tests_grad_test_language_LDADD = $(plan_test_libs)
TESTS += tests/grad/test_language tests/grad/test_language-intel

# The nodes of decoders.
check_PROGRAMS += tests/grad/test_decoder
tests_grad_test_decoder_SOURCES = tests/grad/test_decoder.c tests/grad/grad_support.h tests/unit/plan_support.h \
	tests/unit/device_support.h
tests_grad_test_decoder_LDADD = $(plan_test_libs)
TESTS += tests/grad/test_decoder tests/grad/test_decoder-intel
