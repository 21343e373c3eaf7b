/* What the heads of tasks with one label for a whole text have in common (layer 5). */
#ifndef SP_TRAIN_TEXT_HEAD_H
#define SP_TRAIN_TEXT_HEAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* As sp_task.fits, which the number of outputs may still speak against: whether config.json says that a head is for
 * something else. */
bool sp_text_head_fits(char *why, size_t size, size_t outputs, const json_t *config);

#endif
