"""Takes reports in: verifies each, and keeps exactly the longest verified prefix of what a device told.

Reading order:

- ``decision``    pure: may this report join the chain?
- ``day``         pure: the sums of a model's last day, to which each report adds its windows
- ``clocks``      pure: how far a device's clock is off
- ``projection``  pure: a report as rows
- ``resumption``  a chain with a hole, or a device that was set back, goes on at an operator's word
- ``intake``      the shell: one report or enrolment, one transaction
- ``medium``      a whole medium that came back from an air-gapped site

Never imports api, dashboard or cli.
"""
