/*
 * An OpenCL driver that computes wrong numbers: a shared library for the ICD loader, which passes everything on to the
 * driver in $FAKE_CL_LIBRARY but the launches of the kernel that $FAKE_CL_KERNEL names ("*" at its end: all that begin
 * so). $FAKE_CL_MODE says what becomes of them:
 *
 *     skip    nothing runs
 *     cut     half of the work-groups run; where there is but one, none
 *     scale   what was written is 5 % too large
 *     poison  one of the numbers that were written is NaN
 *     crash   the driver's process gets a SIGSEGV
 *     hang    the launch never returns
 *     exit    the driver ends the process as one that has done its work
 *     fail    nothing runs, and the driver says so: CL_OUT_OF_RESOURCES
 *     none    the driver has no platform (clIcdGetPlatformIDsKHR), as one whose hardware is not there:
 *             CL_PLATFORM_NOT_FOUND_KHR
 *
 * $FAKE_CL_KERNEL may name one of these functions of OpenCL, too, with every mode that does not spoil:
 * clBuildProgram, clEnqueueFillBuffer, clEnqueueCopyBuffer, clEnqueueReadBuffer, clEnqueueWriteBuffer,
 * clEnqueueMapBuffer, clIcdGetPlatformIDsKHR, clGetDeviceIDs. Both are read at each call. Where $FAKE_CL_PROCESS is
 * set, only processes are disturbed whose arguments, with blanks between them, begin with it, the program's name
 * aside. One that hangs leaves its number in the file $FAKE_CL_HANGS. $FAKE_CL_LOADED is what becomes of each process
 * that loads the library: "crash", "exit" or "hang". The kernels' names that were launched are appended to
 * $FAKE_CL_LOG, each once.
 */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS

#include <CL/cl_icd.h>

#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ARGUMENTS = 32, KERNELS = 4096, BUFFERS = 65536, NAMES = 512, MAPPED = 64 };

static cl_icd_dispatch real, *table; /* as the driver made it; as it is now */

static cl_mem buffers[BUFFERS]; /* those that live */
static struct {
    cl_kernel kernel;
    void *arguments[ARGUMENTS]; /* of the size of a handle; NULL: of another one */
} kernels[KERNELS];
static void *mapped[MAPPED]; /* memory that stands in for a mapping */
static size_t buffer_count, kernel_count, mapped_count;

static void die(const char *what)
{
    fprintf(stderr, "fake_cl: %s\n", what);
    exit(70);
}

static cl_mem note_buffer(cl_mem buffer)
{
    if (buffer_count == BUFFERS)
        die("too many buffers");
    if (buffer)
        buffers[buffer_count++] = buffer;
    return buffer;
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *status)
{
    return note_buffer(real.clCreateBuffer(context, flags, size, host, status));
}

static cl_mem CL_API_CALL create_view(cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
                                      cl_int *status)
{
    return note_buffer(real.clCreateSubBuffer(buffer, flags, type, info, status));
}

/* References are not counted: the program holds one to each. */
static cl_int CL_API_CALL release_buffer(cl_mem buffer)
{
    for (size_t i = 0; i < buffer_count; i++)
        if (buffers[i] == buffer)
            buffers[i--] = buffers[--buffer_count];
    return real.clReleaseMemObject(buffer);
}

static void **arguments_of(cl_kernel kernel)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (kernels[i].kernel == kernel)
            return kernels[i].arguments;
    if (kernel_count == KERNELS)
        die("too many kernels");
    kernels[kernel_count].kernel = kernel;
    return kernels[kernel_count++].arguments;
}

static cl_int CL_API_CALL set_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    void **arguments = arguments_of(kernel);

    if (index >= ARGUMENTS)
        die("too many arguments");
    arguments[index] = NULL;
    if (size == sizeof(void *) && value)
        memcpy(&arguments[index], value, size);
    return real.clSetKernelArg(kernel, index, size, value);
}

static cl_int CL_API_CALL release_kernel(cl_kernel kernel)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (kernels[i].kernel == kernel)
            kernels[i] = kernels[--kernel_count];
    return real.clReleaseKernel(kernel);
}

static bool is_buffer(const void *handle)
{
    for (size_t i = 0; i < buffer_count; i++)
        if (buffers[i] == handle)
            return true;
    return false;
}

