"""From a profile's candidates to the one that ships.

Reading order:

- ``reference``  what candidates are compared with
- ``folds``      which rows calibrate, which judge
- ``evaluate``   answers, and what they lose
- ``revert``     which nodes go back to fp32 when int8 misses the gate
- ``run``        one candidate, built and judged
- ``objectives`` what a profile wants to be small
- ``choose``     the decision, and why the others don't ship
"""
