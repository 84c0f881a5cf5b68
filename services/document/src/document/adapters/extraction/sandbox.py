"""Takes from this process what it does not need to read what it was given and write what it found.

Limits of memory, CPU time and files; then, on Linux, a filter of system calls (seccomp, kernel 3.17 on) that lets
through an exact list: no file is opened, no socket made, no program started. There is no way back from it.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable
from typing import Final

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_FILTER_MODE: Final = 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
"""SECCOMP_RET_ALLOW, _ERRNO with EPERM, _KILL_PROCESS."""
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_X32: Final = 0x40000000

CALLS: Final = {
    # read write close fstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn sched_yield mremap
    # madvise getpid exit gettimeofday getrusage sigaltstack gettid futex clock_gettime clock_nanosleep exit_group
    # tgkill getrandom rseq
    "x86_64": (0xC000003E, (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 28, 39, 60, 96, 98, 131, 186, 202, 228,
                            230, 231, 234, 318, 334)),
    "aarch64": (0xC00000B7, (63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 124, 216, 233, 172, 93, 169, 165,
                             132, 178, 98, 113, 115, 94, 131, 278, 293)),
}  # fmt: skip


def limit(memory: int, cpu_seconds: int) -> None:
    """Memory in bytes of address space; at the end of its CPU time the process gets SIGXCPU."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(what, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))


def close_off() -> None:
    """Raises OSError when the kernel has no such filter; elsewhere than on Linux there is none to set."""
    if sys.platform != "linux" or platform.machine() not in CALLS:
        return
    architecture, calls = CALLS[platform.machine()]
    program = b"".join(_filter(architecture, calls))
    code = ctypes.create_string_buffer(program)
    prog = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_SECCOMP, _FILTER_MODE, ctypes.addressof(prog))


def _prctl(libc: ctypes.CDLL, option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(word) for word in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *words):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _filter(architecture: int, calls: Iterable[int]) -> Iterable[bytes]:
    """Classic BPF over struct seccomp_data: the number of the call at 0, the architecture at 4."""
    yield _step(_LOAD, 4)
    yield _step(_EQUAL, architecture, yes=1)
    yield _step(_RETURN, _KILL)
    yield _step(_LOAD, 0)
    yield _step(_AT_LEAST, _X32, no=1)
    yield _step(_RETURN, _KILL)
    for call in calls:
        yield _step(_EQUAL, call, no=1)
        yield _step(_RETURN, _ALLOW)
    yield _step(_RETURN, _REFUSE)


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
