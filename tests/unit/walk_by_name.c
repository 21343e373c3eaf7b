/* Walks as on a system that cannot open a link itself, in place of the library's own. */
#include <fcntl.h>
#undef O_PATH
#include "runtime/base/walk.c"
