#include "runtime/base/log.h"

#include "runtime/base/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ONCE_MAX 64 /* texts that are known to have been said; what comes after them is not said at all */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sp_log_sink *current;
static void *current_user;

void sp_log_set_sink(sp_log_sink *sink, void *user)
{
    pthread_mutex_lock(&lock);
    current = sink;
    current_user = user;
    pthread_mutex_unlock(&lock);
}

static void say(enum sp_log_level level, const char *text)
{
    if (current)
        current(level, text, current_user);
}

/* A message as long as it is, for the caller to free; NULL when out of memory. */
__attribute__((format(printf, 1, 0))) static char *compose(const char *format, va_list args)
{
    va_list again;
    char *text;
    int length;

    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = length < 0 ? NULL : sp_calloc((size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

/* What is said of a message that there is no memory for. */
static const char *shown(const char *text, const char *format)
{
    return text ? text : format;
}

void sp_log(enum sp_log_level level, const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    text = compose(format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    say(level, shown(text, format));
    pthread_mutex_unlock(&lock);
    free(text);
}

/* Says the text, where it is the first of its kind, and frees it. */
static void say_once(const char *kind, enum sp_log_level level, char *text, const char *format)
{
    static uint64_t said[ONCE_MAX];
    static size_t count;
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    size_t i = 0;

    for (const char *p = kind ? kind : shown(text, format); *p; p++)
        sum = (sum ^ (unsigned char)*p) * 1099511628211u;
    pthread_mutex_lock(&lock);
    while (i < count && said[i] != sum)
        i++;
    if (i == count && count < ONCE_MAX) {
        said[count++] = sum;
        say(level, shown(text, format));
    }
    pthread_mutex_unlock(&lock);
    free(text);
}

void sp_log_once(enum sp_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_once(NULL, level, compose(format, args), format);
    va_end(args);
}

void sp_log_once_of(const char *kind, enum sp_log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_once(kind, level, compose(format, args), format);
    va_end(args);
}
