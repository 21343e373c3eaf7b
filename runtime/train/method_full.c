/* full: every weight. */
#include "runtime/train/config_priv.h"
#include "runtime/train/method.h"
#include "runtime/train/roles.h"

#define RATE 5e-5

const struct sp_method sp_method_full = {
    .name = "full",
    .summary = "all weights, by default with learning_rate " SP_CONFIG_DIGITS(RATE),
    .learning_rate = RATE,
    .assign = sp_roles_of_all,
};
