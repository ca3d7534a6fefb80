"""What the three commands share at the terminal.

Reading order:

- ``printable``   text from outside, with what would steer a terminal escaped
- ``printing``    the one way to standard output, standard error and the log
- ``commandline`` exit codes, ``--json``, and how errors are shown
"""
