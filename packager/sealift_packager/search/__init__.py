"""From a profile's specs to the candidate that ships.

Reading order:

- ``folds``      which rows calibrate, which judge
- ``evaluate``   answers out of fold, and their accuracy
- ``revert``     which nodes go back to fp32 when int8 misses the gate
- ``run``        one candidate, from its spec to its figures of accuracy
- ``assessed``   what is known of one candidate when the choice is made
- ``objectives`` what a profile wants to be small
- ``choose``     the decision, and why the others don't ship
"""
