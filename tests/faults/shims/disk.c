/* A disk that fails on demand, for a process that is started with this in LD_PRELOAD.
 *
 *     gcc -shared -fPIC -O2 -Wall -Wextra -o disk.so disk.c
 *
 * While the file that FAIL_DISK_FILE names exists, nothing below the directory that FAIL_DISK_UNDER names can be written:
 * write, pwrite, ftruncate, and opening a file that would be made, fail with the error that the file's text is the number
 * of (28 ENOSPC, 30 EROFS, 5 EIO). Of a number with a minus only fsync and fdatasync fail, with the number without it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What fails at the moment: 0 nothing, above it the error of writes, below it that of syncs. */
static int failure(void)
{
    const char *path = getenv("FAIL_DISK_FILE");
    char text[16];
    int before = errno;
    int file = path ? NEXT(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    errno = before;
    if (length <= 0)
        return 0;
    text[length] = '\0';
    return atoi(text);
}

static int is_under(const char *path)
{
    const char *directory = getenv("FAIL_DISK_UNDER");
    return directory && strncmp(path, directory, strlen(directory)) == 0;
}

static int is_ours(int descriptor)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return is_under(path);
}

static int refuses(int descriptor, int is_sync)
{
    int what = failure();
    if ((is_sync ? what >= 0 : what <= 0) || !is_ours(descriptor))
        return 0;
    errno = is_sync ? -what : what;
    return 1;
}

ssize_t write(int descriptor, const void *octets, size_t count)
{
    return refuses(descriptor, 0) ? -1 : NEXT(write)(descriptor, octets, count);
}

ssize_t pwrite(int descriptor, const void *octets, size_t count, off_t offset)
{
    return refuses(descriptor, 0) ? -1 : NEXT(pwrite)(descriptor, octets, count, offset);
}

ssize_t pwrite64(int descriptor, const void *octets, size_t count, off64_t offset)
{
    return refuses(descriptor, 0) ? -1 : NEXT(pwrite64)(descriptor, octets, count, offset);
}

int ftruncate(int descriptor, off_t length) { return refuses(descriptor, 0) ? -1 : NEXT(ftruncate)(descriptor, length); }

int ftruncate64(int descriptor, off64_t length)
{
    return refuses(descriptor, 0) ? -1 : NEXT(ftruncate64)(descriptor, length);
}

int fsync(int descriptor) { return refuses(descriptor, 1) ? -1 : NEXT(fsync)(descriptor); }

int fdatasync(int descriptor) { return refuses(descriptor, 1) ? -1 : NEXT(fdatasync)(descriptor); }

static int refuses_open(const char *path, int flags)
{
    int what = failure();
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    if (what <= 0 || !is_under(path) || !((flags & O_CREAT && access(path, F_OK) != 0) || (what == EROFS && writes)))
        return 0;
    errno = what;
    return 1;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return refuses_open(path, flags) ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return refuses_open(path, flags) ? -1 : NEXT(open64)(path, flags, mode);
}
