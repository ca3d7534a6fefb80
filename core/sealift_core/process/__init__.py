"""Processes of our own that read what others made, and can do no harm with it.

Reading order:

- ``child``     a process with a time limit, a clean environment, and its result on a descriptor of its own
- ``memory``    what a process takes, and a bound on it
- ``confined``  a module run in such a process, behind the walls of ``sandbox``: what the rest of the code calls
- ``sandbox``   the walls, in the order in which they are put up, and what of them this machine has
- ``landlock``  which files may be read (Linux 5.13 and later)
- ``seccomp``   which system calls may be made: to compute, and nothing else
- ``syscalls``  their numbers
- ``identity``  another user, and no capabilities
- ``probe``     what doctor runs: do the walls hold?
- ``descriptors``  how many files and connections a process may have open
- ``kernel``    the doors to the kernel that Python's library lacks

Imports nothing heavier than ctypes: a confined process imports its libraries behind the walls.
"""
