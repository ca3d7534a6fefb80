"""What the three commands share at the terminal.

Reading order:

- ``printable``   text from outside, with what would steer a terminal escaped
- ``records``     a log record as one line, of text or of JSON
- ``printing``    the one way to standard output, standard error and the log
- ``commandline`` exit codes, ``--json``, and how errors are shown
- ``logs``        how much a process logs, and in which form
- ``suggestions``  which verb somebody meant who wrote one that isn't there
- ``logging_options``  ``-v``, ``-q`` and ``--log-format``, on every command of a program
"""
