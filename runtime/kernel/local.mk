noinst_LIBRARIES += runtime/kernel/libkernel.a
runtime_kernel_libkernel_a_SOURCES = \
	runtime/kernel/build.c runtime/kernel/build.h \
	runtime/kernel/cache.c runtime/kernel/cache.h \
	runtime/kernel/check.c runtime/kernel/check.h \
	runtime/kernel/launch.c runtime/kernel/launch.h \
	runtime/kernel/source.c runtime/kernel/source.h runtime/kernel/sources.h \
	runtime/kernel/table.c runtime/kernel/table.h \
	runtime/kernel/tuning.c runtime/kernel/tuning.h \
	runtime/kernel/worker.c runtime/kernel/worker.h
