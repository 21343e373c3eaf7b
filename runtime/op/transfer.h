/*
 * The driver's own commands on buffers (layer 3), which plans rely on as they do on kernels: writing and reading,
 * filling, copying, mapping.
 */
#ifndef SP_OP_TRANSFER_H
#define SP_OP_TRANSFER_H

#include "runtime/op/op.h"

/* The self-test of these commands, in each process: they have no binary that a verdict could be kept for. */
int sp_transfer_check(struct sp_device *device);

#endif
