/*
 * Regular expressions of tokenizer.json (layer 4, for runtime/text), which are Oniguruma's in Ruby's syntax, by PCRE2.
 * PCRE2 never sees a character: the characters fall into at most 256 classes that a pattern cannot tell apart, each
 * class is a byte, and pattern and text are translated into such bytes. So what a letter is, is decided by our own
 * tables (charset.h), and a class of thousands of characters costs what one letter costs. A construct that is not
 * known, or that PCRE2 cannot take, is an error naming it.
 * Ownership: a regex is the caller's. Threading: read-only once compiled.
 */
#ifndef SP_TEXT_REGEX_H
#define SP_TEXT_REGEX_H

#include "runtime/base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct sp_regex;

/* Compiles a pattern; with `plain`, one whose every character stands for itself. `path` stands in messages. */
int sp_regex_compile(struct sp_regex **out, const char *pattern, bool plain, const char *path);
void sp_regex_free(struct sp_regex *regex);

/* Calls `found` for each match, text[start .. stop), from left to right; a match may be empty, but not directly behind
 * another. `memory` is to work with and may be kept for the next call. An error of `found` ends the search and is
 * returned; a match that takes too many steps is SP_ELIMIT. */
int sp_regex_find(const struct sp_regex *regex, struct sp_buf *memory, const char *text, size_t length,
                  int (*found)(void *context, size_t start, size_t stop), void *context);

#endif
