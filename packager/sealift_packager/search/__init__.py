"""From a profile's specs to candidates that were judged: the search for a precision, which knows nothing of the quantizers' options.

Reading order: ``folds`` (which rows calibrate, which judge), ``evaluate`` (answers out of fold, and their accuracy), ``revert`` (which nodes
go back to fp32 when int8 misses the gate), ``run`` (one candidate, from its spec to its figures of accuracy).
"""