/* What the launch has changed, in the words of one buffer. */
static void spoil(uint32_t *after, const uint32_t *before, size_t count, bool poison, bool *done)
{
    for (size_t i = 0; i < count; i++) {
        float value;

        if (after[i] == before[i])
            continue;
        memcpy(&value, &after[i], sizeof value);
        value = poison ? NAN : value * 1.05f;
        if (!poison || !*done)
            memcpy(&after[i], &value, sizeof value);
        *done = true;
    }
}

static cl_int launch_and_spoil(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                               const size_t *global, const size_t *local, cl_event *event, bool poison)
{
    void **arguments = arguments_of(kernel);
    uint32_t *before[ARGUMENTS] = { NULL };
    size_t size[ARGUMENTS];
    bool done = false;
    cl_int rc;

    for (int i = 0; i < ARGUMENTS; i++) {
        bool again = false;

        for (int k = 0; k < i; k++)
            again = again || arguments[k] == arguments[i];
        if (!is_buffer(arguments[i]) || again)
            continue;
        real.clGetMemObjectInfo(arguments[i], CL_MEM_SIZE, sizeof size[i], &size[i], NULL);
        before[i] = malloc(size[i]);
        if (!before[i] ||
            real.clEnqueueReadBuffer(queue, arguments[i], CL_TRUE, 0, size[i], before[i], 0, NULL, NULL) != 0)
            die("a buffer cannot be read");
    }
    rc = real.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, 0, NULL, event);
    real.clFinish(queue);
    for (int i = 0; i < ARGUMENTS; i++) {
        uint32_t *after = before[i] ? malloc(size[i]) : NULL;

        if (!after)
            continue;
        real.clEnqueueReadBuffer(queue, arguments[i], CL_TRUE, 0, size[i], after, 0, NULL, NULL);
        spoil(after, before[i], size[i] / 4, poison, &done);
        real.clEnqueueWriteBuffer(queue, arguments[i], CL_TRUE, 0, size[i], after, 0, NULL, NULL);
        free(before[i]);
        free(after);
    }
    return rc;
}

/* Halves the first dimension that has more than one group; false where none has. */
static bool cut(size_t out[3], cl_uint dimensions, const size_t *global, const size_t *local)
{
    bool halved = false;

    for (cl_uint d = 0; d < dimensions; d++) {
        size_t groups = global[d] / (local ? local[d] : 1);

        out[d] = groups > 1 && !halved ? groups / 2 * (local ? local[d] : 1) : global[d];
        halved = halved || groups > 1;
    }
    return halved;
}

static void log_name(const char *name)
{
    static char names[NAMES][128];
    const char *path = getenv("FAKE_CL_LOG");
    FILE *file;
    int n = 0;

    while (n < NAMES - 1 && names[n][0] && strcmp(names[n], name) != 0)
        n++;
    if (!path || names[n][0])
        return;
    snprintf(names[n], sizeof names[n], "%s", name);
    file = fopen(path, "ae");
    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
}

/* Whether this process's arguments begin so. */
static bool is_process(const char *wanted)
{
    char line[4096];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0, at;

    if (file)
        fclose(file);
    line[length] = '\0';
    at = strlen(line) + 1;
    for (size_t i = at; i + 1 < length; i++)
        line[i] = line[i] ? line[i] : ' ';
    return at < length && strncmp(line + at, wanted, strlen(wanted)) == 0;
}

static bool is_chosen(const char *name)
{
    const char *chosen = getenv("FAKE_CL_KERNEL"), *process = getenv("FAKE_CL_PROCESS");
    size_t length = chosen ? strlen(chosen) : 0;

    if (process && process[0] && !is_process(process))
        return false;
    if (length && chosen[length - 1] == '*')
        return strncmp(name, chosen, length - 1) == 0;
    return length && strcmp(name, chosen) == 0;
}

/* For ever; the process's number is left in the file that $FAKE_CL_HANGS names. */
static void hang(void)
{
    const char *path = getenv("FAKE_CL_HANGS");
    FILE *file = path ? fopen(path, "we") : NULL;

    if (file) {
        fprintf(file, "%ld\n", (long)getpid());
        fclose(file);
    }
    for (;;)
        pause();
}

