noinst_LIBRARIES += runtime/sparse/libsparse.a
runtime_sparse_libsparse_a_SOURCES = \
	runtime/sparse/delta.c runtime/sparse/delta.h \
	runtime/sparse/dense.c runtime/sparse/dense.h \
	runtime/sparse/metric.c runtime/sparse/metric.h runtime/sparse/metric.def \
	runtime/sparse/metric_fisher.c \
	runtime/sparse/metric_force.c \
	runtime/sparse/metric_grad_weight_ratio.c \
	runtime/sparse/metric_gradient.c \
	runtime/sparse/metric_grasp.c \
	runtime/sparse/metric_lift.c \
	runtime/sparse/metric_magnitude.c \
	runtime/sparse/metric_magnitude_bottom.c \
	runtime/sparse/metric_random.c \
	runtime/sparse/metric_snip.c \
	runtime/sparse/metric_synflow.c \
	runtime/sparse/metric_taylor_fo.c \
	runtime/sparse/metric_wanda.c \
	runtime/sparse/observe.c runtime/sparse/observe.h \
	runtime/sparse/outer.c runtime/sparse/outer.h \
	runtime/sparse/select.c runtime/sparse/select.h \
	runtime/sparse/support.c runtime/sparse/support.h \
	runtime/sparse/window.c runtime/sparse/window.h
