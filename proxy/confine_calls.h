/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that tarn-proxy may make once it runs. Found by tracing a full run (hits, misses, splices,
 * reload, drain), completed by what the libraries use instead on other kernels. For confine.c alone.
 */
#ifndef TARN_PROXY_CONFINE_CALLS_H
#define TARN_PROXY_CONFINE_CALLS_H

/* clang-format off */
/* X(name) */
#define CONFINE_CALLS(X) \
	/* loops, threads, memory, time */ \
	X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2) X(eventfd2) \
	X(timerfd_create) X(timerfd_settime) X(poll) X(ppoll) X(futex) X(brk) X(mmap) \
	X(munmap) X(mremap) X(mprotect) X(madvise) X(msync) X(mincore) X(set_robust_list) \
	X(rseq) X(sched_yield) X(sched_getaffinity) X(clock_gettime) X(clock_getres) \
	X(clock_nanosleep) X(gettimeofday) X(nanosleep) X(time) X(getrandom) \
	X(sched_setattr) X(restart_syscall) X(membarrier) X(getcpu) X(set_tid_address) X(arch_prctl) \
	/* signals, the end */ \
	X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(sigaltstack) X(tgkill) X(gettid) \
	X(getpid) X(getuid) X(geteuid) X(getgid) X(getegid) X(exit) X(exit_group) \
	/* sockets */ \
	X(bind) X(listen) X(accept4) X(accept) X(connect) X(shutdown) X(getsockname) \
	X(getpeername) X(getsockopt) X(setsockopt) X(recvfrom) X(recvmsg) X(recvmmsg) \
	X(sendto) X(sendmsg) X(sendmmsg) X(splice) X(sendfile) X(pipe2) \
	/* bytes and files */ \
	X(read) X(readv) X(pread64) X(preadv) X(write) X(writev) X(pwrite64) X(pwritev) \
	X(close) X(lseek) X(dup) X(fstat) X(stat) X(lstat) X(newfstatat) X(statx) X(statfs) \
	X(fstatfs) X(access) X(faccessat) X(faccessat2) X(open) X(openat) X(readlink) \
	X(readlinkat) X(getdents64) X(getcwd) X(fsync) X(fdatasync) X(sync_file_range) \
	X(ftruncate) X(fallocate) X(fadvise64) X(flock) X(unlink) X(unlinkat) X(rename) \
	X(renameat) X(renameat2) X(mkdir) X(mkdirat) X(umask) X(uname) X(sysinfo)
/* clang-format on */

#endif
