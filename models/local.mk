noinst_LIBRARIES += models/libmodels.a
models_libmodels_a_SOURCES = \
	models/bert.c \
	models/encoder.c models/encoder.h \
	models/model.def \
	models/models.c models/models.h \
	models/roberta.c
