/* What the benchmarks of kernels share: clock, median, random numbers on a device. Threading: none. */
#ifndef SP_BENCH_H
#define SP_BENCH_H

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/mem.h"
#include "runtime/device/device.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SP_BENCH_REPEATS 99 /* at most */

/* Wall clock; or the processor time of the process over the machine's cores, where others use these, too. */
static inline double sp_bench_now(bool processor_time)
{
    struct timespec t;

    if (!processor_time || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        return sp_clock_now();
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / (double)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Sorts `x`. */
static inline double sp_bench_median(double *x, int count)
{
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && x[k] < x[k - 1]; k--) {
            double t = x[k];

            x[k] = x[k - 1], x[k - 1] = t;
        }
    return x[count / 2];
}

/* A buffer of `count` floats in [-1, 1). */
static inline int sp_bench_numbers(struct sp_buffer **out, struct sp_device *device, size_t count)
{
    float *x = sp_calloc(count, sizeof *x);
    int rc;

    if (!x)
        return SP_ENOMEM;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((double)(uint32_t)((uint32_t)i * 2654435761u) * 0x1p-31 - 1);
    rc = sp_buffer_create(out, device, count * sizeof *x);
    if (rc == 0)
        rc = sp_buffer_write(*out, 0, x, count * sizeof *x);
    free(x);
    return rc;
}

/* One thread's part of a plain read. */
struct sp_bench_part {
    pthread_t thread;
    const uint64_t *words;
    size_t count;
    uint64_t sum;
};

static inline void *sp_bench_read_part(void *user)
{
    struct sp_bench_part *p = user;
    uint64_t s[8] = { 0 };

    for (size_t i = 0; i + 8 <= p->count; i += 8)
        for (int k = 0; k < 8; k++)
            s[k] ^= p->words[i + (size_t)k];
    for (int k = 0; k < 8; k++)
        p->sum ^= s[k];
    return NULL;
}

/* The seconds that reading so many words takes, by a thread a core: what the machine's memory gives. */
static inline double sp_bench_read(const uint64_t *words, size_t count, bool processor_time)
{
    struct sp_bench_part parts[64];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = cores < 1 ? 1 : cores > 64 ? 64 : (size_t)cores;
    double start = sp_bench_now(processor_time);

    for (size_t i = 0; i < n; i++) {
        parts[i] = (struct sp_bench_part){ .words = words + count / n * i, .count = count / n };
        if (pthread_create(&parts[i].thread, NULL, sp_bench_read_part, &parts[i]) != 0)
            return 0;
    }
    for (size_t i = 0; i < n; i++)
        pthread_join(parts[i].thread, NULL);
    return sp_bench_now(processor_time) - start;
}

#endif
