/*
 * Faults inside an agent, put there by LD_PRELOAD: a disk that fails and a clock that jumps.
 *
 * The file that GRIDPEER_INJECT names is mapped and read at each call, so that faults come and go
 * while the agent runs; what was really done is counted there. tests/thrash/inject.py writes it.
 * Only regular files on the given device are hurt, and only CLOCK_REALTIME is shifted: what a
 * process measures by CLOCK_MONOTONIC or CLOCK_BOOTTIME stays true, as when an operator sets a
 * clock. Beside that, the n-th call of one kind can be made to fail, once.
 */
#undef _FILE_OFFSET_BITS /* else <unistd.h> calls pwrite pwrite64, and both are wanted here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef enum kind { SYNC, WRITE, SHORT, CLOCK, MALLOC, SEND, KINDS } kind_t;

/* As tests/thrash/inject.py packs it. */
typedef struct inject {
    int64_t shift_ns;              /* of CLOCK_REALTIME */
    uint64_t device;               /* whose regular files may be hurt */
    uint64_t seed;                 /* which calls are hit */
    uint32_t sync_permille;        /* fsync and fdatasync that fail */
    uint32_t write_permille;       /* writes that fail */
    uint32_t short_permille;       /* writes that write only half */
    int32_t error;                 /* errno of what fails */
    uint32_t nth_kind;             /* of it, ... */
    uint32_t pid;                  /* ... in this process (0: in any), ... */
    uint64_t nth;                  /* ... the n-th call fails; 0: none */
    _Atomic uint64_t calls[KINDS]; /* that could have been hurt */
    _Atomic uint64_t done[KINDS];  /* that were */
} inject_t;

static inject_t *inject;

__attribute__((constructor)) static void inject_open(void)
{
    const char *name = getenv("GRIDPEER_INJECT");
    int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof *inject, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    inject = at == MAP_FAILED ? NULL : at;
    close(fd);
}

/* Finds the function that would have been called; `to` points to a pointer to it. */
static void find_next(void *to, const char *name)
{
    void *next = dlsym(RTLD_NEXT, name);
    if (next == NULL) {
        abort();
    }
    memcpy(to, &next, sizeof next);
}

#define NEXT(name) (next == NULL ? find_next(&next, name) : (void)0, next)

static uint64_t mix(uint64_t z) /* splitmix64 */
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool strikes(kind_t kind, uint32_t permille)
{
    uint64_t call = atomic_fetch_add(&inject->calls[kind], 1) + 1;
    bool nth = inject->nth == call && inject->nth_kind == (uint32_t)kind &&
               (inject->pid == 0 || inject->pid == (uint32_t)getpid());
    bool hit = nth || (permille > 0 && mix(inject->seed ^ call << 3 ^ kind) % 1000 < permille);
    if (hit) {
        atomic_fetch_add(&inject->done[kind], 1);
    }
    return hit;
}

static bool can_hurt(int fd)
{
    struct stat status;
    return inject != NULL && fd > STDERR_FILENO && fstat(fd, &status) == 0 &&
           S_ISREG(status.st_mode) && status.st_dev == inject->device;
}

static bool fails(kind_t kind, uint32_t permille)
{
    if (!strikes(kind, permille)) {
        return false;
    }
    errno = inject->error;
    return true;
}

/* ---- the disk -------------------------------------------------------------------------------- */

int fsync(int fd)
{
    static int (*next)(int);
    return can_hurt(fd) && fails(SYNC, inject->sync_permille) ? -1 : NEXT("fsync")(fd);
}

int fdatasync(int fd)
{
    static int (*next)(int);
    return can_hurt(fd) && fails(SYNC, inject->sync_permille) ? -1 : NEXT("fdatasync")(fd);
}

/* How many of these bytes may be written; -1: the call fails. */
static ssize_t allowed(int fd, size_t n)
{
    if (!can_hurt(fd)) {
        return (ssize_t)n;
    }
    if (fails(WRITE, inject->write_permille)) {
        return -1;
    }
    return n > 1 && strikes(SHORT, inject->short_permille) ? (ssize_t)(n / 2) : (ssize_t)n;
}

ssize_t write(int fd, const void *from, size_t n)
{
    static ssize_t (*next)(int, const void *, size_t);
    ssize_t may = allowed(fd, n);
    return may < 0 ? -1 : NEXT("write")(fd, from, (size_t)may);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    ssize_t may = allowed(fd, n);
    return may < 0 ? -1 : NEXT("pwrite")(fd, from, (size_t)may, offset);
}

ssize_t pwrite64(int fd, const void *from, size_t n, off64_t offset)
{
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    ssize_t may = allowed(fd, n);
    return may < 0 ? -1 : NEXT("pwrite64")(fd, from, (size_t)may, offset);
}

/* ---- the clock ------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static int (*next)(clockid_t, struct timespec *);
    int result = NEXT("clock_gettime")(clock, ret);
    bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (result == 0 && real && inject != NULL && inject->shift_ns != 0) {
        atomic_fetch_add(&inject->done[CLOCK], 1);
        int64_t ns = ret->tv_nsec + inject->shift_ns % 1000000000;
        int64_t carry = ns < 0 ? -1 : ns >= 1000000000 ? 1 : 0;
        ret->tv_sec += inject->shift_ns / 1000000000 + carry;
        ret->tv_nsec = ns - carry * 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return result;
}

time_t time(time_t *ret)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL) {
        *ret = now.tv_sec;
    }
    return now.tv_sec;
}

/* ---- memory and messages: only the n-th call ------------------------------------------------- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *old, size_t n);

static bool no_memory(void)
{
    if (inject == NULL || !strikes(MALLOC, 0)) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return no_memory() ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    return no_memory() ? NULL : __libc_calloc(count, n);
}

void *realloc(void *old, size_t n)
{
    return no_memory() ? NULL : __libc_realloc(old, n);
}

static bool no_send(void)
{
    return inject != NULL && fails(SEND, 0);
}

ssize_t send(int fd, const void *from, size_t n, int flags)
{
    static ssize_t (*next)(int, const void *, size_t, int);
    return no_send() ? -1 : NEXT("send")(fd, from, n, flags);
}

ssize_t sendto(int fd, const void *from, size_t n, int flags, __CONST_SOCKADDR_ARG to,
               socklen_t length)
{
    static ssize_t (*next)(int, const void *, size_t, int, __CONST_SOCKADDR_ARG, socklen_t);
    return no_send() ? -1 : NEXT("sendto")(fd, from, n, flags, to, length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*next)(int, const struct msghdr *, int);
    return no_send() ? -1 : NEXT("sendmsg")(fd, message, flags);
}
