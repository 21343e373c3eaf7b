/* How long drivers may take to be loaded and to list their devices (layer 1). */
#ifndef SP_DEVICE_LIMIT_H
#define SP_DEVICE_LIMIT_H

#define SP_DRIVER_VARIABLE "SPEFT_DRIVER_TIMEOUT"

/* In seconds: that variable's, 300 by default; 0: as long as they like. */
int sp_driver_seconds(void);

#endif
