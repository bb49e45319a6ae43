/* A disk, or a file system, on which one kind of call fails.
 *
 * FAULT_CALL  fsync, lock, mmap, write or truncate
 * FAULT_PATH  how the path of the file (or directory) ends
 * FAULT_ERRNO what the call fails with
 * FAULT_AT    which of the calls fails, from 1; 0: all
 *
 * To be preloaded: cc -shared -fPIC faulty_disk.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int calls;

static int fails(const char *call, int fd)
{
	const char *wanted = getenv("FAULT_CALL"), *end = getenv("FAULT_PATH");
	char link[64], path[4096];
	ssize_t size;
	int at;

	if (!wanted || !end || strcmp(wanted, call))
		return 0;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof path - 1);
	if (size < (ssize_t)strlen(end) || strncmp(path + size - strlen(end), end, strlen(end)))
		return 0;
	at = atoi(getenv("FAULT_AT"));
	if (at && __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != at)
		return 0;
	errno = atoi(getenv("FAULT_ERRNO"));
	return 1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)

int fsync(int fd) { REAL(fsync); return fails("fsync", fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return fails("fsync", fd) ? -1 : real(fd); }

#define LOCKING(name) \
int name(int fd, int command, ...) \
{ \
	va_list list; \
	void *argument; \
	REAL(name); \
	va_start(list, command); \
	argument = va_arg(list, void *); \
	va_end(list); \
	if ((command == F_SETLK || command == F_SETLKW) && fails("lock", fd)) \
		return -1; \
	return real(fd, command, argument); \
}
LOCKING(fcntl)
LOCKING(fcntl64)

#define MAPPING(name, offset_type) \
void *name(void *at, size_t size, int protection, int flags, int fd, offset_type offset) \
{ \
	REAL(name); \
	if ((flags & MAP_SHARED) && fails("mmap", fd)) \
		return MAP_FAILED; \
	return real(at, size, protection, flags, fd, offset); \
}
MAPPING(mmap, off_t)
MAPPING(mmap64, off64_t)

ssize_t write(int fd, const void *from, size_t size)
{ REAL(write); return fails("write", fd) ? -1 : real(fd, from, size); }
ssize_t pwrite(int fd, const void *from, size_t size, off_t at)
{ REAL(pwrite); return fails("write", fd) ? -1 : real(fd, from, size, at); }
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at)
{ REAL(pwrite64); return fails("write", fd) ? -1 : real(fd, from, size, at); }
int ftruncate(int fd, off_t size)
{ REAL(ftruncate); return fails("truncate", fd) ? -1 : real(fd, size); }
int ftruncate64(int fd, off64_t size)
{ REAL(ftruncate64); return fails("truncate", fd) ? -1 : real(fd, size); }
