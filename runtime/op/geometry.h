/*
 * How row-wise and elementwise kernels are laid on a device (layer 3). One source serves both kinds through
 * -DLANES, which is sp_device_lanes:
 *
 *     LANES = 1   CPUs: a work-group of one, float16 vectors, a block of rows or of elements each; no barriers
 *     LANES > 1   GPUs: a work-group of LANES work-items to a row, tree reductions in local memory; or an element each
 */
#ifndef SP_OP_GEOMETRY_H
#define SP_OP_GEOMETRY_H

#include "runtime/kernel/launch.h"

#include <stddef.h>

/* Enough for more than two work-items, the last of them not full: what the case of a launch has (check.h). */
enum { SP_GEOMETRY_ROWS = 19, SP_GEOMETRY_ELEMENTS = 2 * 4096 + 17 };
#define SP_GEOMETRY_ITEMS(per_item) (2 * (per_item) + 3)

/* Rows of `columns` columns that are a CPU work-item's share: about as many elements as sp_geometry_elements gives it,
 * but at least 8. */
int sp_geometry_rows_of(int columns);

/* Defines LANES and ROWS and sets the work size for `rows` rows, `per_item` rows a work-item on CPUs; on GPUs as many
 * groups as rows, as FOR_ROWS takes for granted. */
void sp_geometry_rows(struct sp_launch *launch, const struct sp_device *device, size_t rows, int per_item);

/* Defines LANES and CHUNK and sets the work size for `count` elements, CHUNK a work-item on CPUs, one on GPUs. */
void sp_geometry_elements(struct sp_launch *launch, const struct sp_device *device, size_t count);

#endif
