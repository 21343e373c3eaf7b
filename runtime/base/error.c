#include "runtime/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 4096

static _Thread_local char message[MESSAGE_SIZE];
static _Thread_local size_t sentence; /* bytes of it, before lines that belong to it */

int sp_error(int code, const char *format, ...)
{
    char text[MESSAGE_SIZE]; /* the arguments may point into the message itself */
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(message, text, sizeof message);
    sentence = strlen(message);
    return code;
}

int sp_error_lines(int code, const char *lines)
{
    snprintf(message + sentence, sizeof message - sentence, "%s", lines);
    return code;
}

int sp_error_received(int code, const char *text)
{
    size_t length = strcspn(text, "\n");

    sp_error(code, "%.*s", (int)(length < MESSAGE_SIZE ? length : MESSAGE_SIZE), text);
    return sp_error_lines(code, text + length);
}

int sp_error_context(int code, const char *format, ...)
{
    char text[2 * MESSAGE_SIZE];
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, MESSAGE_SIZE, format, args);
    va_end(args);
    if (length < 0 || length >= MESSAGE_SIZE)
        return code;
    if (!message[0])
        sp_error(code, "%s", sp_error_name(code));
    snprintf(text + length, MESSAGE_SIZE + 2, ": %s", message);
    text[MESSAGE_SIZE - 1] = '\0';
    memcpy(message, text, sizeof message);
    sentence += (size_t)length + 2;
    sentence = sentence < strlen(message) ? sentence : strlen(message);
    return code;
}

const char *sp_error_message(void)
{
    return message;
}

size_t sp_error_sentence(void)
{
    return sentence;
}

const char *sp_error_name(int code)
{
    switch (code) {
#define SP_ERROR(name, value, text)                                                                                    \
    case name:                                                                                                         \
        return text;
#include "runtime/base/error.def"
#undef SP_ERROR
    default:
        return "unknown error";
    }
}
