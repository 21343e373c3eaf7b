# runtime/io: model files, model folders, adapters.
io_test_files = tests/unit/io_files.c tests/unit/io_files.h
io_test_libs = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)

check_PROGRAMS += tests/unit/test_io tests/unit/test_checkpoint tests/unit/test_adapter tests/fuzz/fuzz_io
tests_unit_test_io_SOURCES = tests/unit/test_io.c $(io_test_files)
tests_unit_test_io_LDADD = $(io_test_libs)
tests_unit_test_checkpoint_SOURCES = tests/unit/test_checkpoint.c $(io_test_files)
tests_unit_test_checkpoint_LDADD = $(io_test_libs)
tests_unit_test_adapter_SOURCES = tests/unit/test_adapter.c $(io_test_files)
tests_unit_test_adapter_LDADD = $(io_test_libs)
tests_fuzz_fuzz_io_SOURCES = tests/fuzz/fuzz_io.c $(io_test_files)
tests_fuzz_fuzz_io_LDADD = $(io_test_libs)

# GGUF: its types of tensors, its files, models and tokenizers made of them.
gguf_test_files = tests/unit/gguf_files.c tests/unit/gguf_files.h $(io_test_files)
check_PROGRAMS += tests/unit/test_block tests/unit/test_gguf tests/tools/show_model
tests_tools_show_model_SOURCES = tests/tools/show_model.c
tests_tools_show_model_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(LIBS_BASE)
tests_unit_test_gguf_SOURCES = tests/unit/test_gguf.c $(gguf_test_files)
tests_unit_test_gguf_LDADD = $(io_test_libs)
check_PROGRAMS += tests/unit/test_gguf_model
tests_unit_test_gguf_model_SOURCES = tests/unit/test_gguf_model.c $(gguf_test_files)
tests_unit_test_gguf_model_LDADD = $(io_test_libs)
check_PROGRAMS += tests/unit/test_gguf_tokenizer tests/fuzz/fuzz_gguf
tests_unit_test_gguf_tokenizer_SOURCES = tests/unit/test_gguf_tokenizer.c $(gguf_test_files)
tests_unit_test_gguf_tokenizer_LDADD = $(io_test_libs)
tests_fuzz_fuzz_gguf_SOURCES = tests/fuzz/fuzz_gguf.c $(gguf_test_files)
tests_fuzz_fuzz_gguf_LDADD = $(io_test_libs)
tests_unit_test_block_SOURCES = tests/unit/test_block.c $(io_test_files)
tests_unit_test_block_LDADD = $(io_test_libs)
TESTS += tests/unit/test_block tests/unit/test_gguf tests/unit/test_gguf-valgrind \
	tests/unit/test_gguf_model tests/unit/test_gguf_model-valgrind \
	tests/unit/test_gguf_tokenizer tests/unit/test_gguf_tokenizer-valgrind tests/fuzz/fuzz_gguf
EXTRA_DIST += tests/tools/make_blocks.py tests/tools/gguf_diff.py tests/tools/smollm2_diff.py

# The adapter's reader and writer with a list of kinds of its own.
check_PROGRAMS += tests/unit/test_section
tests_unit_test_section_CPPFLAGS = -iquote $(srcdir)/tests/unit/section $(AM_CPPFLAGS)
tests_unit_test_section_SOURCES = tests/unit/test_section.c tests/unit/section/runtime/io/section.def runtime/io/adapter.c $(io_test_files)
tests_unit_test_section_LDADD = $(io_test_libs)

dist_check_SCRIPTS += tests/unit/io_python.sh
TESTS += tests/unit/test_io tests/unit/test_checkpoint tests/unit/test_adapter tests/unit/test_section tests/unit/io_python.sh \
	tests/fuzz/fuzz_io
