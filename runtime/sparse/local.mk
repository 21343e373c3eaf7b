noinst_LIBRARIES += runtime/sparse/libsparse.a
runtime_sparse_libsparse_a_SOURCES = \
	runtime/sparse/delta.c runtime/sparse/delta.h \
	runtime/sparse/dense.c runtime/sparse/dense.h \
	runtime/sparse/metric.c runtime/sparse/metric.h runtime/sparse/metric.def \
	runtime/sparse/metric_gradient.c \
	runtime/sparse/metric_magnitude.c \
	runtime/sparse/metric_random.c \
	runtime/sparse/outer.c runtime/sparse/outer.h \
	runtime/sparse/select.c runtime/sparse/select.h \
	runtime/sparse/support.c runtime/sparse/support.h \
	runtime/sparse/window.c runtime/sparse/window.h
