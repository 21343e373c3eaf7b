#include "runtime/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

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

void sp_log(enum sp_log_level level, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    say(level, text);
    pthread_mutex_unlock(&lock);
}

void sp_log_once(enum sp_log_level level, const char *format, ...)
{
    static uint64_t said[ONCE_MAX];
    static size_t count;
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    char text[4096];
    size_t i = 0;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *p = text; *p; p++)
        sum = (sum ^ (unsigned char)*p) * 1099511628211u;
    pthread_mutex_lock(&lock);
    while (i < count && said[i] != sum)
        i++;
    if (i == count && count < ONCE_MAX) {
        said[count++] = sum;
        say(level, text);
    }
    pthread_mutex_unlock(&lock);
}
