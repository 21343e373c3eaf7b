#include "runtime/base/clock.h"

#include <sys/resource.h>
#include <time.h>

double sp_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

size_t sp_clock_peak_memory(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#ifdef __APPLE__
    return (size_t)usage.ru_maxrss; /* bytes there, kibibytes elsewhere */
#else
    return (size_t)usage.ru_maxrss * 1024;
#endif
}
