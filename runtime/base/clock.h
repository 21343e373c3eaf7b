/* Time and the process's memory (layer 0). */
#ifndef SP_BASE_CLOCK_H
#define SP_BASE_CLOCK_H

#include <stddef.h>

/* Seconds on the monotonic clock, from an arbitrary origin. */
double sp_clock_now(void);

/* The process's largest resident set so far, in bytes; 0 where the system does not tell. */
size_t sp_clock_peak_memory(void);

#endif
