/*
 * JSON by jansson (layer 0): loading with a size limit, duplicate keys refused, and messages that name file, line and
 * column. Objects are jansson's own; json_decref releases them.
 */
#ifndef SP_BASE_JSON_H
#define SP_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Numbers that jansson has no value for - integers beyond 64 bits, 1e400, and the NaN, Infinity and -Infinity that
 * Python's json writes - are no fault of the file as long as nobody needs them: each is kept as it is spelt. The
 * getters below read it or refuse it by its key; to any other reader it is an object, which is none of the types that
 * it looks for: one that looks for objects asks sp_json_is_object.
 */

/* The spelling of a number that was kept so, borrowed; NULL for any other value. */
const char *sp_json_number_text(const json_t *value);

/* A string that holds half a surrogate pair, as Python's json.dumps writes an emoji that was cut ("\ud83d"), is kept
 * so, too: with U+FFFD in place of each half, borrowed; NULL for any other value. In a key such a half stays spelt, as
 * the six characters \ud83d. SP_JSON_CUT is what a message says of it. */
const char *sp_json_cut_text(const json_t *value);
#define SP_JSON_CUT                                                                                                    \
    "holds half a character (a \\uD800 to \\uDFFF alone), as a text that was cut inside an emoji: "                  \
    "mend it, or write \\ufffd"

/* Whether it is an object, and nothing that was kept as one. */
bool sp_json_is_object(const json_t *value);

/* Parses `length` bytes; `name` stands for the file in messages, `line` is the line they start on. Strings that hold
 * NUL (as \u0000) are refused, except with `nul`: the caller then goes by json_string_length. */
int sp_json_parse(json_t **out, const char *text, size_t length, const char *name, size_t line, bool nul);

/* Loads a whole file of at most `limit` bytes. {"error": "..."} alone, which a site sends in place of a file, is
 * refused as that. */
int sp_json_load(json_t **out, const char *path, size_t limit);

/* The value of `key`, borrowed; NULL when the key is missing or null, which are the same here, or `object` is none. */
const json_t *sp_json_member(const json_t *object, const char *key);

/* SP_EFORMAT where the text is such an answer: for files that are no JSON themselves. Else 0. */
int sp_json_refuse_answer(const char *path, const char *text, size_t length);

/* Stores the value of `key` as the right type, or leaves *out as it is when the key is missing or null; a wrong type is
 * SP_EFORMAT naming `name` and `key`. */
int sp_json_get_int(long long *out, const json_t *object, const char *key, const char *name);
int sp_json_get_double(double *out, const json_t *object, const char *key, const char *name);
int sp_json_get_string(const char **out, const json_t *object, const char *key, const char *name); /* borrowed */
int sp_json_get_bool(int *out, const json_t *object, const char *key, const char *name);

/* What json_dumps gives, with every character escaped that a terminal would not show: the same value. The caller frees
 * it; NULL when out of memory. */
char *sp_json_text(const json_t *value, size_t flags);

/* Writes `value` indented by two spaces, keys in the order of insertion, atomically. */
int sp_json_save(const json_t *value, const char *path);

#endif
