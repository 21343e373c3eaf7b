#include "runtime/op/geometry.h"

#define CHUNK 4096 /* elements of a work-item on CPUs */

int sp_geometry_rows_of(int columns)
{
    return columns < CHUNK / 8 ? CHUNK / columns : 8;
}

void sp_geometry_rows(struct sp_launch *launch, const struct sp_device *device, size_t rows, int per_item)
{
    size_t lanes = (size_t)sp_device_lanes(device);

    if (lanes > 1)
        per_item = 1;
    sp_launch_define(launch, "LANES", (long)lanes);
    sp_launch_define(launch, "ROWS", per_item);
    launch->local[0] = lanes;
    launch->global[0] = (rows + (size_t)per_item - 1) / (size_t)per_item * lanes;
}

void sp_geometry_elements(struct sp_launch *launch, const struct sp_device *device, size_t count)
{
    size_t lanes = (size_t)sp_device_lanes(device), chunk = lanes > 1 ? 1 : CHUNK, items = (count + chunk - 1) / chunk;

    sp_launch_define(launch, "LANES", (long)lanes);
    sp_launch_define(launch, "CHUNK", (long)chunk);
    launch->local[0] = lanes;
    launch->global[0] = (items + lanes - 1) / lanes * lanes;
}
