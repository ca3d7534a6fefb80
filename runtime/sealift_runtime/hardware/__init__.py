"""What this machine is, and which profile fits it, and why.

Reading order:

- ``cpuinfo``  /proc/cpuinfo as text in, instruction flags and a model name out
- ``cpu_flags``  sets of flags that decide something: which int8 saturates, which is quick
- ``limits``   what cgroups leave a process: memory and processor time
- ``accelerators``  what computes beside the processor
- ``machine``  this machine as a value
- ``document`` a machine as it is told to another
- ``match``    pure: does a profile fit a machine, and which one fits best

Decides by flags, never by names of processors. Never imports transport, store, engine, or anything above them.
"""
