#include "runtime/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

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

void sp_log(enum sp_log_level level, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&lock);
    if (current)
        current(level, text, current_user);
    pthread_mutex_unlock(&lock);
}
