"""Paired and interleaved measurement, the same on a packager's machine and on a device.

Reading order:

- ``rows``        requests of any number of rows, made of some
- ``alternation`` several things timed in turns
- ``throughput``  rows per second with every core busy
"""
