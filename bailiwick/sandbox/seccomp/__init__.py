"""The system calls a container may make: one allow-list, in Docker's words, for both kinds of sandbox."""

from bailiwick.sandbox.seccomp.profile import PROFILE, bpf_program

__all__ = ["PROFILE", "bpf_program"]
