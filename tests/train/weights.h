/* For the tests of runs whose mask moves: what the device holds of the targets, bit for bit. */
#ifndef SP_TESTS_WEIGHTS_H
#define SP_TESTS_WEIGHTS_H

#include "runtime/train/run.h"

/* The pretrained weight of a target, row-major; the caller frees it. */
float *weights_pretrained(const struct sp_run *run, size_t param);

/* Every layout of the target holds these values, or the test fails. */
void weights_check(const struct sp_run *run, size_t param, const float *expected);

/* Every target is the pretrained weight, plus the adapter's value where that has one. */
void weights_check_adapter(const struct sp_run *run, const struct sp_adapter *adapter);

#endif
