/*
 * Errors as values (layer 0). A function that can fail returns 0 or a negative SP_E* code; the sentence a person reads
 * is set once, where the fault is seen, in a per-thread buffer, and callers may put context in front of it:
 *
 *     while loading model.safetensors: header length 12 is ...
 *
 * Threading: each thread has its own message; a worker hands its message to its parent by copying it.
 */
#ifndef SP_BASE_ERROR_H
#define SP_BASE_ERROR_H

#include <stddef.h>

enum sp_error_code {
#define SP_ERROR(name, value, text) name = -(value),
#include "runtime/base/error.def"
#undef SP_ERROR
};

/* Sets the thread's message and returns `code`, so that `return sp_error(SP_EIO, ...)` is one line. */
int sp_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts lines behind the message that was just set, "\n    an excerpt\n    ^" or a compiler's log: each begins with a
 * newline and two blanks or more. Returns `code`. */
int sp_error_lines(int code, const char *lines);

/* Sets a message that another process's sp_error_message gave: what follows its first newline are such lines. Returns
 * `code`. */
int sp_error_received(int code, const char *text);

/* Puts "text: " in front of the thread's message; returns `code` unchanged. */
int sp_error_context(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The thread's message; "" when none was set. Borrowed until the next call in this thread. Its first sp_error_sentence
 * bytes are one line, and a newline in them is part of a name; lines may follow. */
const char *sp_error_message(void);
size_t sp_error_sentence(void);

/* A code's short text, for a message that was never set. */
const char *sp_error_name(int code);

#define SP_TRY(expression)                                                                                             \
    do {                                                                                                               \
        int sp_try_rc_ = (expression);                                                                                 \
        if (sp_try_rc_ < 0)                                                                                            \
            return sp_try_rc_;                                                                                         \
    } while (0)

/* As SP_TRY for functions with one way out: sets the local `rc` and goes to the label `out`. */
#define SP_GO(expression)                                                                                              \
    do {                                                                                                               \
        rc = (expression);                                                                                             \
        if (rc < 0)                                                                                                    \
            goto out;                                                                                                  \
    } while (0)

#endif
