/*
 * What the program says leaves through here (layer 7): names, labels, paths and drivers' texts are in it, and a
 * terminal obeys some of what they may hold. Characters that are not shown are escaped (sp_text_show), wherever the
 * output goes. JSON is written by sp_json_text instead, and what is of the program's own words and of numbers alone by
 * printf.
 */
#ifndef SP_CLI_TERMINAL_H
#define SP_CLI_TERMINAL_H

#include <stddef.h>

/* Writes `before` as it is, then the message and a newline, to standard error. What follows its first `sentence` bytes
 * are lines of its own (sp_error_sentence); a newline in these bytes is escaped. */
void sp_terminal_say(const char *before, const char *text, size_t sentence);

/* Writes a text of several lines to standard output: its newlines stay, everything else is escaped. */
void sp_terminal_text(const char *text, size_t length);

/* Prints one line on standard output; a newline in it is escaped, too, and one follows. */
void sp_terminal_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes the message to `out` as it may be shown, as much as fits, and returns the length. Async-signal-safe. */
size_t sp_terminal_escape(char *out, size_t size, const char *text, size_t length);

#endif
