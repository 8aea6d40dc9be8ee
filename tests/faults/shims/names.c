/* Names that end in .smsc.test, and a resolver that fails at times, for a process that is started with this in LD_PRELOAD.
 *
 *     gcc -shared -fPIC -O2 -Wall -Wextra -o names.so names.c
 *
 * Such a name is 127.0.0.1. While the file that FAIL_NAMES_FILE names exists, it cannot be found out (EAI_AGAIN): at once
 * where the file is empty, otherwise after as many seconds as its text says, as when no resolver answers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOMAIN_NAME ".smsc.test"

typedef int (*resolve_function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_ours(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return length > strlen(DOMAIN_NAME) && strcmp(name + length - strlen(DOMAIN_NAME), DOMAIN_NAME) == 0;
}

/* Whether the resolver fails; then after its time. */
static int fails(void)
{
    const char *path = getenv("FAIL_NAMES_FILE");
    FILE *file = path ? fopen(path, "re") : NULL;
    double seconds = 0;
    if (!file)
        return 0;
    if (fscanf(file, "%lf", &seconds) == 1 && seconds > 0 && seconds < 600) {
        struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
        nanosleep(&pause, NULL);
    }
    fclose(file);
    return 1;
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict result)
{
    resolve_function next = (resolve_function)dlsym(RTLD_NEXT, "getaddrinfo");
    if (!is_ours(name))
        return next(name, service, hints, result);
    return fails() ? EAI_AGAIN : next("127.0.0.1", service, hints, result);
}
