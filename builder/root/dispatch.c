/*
 * The dispatcher: what the kernel starts when a program of the target's architecture is executed inside the target root.
 * binfmt_misc (flags P and F) hands over: argv[0] this program, argv[1] the path that was executed, argv[2] the argv[0]
 * that the caller wanted, then the arguments. If the program has a native twin, the twin takes its place; otherwise qemu.
 * Freestanding: it runs in roots that hold no library of the host's architecture. See docs/native-twins.md.
 */
#define NATIVE "/.pibake/native"
#define QEMU "/.pibake/qemu"
#define AT_FDCWD -100
#define O_PATH_CLOEXEC 012000000

enum { NR_EXECVE = 59, NR_EXIT = 60, NR_READLINK = 89, NR_OPENAT = 257 };

static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static char twin[4096] = NATIVE;

/* The path without symbolic links, as the kernel sees the open file, appended to NATIVE. */
static int resolve(const char *path)
{
	char link[] = "/proc/self/fd/\0\0\0\0";
	char digits[4];
	char *end = link + sizeof("/proc/self/fd/") - 1;
	long prefix = sizeof(NATIVE) - 1, length, count = 0;
	long fd;

	/* openat takes its flags in the third argument; O_PATH needs no mode. */
	fd = call(NR_OPENAT, AT_FDCWD, (long)path, O_PATH_CLOEXEC);
	if (fd < 0 || fd > 999)
		return 0;
	do {
		digits[count++] = '0' + fd % 10;
		fd /= 10;
	} while (fd);
	while (count)
		*end++ = digits[--count];
	length = call(NR_READLINK, (long)link, (long)twin + prefix, sizeof(twin) - prefix - 1);
	if (length <= 0)
		return 0;
	twin[prefix + length] = 0;
	return 1;
}

void dispatch(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	char **environment = argv + argc + 1;
	char *path;

	if (argc < 3)
		call(NR_EXIT, 127, 0, 0);
	path = argv[1];
	if (resolve(path))
		call(NR_EXECVE, (long)twin, (long)(argv + 2), (long)environment);
	/* qemu wants one word more than it was given here; the slot of argc, no longer needed, makes the room. */
	argv[-1] = QEMU;
	argv[0] = "-0";
	argv[1] = argv[2];
	argv[2] = path;
	call(NR_EXECVE, (long)QEMU, (long)(argv - 1), (long)environment);
	call(NR_EXIT, 126, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall dispatch\n");
