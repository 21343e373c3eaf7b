/*
 * Messages to the person running the program (layer 0). The library never prints: a frontend installs a sink, and
 * without one nothing is said. Threading: set the sink before threads start; the sink is called under a lock.
 */
#ifndef SP_BASE_LOG_H
#define SP_BASE_LOG_H

enum sp_log_level { SP_LOG_DEBUG, SP_LOG_INFO, SP_LOG_WARNING };

typedef void sp_log_sink(enum sp_log_level level, const char *text, void *user);

void sp_log_set_sink(sp_log_sink *sink, void *user);
void sp_log(enum sp_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, but a text is said once in the life of the process, as what is found again at every file would be. */
void sp_log_once(enum sp_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for what is alike where the texts are not: once for each `kind`. */
void sp_log_once_of(const char *kind, enum sp_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
