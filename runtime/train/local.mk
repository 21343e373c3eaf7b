noinst_LIBRARIES += runtime/train/libtrain.a
runtime_train_libtrain_a_SOURCES = \
	runtime/train/classes.c runtime/train/classes.h \
	runtime/train/config.c runtime/train/config.h runtime/train/config_priv.h \
	runtime/train/config_names.c \
	runtime/train/config_options.c \
	runtime/train/data.c runtime/train/data.h \
	runtime/train/evaluate.c runtime/train/evaluate.h \
	runtime/train/files.h \
	runtime/train/generate.c runtime/train/generate.h \
	runtime/train/head.c runtime/train/head.h \
	runtime/train/inputs.c runtime/train/inputs.h \
	runtime/train/journal.c runtime/train/journal.h \
	runtime/train/ledger.c runtime/train/ledger.h \
	runtime/train/load.c runtime/train/load.h \
	runtime/train/loss_watch.c runtime/train/loss_watch.h \
	runtime/train/mask.c runtime/train/mask.h \
	runtime/train/rewrite.c runtime/train/rewrite.h \
	runtime/train/method.c runtime/train/method.h runtime/train/method.def \
	runtime/train/method_dynamic.c \
	runtime/train/method_full.c \
	runtime/train/method_head.c \
	runtime/train/method_spiel.c \
	runtime/train/method_static.c \
	runtime/train/output.c runtime/train/output.h \
	runtime/train/part.h runtime/train/part.def \
	runtime/train/part_dense.c runtime/train/part_dense.h \
	runtime/train/part_sparse.c runtime/train/part_sparse.h \
	runtime/train/prompt.c runtime/train/prompt.h \
	runtime/train/roles.c runtime/train/roles.h \
	runtime/train/result.c runtime/train/result.h \
	runtime/train/run.c runtime/train/run.h runtime/train/run_plan.c \
	runtime/train/salience.c runtime/train/salience.h \
	runtime/train/sample.c runtime/train/sample.h \
	runtime/train/score.c runtime/train/score.h \
	runtime/train/score_cache.c runtime/train/score_cache.h \
	runtime/train/task.c runtime/train/task.h runtime/train/task.def \
	runtime/train/task_causal_lm.c \
	runtime/train/task_classification.c \
	runtime/train/task_regression.c \
	runtime/train/tasks.c \
	runtime/train/tokenizer.c runtime/train/tokenizer.h \
	runtime/train/text_head.c runtime/train/text_head.h \
	runtime/train/trained.c runtime/train/trained.h \
	runtime/train/steps.c \
	runtime/train/trainer.c runtime/train/trainer.h runtime/train/trainer_priv.h
