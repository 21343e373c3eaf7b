# The program from outside.
cli_tests = tests/cli/usage.sh tests/cli/config.sh tests/cli/devices.sh tests/cli/doctor.sh tests/cli/drivers.sh tests/cli/train.sh tests/cli/eval.sh tests/cli/generate.sh tests/cli/predict.sh \
	tests/cli/mask.sh tests/cli/mask_compare.sh tests/cli/study.sh tests/cli/study_report.sh tests/cli/badinput.sh \
	tests/cli/hostile.sh tests/cli/given.sh tests/cli/standard_input.sh
cli_tests += tests/cli/columns.sh
cli_tests += tests/cli/streaming.sh tests/cli/head.sh
cli_tests += tests/cli/decoder.sh tests/cli/gguf.sh
cli_tests += tests/cli/folders.sh tests/cli/dev.sh
dist_check_SCRIPTS += $(cli_tests)
TESTS += $(cli_tests)
EXTRA_DIST += tests/cli/tap.sh tests/cli/short.yaml

check_PROGRAMS += tests/cli/peak
tests_cli_peak_SOURCES = tests/cli/peak.c

# Makes and damages the models for them.
check_PROGRAMS += tests/cli/model_tool
tests_cli_model_tool_SOURCES = tests/cli/model_tool.c
tests_cli_model_tool_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(LIBS_BASE)

# Writes a folder's model as a GGUF.
check_PROGRAMS += tests/cli/gguf_tool
tests_cli_gguf_tool_SOURCES = tests/cli/gguf_tool.c tests/unit/gguf_files.c tests/unit/gguf_files.h \
	tests/unit/io_files.c tests/unit/io_files.h
tests_cli_gguf_tool_LDADD = runtime/io/libio.a runtime/tensor/libtensor.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
