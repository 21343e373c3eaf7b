check_PROGRAMS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c tests/unit/text_cases.h \
	tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_text_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_text tests/unit/text_cli.sh tests/unit/text_python.sh tests/unit/text_bpe.sh
dist_check_SCRIPTS += tests/unit/text_cli.sh tests/unit/text_python.sh tests/unit/text_bpe.sh
EXTRA_DIST += tests/tools/bpe_diff.py tests/tools/regex_tables.py tests/tools/tokenizer_cases.py tests/tools/tokenizer_diff.py tests/tools/tokenizer_folders.py \
	tests/tools/tokenizer_tables.py

check_PROGRAMS += tests/unit/test_tokenizer_config
tests_unit_test_tokenizer_config_SOURCES = tests/unit/test_tokenizer_config.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_tokenizer_config_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_tokenizer_config tests/unit/test_tokenizer_config-valgrind

check_PROGRAMS += tests/unit/test_sentencepiece
tests_unit_test_sentencepiece_SOURCES = tests/unit/test_sentencepiece.c tests/unit/sentencepiece_cases.h \
	tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_sentencepiece_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_sentencepiece tests/unit/text_sentencepiece.sh
dist_check_SCRIPTS += tests/unit/text_sentencepiece.sh
EXTRA_DIST += tests/tools/charsmap.py tests/tools/grapheme_table.py tests/tools/sentencepiece_cases.py \
	tests/tools/sentencepiece_diff.py

check_PROGRAMS += tests/unit/test_bpe
tests_unit_test_bpe_SOURCES = tests/unit/test_bpe.c tests/unit/bpe_definition.h tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_bpe_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_bpe

check_PROGRAMS += tests/unit/test_long_word
tests_unit_test_long_word_SOURCES = tests/unit/test_long_word.c tests/unit/io_files.c tests/unit/io_files.h
tests_unit_test_long_word_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) $(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_long_word

check_PROGRAMS += tests/fuzz/fuzz_text
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c tests/unit/bpe_definition.h tests/unit/io_files.c tests/unit/io_files.h
tests_fuzz_fuzz_text_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/fuzz/fuzz_text

check_PROGRAMS += tests/unit/test_chat tests/tools/show_chat
tests_tools_show_chat_SOURCES = tests/tools/show_chat.c
tests_tools_show_chat_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(LIBS_TEXT) $(LIBS_BASE)
EXTRA_DIST += tests/tools/chat_forms.py
tests_unit_test_chat_SOURCES = tests/unit/test_chat.c
tests_unit_test_chat_LDADD = runtime/text/libtext.a runtime/base/libbase.a $(CMOCKA_LIBS) \
	$(LIBS_TEXT) $(LIBS_BASE)
TESTS += tests/unit/test_chat tests/unit/test_chat-valgrind
