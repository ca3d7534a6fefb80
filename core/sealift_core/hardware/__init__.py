"""What a machine is, which hardware profile fits it, and why.

Reading order:

- ``cpuinfo``  /proc/cpuinfo as text in, instruction flags and a model name out
- ``cpu_flags`` the sets of processor flags that kernels need
- ``limits``   what cgroups leave a process: memory and processor time
- ``accelerators``  what computes beside the processor
- ``machine``  this machine as a value
- ``document`` a machine as it is described to another
- ``profile``  a class of hardware
- ``match``    pure: does a profile fit a machine, and which one fits best

Decides by flags, never by names of processors.
"""
