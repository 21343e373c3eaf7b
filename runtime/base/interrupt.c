#include "runtime/base/interrupt.h"

#include <stdatomic.h>

static atomic_bool raised; /* lock-free, as signal handlers need */

void sp_interrupt(void)
{
    atomic_store(&raised, true);
}

bool sp_interrupted(void)
{
    return atomic_load(&raised);
}
