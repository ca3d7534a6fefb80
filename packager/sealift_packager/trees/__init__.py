"""Tree ensembles as values, whatever library trained them, so that one writer and one check of thresholds serve all.

Reading order: ``ensemble`` (`Tree`, `Ensemble`), ``thresholds`` (float64 thresholds as the float32 that decides alike), ``builder`` (trees node
by node, sets of categories among them), one reader per library (``from_scikit``, ``from_xgboost``, ``from_lightgbm``, ``from_catboost``),
``validity`` (can it be walked?), ``boundaries`` (rows on both sides of every threshold).

Pure; a library's own objects are read, never imported. Never imports ``load``, ``convert`` or ``parity``.
"""
