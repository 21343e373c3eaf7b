/*
 * The request to stop (layer 0): a frontend's signal handler raises it, long loops ask for it
 * between steps, end cleanly and return SP_EINTR. One flag for the process; raising and asking are
 * safe in signal handlers and from any thread.
 */
#ifndef SP_BASE_INTERRUPT_H
#define SP_BASE_INTERRUPT_H

#include <stdbool.h>

void sp_interrupt(void);
bool sp_interrupted(void);

#endif
