/*
 * What the layers above ops use of the layers below (layer 3): devices, buffers and the building of recorded kernels.
 * They see no OpenCL and launch nothing themselves.
 */
#ifndef SP_OP_OP_H
#define SP_OP_OP_H

#include "runtime/device/device.h"
#include "runtime/kernel/launch.h"

#endif
