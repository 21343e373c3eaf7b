/*
 * Unicode's normalization forms as the `tokenizers` library has them (layer 4, text): with the data of Unicode 9.0, so
 * that later characters stay as they are. Threading: pure functions.
 */
#ifndef SP_TEXT_NORMAL_FORM_H
#define SP_TEXT_NORMAL_FORM_H

#include "runtime/text/stage.h"

/* A character that waits for its order, in a list of marks. */
#define SP_MARK(combining, c) ((uint32_t)(combining) << 24 | (c))
#define SP_MARK_CLASS(mark) ((mark) >> 24)
#define SP_MARK_CHARACTER(mark) ((mark) & 0xFFFFFF)

/* Puts the marks into canonical order: by class, equal ones as they were. It is linear, as all of a text may be
 * marks. */
int sp_marks_sort(struct sp_ids *marks);

/* Appends the text in NFC, NFD, NFKC or NFKD; `marks` is memory to work with. */
int sp_normal_form(struct sp_buf *out, struct sp_ids *marks, const char *text, size_t length, bool compatibility,
                   bool composed);

#endif
