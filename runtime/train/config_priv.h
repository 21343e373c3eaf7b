/* Names that people bring from other tools (layer 5, private to this folder): config_names.c. */
#ifndef SP_TRAIN_CONFIG_PRIV_H
#define SP_TRAIN_CONFIG_PRIV_H

#include "runtime/base/option.h"

extern const struct sp_option_hint sp_config_hints[]; /* a NULL ends them */
extern const char *const sp_config_foreign[];

#endif
