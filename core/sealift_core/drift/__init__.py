"""Drift, the pure part: from tensors to features, from features to bins, and how far two histograms are apart.

Reading order:

- ``statistic``   one value per row of a tensor: a column, a summary, a class
- ``divergence``  how far two histograms are apart, and how far chance alone brings them
- ``features``    from tensors to monitored features, and from features to bin counts
- ``baseline``    baseline.json: the holdout's counts and the drift thresholds
"""
