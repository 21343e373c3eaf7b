# Benchmarks: built by `make bench/step`, not by `make`.
EXTRA_PROGRAMS += bench/step
bench_step_SOURCES = bench/step.c
bench_step_LDADD = $(LIBS_ALL)
CLEANFILES += bench/step$(EXEEXT)
EXTRA_DIST += bench/compare.py bench/pytorch_quality.py bench/pytorch_step.py
