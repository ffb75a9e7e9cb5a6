/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarn-first: the initramfs's only program, static. Loads the few modules that are needed to see the root, mounts
 * /root.squashfs (which came with the kernel, in the same signed file), makes it the root and becomes its init.
 * What fails here can't be mended here: it is said on the console, and the machine starts again, so that boot
 * counting ends at a slot that works.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT "/root"

__attribute__((noreturn)) static void give_up(const char *what)
{
	dprintf(STDERR_FILENO, "TARN first error=%s errno=%d action=reboot\n", what, errno);
	sleep(3);
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static int is_module(const struct dirent *entry)
{
	return strstr(entry->d_name, ".ko") != NULL;
}

/* In the order of their names. One that the kernel has built in is no loss. */
static void modules_load(void)
{
	struct dirent **entries;
	char path[300];
	int n = scandir("/modules", &entries, is_module, alphasort), fd;

	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "/modules/%s", entries[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			dprintf(STDERR_FILENO, "TARN first module=%s errno=%d\n",
				entries[i]->d_name, errno);
		if (fd >= 0)
			close(fd);
	}
}

static void root_mount(void)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR };
	int file = open("/root.squashfs", O_RDONLY | O_CLOEXEC);
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE), loop;
	char path[32];

	if (file < 0 || number < 0)
		give_up("loop-control");
	(void)snprintf(path, sizeof(path), "/dev/loop%d", number);
	loop = open(path, O_RDONLY | O_CLOEXEC);
	config.fd = (unsigned)file;
	if (loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config))
		give_up("loop");
	if (mount(path, ROOT, "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL))
		give_up("squashfs");
	close(control);
}

/* As switch_root(8): the old root is hidden below the new one. Its name goes, its bytes are the loop device's. */
static void root_enter(void)
{
	(void)unlink("/root.squashfs");
	if (mount("/dev", ROOT "/dev", NULL, MS_MOVE, NULL))
		give_up("dev");
	if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		give_up("root");
}

int main(void)
{
	static char *const argv[] = { "/sbin/init", NULL };
	static char *const envp[] = { "PATH=/usr/bin:/usr/sbin", "HOME=/root", NULL };

	if (mount("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755"))
		give_up("devtmpfs");
	modules_load();
	root_mount();
	root_enter();
	execve(argv[0], argv, envp);
	give_up("init");
}
