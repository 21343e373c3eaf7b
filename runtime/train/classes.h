/*
 * What is said of a data set's classes (layer 5): which there are, and which of them may be none. Threading: one
 * thread.
 */
#ifndef SP_TRAIN_CLASSES_H
#define SP_TRAIN_CLASSES_H

#include "runtime/train/run.h"

/* "2 classes: neg (3), pos (4)", with the rows of each where the data has labels; else the run's. */
int sp_classes_say(struct sp_buf *out, const struct sp_run *run, const struct sp_dataset *dataset);

/* Warns of a training set's classes that look like missing values, numbers with commas, one name in two cases, or the
 * header once more, and of those with one row. */
void sp_classes_warn(const struct sp_dataset *dataset, const char *path);

#endif
