noinst_LIBRARIES += runtime/train/libtrain.a
runtime_train_libtrain_a_SOURCES = \
	runtime/train/config.c runtime/train/config.h \
	runtime/train/evaluate.c runtime/train/evaluate.h \
	runtime/train/load.c runtime/train/load.h \
	runtime/train/mask.c runtime/train/mask.h \
	runtime/train/result.c runtime/train/result.h \
	runtime/train/run.c runtime/train/run.h \
	runtime/train/score.c runtime/train/score.h \
	runtime/train/trained.c runtime/train/trained.h \
	runtime/train/trainer.c runtime/train/trainer.h
