/* A wall clock that is somewhere else, for a process that is started with this library in LD_PRELOAD.
 *
 *     gcc -shared -fPIC -O2 -Wall -Wextra -o clock.so clock.c
 *     YIZHAN_CLOCK_OFFSET_SECONDS=3600 LD_PRELOAD=./clock.so date
 *
 * CLOCK_REALTIME and its relatives are shifted by so many seconds (a decimal, negative for the past), wherever they are
 * asked for: clock_gettime, gettimeofday, time, timespec_get. CLOCK_MONOTONIC is left alone: timers and timeouts go on,
 * as they do when somebody sets the clock of a running machine. So is CLOCK_BOOTTIME, but for a file of its own,
 * YIZHAN_BOOT_CLOCK_OFFSET_FILE, in the same form as the one below.
 *
 * To step the clock while the process runs, name a file in YIZHAN_CLOCK_OFFSET_FILE that holds the offset; replace it by
 * renaming another one over it. It is looked at every ten milliseconds at most, and wins over the variable. A file that
 * is not there, or holds no number, changes nothing.
 *
 * Not shifted: times of files, which the kernel sets, and waits for a moment of CLOCK_REALTIME, which the kernel ends
 * by its own clock (CPython waits by CLOCK_MONOTONIC).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define LOOK_EVERY (SECOND / 100)

typedef int (*clock_function)(clockid_t, struct timespec *);

static _Atomic(clock_function) next_clock;

struct shift {
    _Atomic int64_t offset; /* nanoseconds */
    _Atomic int64_t looked_at; /* nanoseconds of CLOCK_MONOTONIC */
    const char *file;
};

static struct shift wall, boot;

/* Until start() has found the C library's function, which need not ask the kernel: others may ask the time before. */
static int kernel_clock(clockid_t clock, struct timespec *now)
{
    return (int)syscall(SYS_clock_gettime, clock, now);
}

static int true_clock(clockid_t clock, struct timespec *now)
{
    clock_function next = atomic_load_explicit(&next_clock, memory_order_relaxed);
    return next ? next(clock, now) : kernel_clock(clock, now);
}

/* Take the offset that `text` spells, in seconds; text that is no number changes nothing. */
static void take_offset(struct shift *shift, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end != text && isfinite(seconds) && fabs(seconds) < 9e9)
        atomic_store_explicit(&shift->offset, (int64_t)(seconds * 1e9), memory_order_relaxed);
}

static void read_offset_file(struct shift *shift)
{
    char text[64];
    int file = open(shift->file, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length > 0) {
        text[length] = '\0';
        take_offset(shift, text);
    }
}

/* Read the file when that was LOOK_EVERY ago; of several threads that find it so, one reads. */
static void look_at_file(struct shift *shift)
{
    struct timespec now;
    int error = errno;
    if (true_clock(CLOCK_MONOTONIC, &now) == 0) {
        int64_t at = now.tv_sec * SECOND + now.tv_nsec;
        int64_t before = atomic_load(&shift->looked_at);
        if (at - before >= LOOK_EVERY && atomic_compare_exchange_strong(&shift->looked_at, &before, at))
            read_offset_file(shift);
    }
    errno = error;
}

__attribute__((constructor)) static void start(void)
{
    const char *seconds = getenv("YIZHAN_CLOCK_OFFSET_SECONDS");
    if (seconds)
        take_offset(&wall, seconds);
    atomic_store(&next_clock, (clock_function)dlsym(RTLD_NEXT, "clock_gettime"));
    wall.file = getenv("YIZHAN_CLOCK_OFFSET_FILE");
    if (wall.file)
        read_offset_file(&wall);
    boot.file = getenv("YIZHAN_BOOT_CLOCK_OFFSET_FILE");
    if (boot.file)
        read_offset_file(&boot);
}

static int is_wall_clock(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = true_clock(clock, now);
    struct shift *shift = is_wall_clock(clock) ? &wall : clock == CLOCK_BOOTTIME ? &boot : NULL;
    if (result != 0 || !shift)
        return result;
    if (shift->file)
        look_at_file(shift);
    int64_t by = atomic_load_explicit(&shift->offset, memory_order_relaxed);
    int64_t nanoseconds = now->tv_nsec + by % SECOND;
    now->tv_sec += by / SECOND;
    if (nanoseconds < 0) {
        nanoseconds += SECOND;
        now->tv_sec -= 1;
    } else if (nanoseconds >= SECOND) {
        nanoseconds -= SECOND;
        now->tv_sec += 1;
    }
    now->tv_nsec = nanoseconds;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone; /* obsolete, and 0 on Linux for decades */
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return (time_t)-1;
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}
