noinst_LIBRARIES += runtime/tensor/libtensor.a
runtime_tensor_libtensor_a_SOURCES = \
	runtime/tensor/block.c runtime/tensor/block.h runtime/tensor/block.def \
	runtime/tensor/dtype.c runtime/tensor/dtype.h runtime/tensor/dtype.def \
	runtime/tensor/elements.c runtime/tensor/elements.h \
	runtime/tensor/state.c runtime/tensor/state.h
