# Whole models against kept numbers from PyTorch (tests/data/reference): the program, and all gradients of a batch.
check_PROGRAMS += tests/model/test_decoders tests/model/test_reference tests/model/test_gradients tests/model/test_metrics
tests_model_test_metrics_SOURCES = tests/model/test_metrics.c tests/model/program.c tests/model/program.h
tests_model_test_metrics_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
tests_model_test_reference_SOURCES = tests/model/test_reference.c tests/model/program.c tests/model/program.h tests/unit/near.h
tests_model_test_reference_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_BASE)
tests_model_test_decoders_SOURCES = tests/model/test_decoders.c tests/model/program.c tests/model/program.h tests/unit/near.h
tests_model_test_decoders_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_BASE)
tests_model_test_gradients_SOURCES = tests/model/test_gradients.c tests/unit/device_support.h
tests_model_test_gradients_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/model/test_gradients tests/model/test_gradients-intel tests/model/test_reference tests/model/test_reference-intel \
	tests/model/test_metrics tests/model/test_metrics-intel tests/model/test_decoders tests/model/test_decoders-intel

EXTRA_DIST += tests/data/reference tests/tools/make_reference.py tests/tools/make_decoders.py tests/tools/sparse_torch.py tests/tools/make_metrics.py \
	tests/tools/metric_torch.py
