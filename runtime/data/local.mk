noinst_LIBRARIES += runtime/data/libdata.a
runtime_data_libdata_a_SOURCES = \
	runtime/data/batch.c runtime/data/batch.h \
	runtime/data/dataset.c runtime/data/dataset.h \
	runtime/data/chooser.c runtime/data/chooser.h \
	runtime/data/columns.c \
	runtime/data/delimited.c \
	runtime/data/delimiter.c \
	runtime/data/drawn.c \
	runtime/data/format.def \
	runtime/data/header.c \
	runtime/data/jsonl.c \
	runtime/data/label_reader.c runtime/data/label_reader.h \
	runtime/data/labels.c runtime/data/labels.h \
	runtime/data/layout.c runtime/data/layout.h \
	runtime/data/lines.c \
	runtime/data/names.c \
	runtime/data/not_text.c \
	runtime/data/quotes.c \
	runtime/data/remembered.c \
	runtime/data/row_names.c \
	runtime/data/sample.c runtime/data/sample.h \
	runtime/data/shape.h \
	runtime/data/reader.c runtime/data/reader.h runtime/data/reader_priv.h
