noinst_LIBRARIES += runtime/io/libio.a
runtime_io_libio_a_SOURCES = \
	runtime/io/adapter.c runtime/io/adapter.h \
	runtime/io/adapter_folder.c runtime/io/adapter_folder_priv.h \
	runtime/io/checkpoint.c runtime/io/checkpoint.h \
	runtime/io/foreign.c runtime/io/foreign_priv.h \
	runtime/io/gguf.c runtime/io/gguf.h runtime/io/gguf_priv.h runtime/io/gguf_metadata.c \
	runtime/io/gguf_model.c runtime/io/gguf_model_priv.h runtime/io/gguf_config.c runtime/io/gguf_tokenizer.c \
	runtime/io/gguf_merges.c runtime/io/gguf_merges_priv.h \
	runtime/io/other_files.c \
	runtime/io/safetensors.c runtime/io/safetensors.h \
	runtime/io/section.def runtime/io/section_priv.h runtime/io/section_dense.c runtime/io/section_sparse.c \
	runtime/io/staging.c runtime/io/staging.h \
	runtime/io/subfolder.c \
	runtime/io/tensor.c runtime/io/tensor.h \
	runtime/io/weights.c runtime/io/weights.h
