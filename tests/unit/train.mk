check_PROGRAMS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/unit/test_config

check_PROGRAMS += tests/unit/test_config_words
tests_unit_test_config_words_SOURCES = tests/unit/test_config_words.c
tests_unit_test_config_words_LDADD = $(tests_unit_test_config_LDADD)
TESTS += tests/unit/test_config_words tests/unit/test_config_words-valgrind

check_PROGRAMS += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c
tests_fuzz_fuzz_config_LDADD = $(tests_unit_test_config_LDADD)
TESTS += tests/fuzz/fuzz_config

check_PROGRAMS += tests/unit/test_task
tests_unit_test_task_SOURCES = tests/unit/test_task.c
tests_unit_test_task_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/unit/test_task tests/unit/test_task-valgrind

check_PROGRAMS += tests/unit/test_score
tests_unit_test_score_SOURCES = tests/unit/test_score.c tests/unit/near.h
tests_unit_test_score_LDADD = runtime/train/libtrain.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_BASE)
TESTS += tests/unit/test_score tests/unit/test_score-valgrind

check_PROGRAMS += tests/unit/test_loss_watch
tests_unit_test_loss_watch_SOURCES = tests/unit/test_loss_watch.c
tests_unit_test_loss_watch_LDADD = $(tests_unit_test_score_LDADD)
TESTS += tests/unit/test_loss_watch

check_PROGRAMS += tests/unit/test_gguf_run
tests_unit_test_gguf_run_SOURCES = tests/unit/test_gguf_run.c tests/unit/split_cases.h $(gguf_test_files)
tests_unit_test_gguf_run_LDADD = $(LIBS_ALL) $(CMOCKA_LIBS)
TESTS += tests/unit/test_gguf_run
EXTRA_DIST += tests/tools/split_cases.py
