noinst_LIBRARIES += runtime/text/libtext.a
runtime_text_libtext_a_SOURCES = \
	runtime/text/added_tokens.c runtime/text/added_tokens.h \
	runtime/text/byte_level.c runtime/text/byte_level.h \
	runtime/text/chain.c runtime/text/chain.h \
	runtime/text/chat.c runtime/text/chat.h \
	runtime/text/charset.c runtime/text/charset.h \
	runtime/text/contradictions.c runtime/text/contradictions.h \
	runtime/text/grapheme.c runtime/text/grapheme.h runtime/text/grapheme_table.h \
	runtime/text/model_unigram.c \
	runtime/text/decoder_bpe.c \
	runtime/text/decoder_byte_fallback.c \
	runtime/text/decoder_byte_level.c \
	runtime/text/decoder_fuse.c \
	runtime/text/decoder_metaspace.c \
	runtime/text/decoder_replace.c \
	runtime/text/decoder_strip.c \
	runtime/text/decoder_wordpiece.c \
	runtime/text/decoding.c runtime/text/decoding.h \
	runtime/text/model_bpe.c \
	runtime/text/model_wordpiece.c \
	runtime/text/normal_form.c runtime/text/normal_form.h \
	runtime/text/normalizer_bert.c \
	runtime/text/normalizer_characters.c \
	runtime/text/normalizer_forms.c \
	runtime/text/normalizer_precompiled.c \
	runtime/text/normalizer_prepend.c \
	runtime/text/normalizer_replace.c \
	runtime/text/normalizer_strip.c \
	runtime/text/post_processor.c runtime/text/post_processor.h \
	runtime/text/pre_tokenizer_bert.c \
	runtime/text/pre_tokenizer_metaspace.c \
	runtime/text/pre_tokenizer_whitespace_split.c \
	runtime/text/pre_tokenizer_byte_level.c \
	runtime/text/pre_tokenizer_digits.c \
	runtime/text/pre_tokenizer_punctuation.c \
	runtime/text/pre_tokenizer_split.c \
	runtime/text/pre_tokenizer_whitespace.c \
	runtime/text/regex.c runtime/text/regex.h runtime/text/regex_priv.h \
	runtime/text/regex_parse.c runtime/text/regex_table.h \
	runtime/text/splitter.c runtime/text/splitter.h \
	runtime/text/stage.c runtime/text/stage.h runtime/text/stage.def \
	runtime/text/tokenizer.c runtime/text/tokenizer.h runtime/text/tokenizer_priv.h \
	runtime/text/tokenizer_decode.c runtime/text/tokenizer_encode.c \
	runtime/text/tokenizer_config.c runtime/text/tokenizer_config.h \
	runtime/text/trie.c runtime/text/trie.h \
	runtime/text/unicode.c runtime/text/unicode.h runtime/text/unicode_table.h \
	runtime/text/vocab.c runtime/text/vocab.h \
	runtime/text/vocab_json.c runtime/text/vocab_json.h \
	runtime/text/vocab_txt.c runtime/text/vocab_txt.h
