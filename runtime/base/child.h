/*
 * Child processes (layer 0): this very program started anew with other arguments, so that a driver's crash, hang or
 * memory is the child's own. A program that starts children calls sp_child_begin at the start of main. Ownership: a
 * child that was started is waited for, by sp_child_wait. Threading: one thread has a child, and outlives it.
 */
#ifndef SP_BASE_CHILD_H
#define SP_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a child has for a standard stream: a file descriptor of the parent's, or one of these. */
enum {
    SP_CHILD_SAME = -1,    /* what the parent has */
    SP_CHILD_NOTHING = -2, /* /dev/null */
    SP_CHILD_SOCKET = -3,  /* a socket, whose other end is the parent's `fd` */
};

struct sp_child_setup {
    const char *const *arguments; /* as main has them, with the name that the program goes by; NULL ends them */
    int in, out, err;
    bool group; /* a process group of its own: what a terminal sends to all reaches it only through sp_child_signal */
};

struct sp_child {
    pid_t pid; /* 0: not started, or waited for */
    bool group;
    int fd; /* -1: none. The caller may close it, and then sets it so */
};

/* In a child: it ends with its parent, by SIGKILL, however that ends. Elsewhere: notes that children can be started. */
void sp_child_begin(void);

/* Whether this program called sp_child_begin, so that its children know what they are. */
bool sp_child_possible(void);

/* Other descriptors of the parent's are the child's, too, unless they close on exec. SP_EIO. */
int sp_child_start(struct sp_child *out, const struct sp_child_setup *setup);

/* A child that is this process as it stands, without its streams and signal handlers: it does `work` and ends, by
 * SIGKILL in any case, so that what it found out goes through shared memory. Before threads start. SP_EIO. */
int sp_child_fork(struct sp_child *out, void (*work)(void *user), void *user);

/* Whether the child ended within that time, negative: however long it takes; *status is then as waitpid's, and `fd`
 * closed. */
bool sp_child_wait(struct sp_child *child, double seconds, int *status);

/* Ends the child by SIGKILL and waits for it. One that the system cannot end, since a driver's call holds it there, is
 * left after some seconds; *status is then that of the signal all the same. */
void sp_child_kill(struct sp_child *child, int *status);

/* Sends a signal to the child, and to its group where that is its own. */
void sp_child_signal(const struct sp_child *child, int number);

/* "was ended by signal 9", "ended with exit status 1". */
void sp_child_describe(char *out, size_t size, int status);

/* Feeding and reading: bytes, or blocks (a length of 8 bytes, then the bytes), over a socket. False when the other side
 * is gone. */
bool sp_child_send(int fd, const void *data, size_t length);
bool sp_child_receive(int fd, void *data, size_t length);
bool sp_child_send_block(int fd, const void *data, size_t length);

/* Into new memory, with a zero behind it; false also for a block of more than `limit`, and when out of memory. */
bool sp_child_receive_block(int fd, void **out, size_t *length, size_t limit);

#endif
