/*
 * What happens when a driver crashes (layer 1). Once installed, SIGSEGV, SIGBUS, SIGILL, SIGFPE and
 * SIGABRT inside an OpenCL call, or in a driver's thread while kernels run, are turned into one
 * sentence that names the device, the driver and what it was doing, and a SIGBUS in a mapped file
 * (runtime/base/fs.h), whichever thread reads it, into one that names the file; any other crash goes
 * where it went before. Install it in main before the first device is listed, so that drivers that handle
 * signals of their own come in front of it.
 */
#ifndef SP_DEVICE_GUARD_H
#define SP_DEVICE_GUARD_H

#include <stddef.h>

/* `crashed` is called in a signal handler, or where the process ends: it may only write(2) the message and _exit(2).
 * When it returns, the crash takes its usual course. */
void sp_device_guard_install(void (*crashed)(const char *message, size_t length));

/* The end of the work: until this was called, a driver that ends the process by exit() or quick_exit() is told of like
 * a crash, so that no status of its own is taken for success. */
void sp_device_guard_end(void);

/* Passes the message on as that of a crash; nothing where no guard is installed. */
void sp_device_guard_tell(const char *message);

/* Puts the handler of SIGABRT back in front, once it is installed: for after the calls in which a driver compiles. LLVM
 * then installs handlers of its own, and puts the earlier ones back only once one of its own has run. A fault happens
 * again then and finds ours, but abort() comes but once. */
void sp_device_guard_renew(void);

#endif
