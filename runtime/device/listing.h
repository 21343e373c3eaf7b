/*
 * While drivers are asked for their devices (layer 1): the loader loads every library that an .icd file names and asks
 * it, and what a library does there stops or hangs every command. Which of them it is no call says. Threading: one
 * listing at a time.
 */
#ifndef SP_DEVICE_LISTING_H
#define SP_DEVICE_LISTING_H

/* Inside runtime/device only. Between these two the listing is watched: after a tenth of its time a warning names the
 * drivers, after all of it, or two seconds after the user wanted to stop, the program is ended through the guard. */
void sp_listing_begin(void);
void sp_listing_end(void);

/* Of the listing that was begun last: "one of the OpenCL drivers A.icd, B.so", and what to do, as a part of a message
 * that begins with
 * "; ". For signal handlers, too. */
const char *sp_listing_drivers(void);
const char *sp_listing_advice(void);

#endif
