"""Tree ensembles as values, whatever library trained them, so that one writer and one check of thresholds serve all.

Reading order:

- ``ensemble``    `Tree`, `Ensemble`
- ``thresholds``  float64 thresholds as the float32 that decides alike
- ``builder``     trees node by node, sets of categories among them
- ``from_scikit``, ``from_xgboost``, ``from_lightgbm``, ``from_catboost``, ``from_estimator``  one reader for each library
- ``isolation``   isolation forests: sums of path lengths
- ``within``      the fitted estimators inside an estimator
- ``validity``    can it be walked?
- ``boundaries``  rows on both sides of every threshold

Pure; a library's own objects are read, never imported.
"""
