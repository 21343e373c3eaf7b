/* Which columns of a file a data set takes (layer 4, private to this folder). The rules stand
 * in dataset.h. */
#ifndef SP_DATA_COLUMNS_H
#define SP_DATA_COLUMNS_H

#include "runtime/data/dataset.h"

#define SP_COLUMN_NONE SIZE_MAX

struct sp_columns {
    size_t text, pair, label; /* from 0, or SP_COLUMN_NONE */
    bool ids;                 /* a row that has `input_ids` gives those */
};

/* Chooses the columns of an opened file that has some; SP_ECONFIG where it lacks them. */
int sp_columns_choose(struct sp_columns *out, const struct sp_reader *reader,
                      const struct sp_dataset_options *options);

#endif