/* Whether the call of that name is not to be passed on; what it returns then. */
static bool disturb(cl_int *status, const char *name)
{
    static volatile char *volatile nowhere = (volatile char *)16;
    const char *mode = getenv("FAKE_CL_MODE");

    if (!mode || !mode[0] || !is_chosen(name))
        return false;
    if (strcmp(mode, "crash") == 0)
        *nowhere = 0; /* not raise: a handler of LLVM's takes a fault for one that happens again on return */
    if (strcmp(mode, "exit") == 0)
        exit(0);
    if (strcmp(mode, "hang") == 0)
        hang();
    *status = strcmp(mode, "fail") == 0   ? CL_OUT_OF_RESOURCES
              : strcmp(mode, "none") == 0 ? CL_PLATFORM_NOT_FOUND_KHR
                                          : CL_SUCCESS;
    return true;
}

/* The event of a command that was left out. */
static cl_int give_event(cl_int status, cl_command_queue queue, cl_uint waits, const cl_event *wait, cl_event *event)
{
    return status == CL_SUCCESS && event ? real.clEnqueueMarkerWithWaitList(queue, waits, wait, event) : status;
}

static cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                                 const size_t *global, const size_t *local, cl_uint waits, const cl_event *wait,
                                 cl_event *event)
{
    const char *mode = getenv("FAKE_CL_MODE");
    size_t half[3];
    char name[128] = "";
    cl_int status;

    real.clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    log_name(name);
    if (mode && is_chosen(name) && (strcmp(mode, "scale") == 0 || strcmp(mode, "poison") == 0))
        return launch_and_spoil(queue, kernel, dimensions, offset, global, local, event, mode[0] == 'p');
    if (mode && is_chosen(name) && strcmp(mode, "cut") == 0 && cut(half, dimensions, global, local))
        return real.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, half, local, waits, wait, event);
    if (disturb(&status, name))
        return give_event(status, queue, waits, wait, event);
    return real.clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, waits, wait, event);
}

static cl_int CL_API_CALL fill(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t length, size_t offset,
                               size_t size, cl_uint waits, const cl_event *wait, cl_event *event)
{
    cl_int status;

    if (disturb(&status, "clEnqueueFillBuffer"))
        return give_event(status, queue, waits, wait, event);
    return real.clEnqueueFillBuffer(queue, buffer, pattern, length, offset, size, waits, wait, event);
}

static cl_int CL_API_CALL copy(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
                               size_t size, cl_uint waits, const cl_event *wait, cl_event *event)
{
    cl_int status;

    if (disturb(&status, "clEnqueueCopyBuffer"))
        return give_event(status, queue, waits, wait, event);
    return real.clEnqueueCopyBuffer(queue, from, to, from_offset, to_offset, size, waits, wait, event);
}

static cl_int CL_API_CALL read_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                      size_t size, void *out, cl_uint waits, const cl_event *wait, cl_event *event)
{
    cl_int status;

    if (disturb(&status, "clEnqueueReadBuffer"))
        return give_event(status, queue, waits, wait, event);
    return real.clEnqueueReadBuffer(queue, buffer, blocking, offset, size, out, waits, wait, event);
}

static cl_int CL_API_CALL write_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset,
                                       size_t size, const void *data, cl_uint waits, const cl_event *wait,
                                       cl_event *event)
{
    cl_int status;

    if (disturb(&status, "clEnqueueWriteBuffer"))
        return give_event(status, queue, waits, wait, event);
    return real.clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, data, waits, wait, event);
}

static cl_int CL_API_CALL build(cl_program program, cl_uint count, const cl_device_id *devices, const char *options,
                                void(CL_CALLBACK *notify)(cl_program, void *), void *user)
{
    cl_int status;

    if (disturb(&status, "clBuildProgram"))
        return status;
    return real.clBuildProgram(program, count, devices, options, notify, user);
}

/* What is left out is what the memory should show. */
static void *CL_API_CALL map_buffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking, cl_map_flags flags,
                                    size_t offset, size_t size, cl_uint waits, const cl_event *wait, cl_event *event,
                                    cl_int *status)
{
    cl_int rc;
    void *out;

    if (!disturb(&rc, "clEnqueueMapBuffer"))
        return real.clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, size, waits, wait, event, status);
    out = rc == CL_SUCCESS ? calloc(1, size) : NULL;
    if (out && mapped_count < MAPPED)
        mapped[mapped_count++] = out;
    if (status)
        *status = rc;
    return out;
}

