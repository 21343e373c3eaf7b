noinst_LIBRARIES += models/libmodels.a
models_libmodels_a_SOURCES = \
	models/bert.c \
	models/decoder.c models/decoder.h \
	models/encoder.c models/encoder.h \
	models/family.c models/family.h \
	models/gemma2.c \
	models/llama.c \
	models/mistral.c \
	models/model.def \
	models/models.c models/models.h \
	models/opt.c \
	models/qwen2.c \
	models/qwen3.c \
	models/roberta.c
