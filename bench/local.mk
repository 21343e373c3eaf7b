# Benchmarks: built by `make bench/step`, not by `make`.
EXTRA_PROGRAMS += bench/step
bench_step_SOURCES = bench/step.c
bench_step_LDADD = $(LIBS_ALL)
CLEANFILES += bench/step$(EXEEXT)
EXTRA_DIST += bench/compare.py bench/llama-768x12/config.json bench/moving.py bench/pytorch_quality.py bench/pytorch_step.py \
	bench/random_model.py

EXTRA_PROGRAMS += bench/support
bench_support_SOURCES = bench/support.c
bench_support_LDADD = runtime/sparse/libsparse.a runtime/base/libbase.a $(LIBS_BASE)
CLEANFILES += bench/support$(EXEEXT)

EXTRA_PROGRAMS += bench/bandwidth
bench_bandwidth_SOURCES = bench/bandwidth.c
bench_bandwidth_LDADD = runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a \
	runtime/base/libbase.a $(LIBS_DEVICE) $(LIBS_BASE)
CLEANFILES += bench/bandwidth$(EXEEXT)

EXTRA_PROGRAMS += bench/attention
bench_attention_SOURCES = bench/attention.c bench/bench.h
bench_attention_LDADD = runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a runtime/base/libbase.a \
	$(LIBS_DEVICE) $(LIBS_BASE)
CLEANFILES += bench/attention$(EXEEXT)

EXTRA_PROGRAMS += bench/gemm
bench_gemm_SOURCES = bench/gemm.c bench/bench.h
bench_gemm_LDADD = runtime/op/libop.a runtime/kernel/libkernel.a runtime/device/libdevice.a runtime/base/libbase.a \
	$(LIBS_DEVICE) $(LIBS_BASE)
CLEANFILES += bench/gemm$(EXEEXT)

EXTRA_PROGRAMS += bench/generate
bench_generate_SOURCES = bench/generate.c bench/bench.h
bench_generate_LDADD = $(LIBS_ALL)
CLEANFILES += bench/generate$(EXEEXT)