static cl_int CL_API_CALL unmap(cl_command_queue queue, cl_mem buffer, void *memory, cl_uint waits,
                                const cl_event *wait, cl_event *event)
{
    for (size_t i = 0; i < mapped_count; i++) {
        if (mapped[i] == memory) {
            free(memory);
            mapped[i] = mapped[--mapped_count];
            return give_event(CL_SUCCESS, queue, waits, wait, event);
        }
    }
    return real.clEnqueueUnmapMemObject(queue, buffer, memory, waits, wait, event);
}

static cl_int CL_API_CALL get_devices(cl_platform_id platform, cl_device_type type, cl_uint count,
                                      cl_device_id *devices, cl_uint *found)
{
    cl_int status;

    return disturb(&status, "clGetDeviceIDs") ? status : real.clGetDeviceIDs(platform, type, count, devices, found);
}

/* The table may lie where nothing is written after loading. */
static void open_pages(void *start, size_t length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)start & ~(page - 1);

    if (mprotect((void *)from, (uintptr_t)start + length - from, PROT_READ | PROT_WRITE) != 0)
        die("the driver's table cannot be written");
}

__attribute__((constructor)) static void loaded(void)
{
    static volatile char *volatile nowhere = (volatile char *)16;
    const char *what = getenv("FAKE_CL_LOADED");

    if (what && strcmp(what, "crash") == 0)
        *nowhere = 0;
    if (what && strcmp(what, "exit") == 0)
        _exit(0);
    while (what && strcmp(what, "hang") == 0)
        pause();
}

static void *driver_function(const char *name)
{
    static void *library;
    void *(*find)(const char *), *address;

    if (!library && getenv("FAKE_CL_LIBRARY"))
        library = dlopen(getenv("FAKE_CL_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (!library)
        die("no driver in $FAKE_CL_LIBRARY");
    address = dlsym(library, name);
    *(void **)&find = dlsym(library, "clGetExtensionFunctionAddress");
    return address || !find ? address : find(name);
}

CL_API_ENTRY cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint count, cl_platform_id *platforms, cl_uint *found)
{
    cl_int(CL_API_CALL * get)(cl_uint, cl_platform_id *, cl_uint *);
    cl_int rc;

    if (disturb(&rc, "clIcdGetPlatformIDsKHR"))
        return rc;
    *(void **)&get = driver_function("clIcdGetPlatformIDsKHR");
    rc = get ? get(count, platforms, found) : -1;
    if (rc != 0 || !platforms || count == 0 || table)
        return rc;
    table = *(cl_icd_dispatch **)platforms[0];
    real = *table;
    open_pages(table, sizeof *table);
    table->clCreateBuffer = create_buffer;
    table->clCreateSubBuffer = create_view;
    table->clReleaseMemObject = release_buffer;
    table->clSetKernelArg = set_argument;
    table->clReleaseKernel = release_kernel;
    table->clEnqueueNDRangeKernel = launch;
    table->clEnqueueFillBuffer = fill;
    table->clEnqueueCopyBuffer = copy;
    table->clEnqueueReadBuffer = read_buffer;
    table->clEnqueueWriteBuffer = write_buffer;
    table->clEnqueueMapBuffer = map_buffer;
    table->clEnqueueUnmapMemObject = unmap;
    table->clBuildProgram = build;
    table->clGetDeviceIDs = get_devices;
    return rc;
}

CL_API_ENTRY cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, size_t size,
                                                  void *value, size_t *needed)
{
    cl_int(CL_API_CALL * get)(cl_platform_id, cl_platform_info, size_t, void *, size_t *);

    *(void **)&get = driver_function("clGetPlatformInfo");
    return get ? get(platform, what, size, value, needed) : -1;
}

CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        return (void *)(uintptr_t)clIcdGetPlatformIDsKHR;
    if (strcmp(name, "clGetPlatformInfo") == 0)
        return (void *)(uintptr_t)clGetPlatformInfo;
    return driver_function(name);
}
