# ruff: noqa: E501  # a table of recipes
"""A random model that isn't fitted: an estimator, perhaps wrapped, perhaps behind the steps of a column transformer."""

from __future__ import annotations

import importlib
from typing import Any, Final

import pandas as pd

from fuzz.random_tables import Random, is_number

BOOSTERS: Final = ("xgboost", "lightgbm", "catboost")
_E, _L, _P, _N = "sklearn.ensemble:", "sklearn.linear_model:", "sklearn.preprocessing:", "sklearn.neighbors:"
_XGB: Final[dict[str, Any]] = {"n_estimators": 8, "max_depth": 3, "n_jobs": 1}
_LGBM: Final[dict[str, Any]] = {"n_estimators": 8, "num_leaves": 7, "min_child_samples": 3, "verbose": -1, "n_jobs": 1}
_CAT: Final[dict[str, Any]] = {"iterations": 8, "depth": 3, "verbose": False, "allow_writing_files": False, "thread_count": 1}
Recipe = tuple[str, dict[str, Any]]

CLASSIFIERS: Final[list[Recipe]] = [
    (_E + "RandomForestClassifier", {"n_estimators": 8, "random_state": 0}), (_E + "ExtraTreesClassifier", {"n_estimators": 6, "random_state": 0}),
    ("sklearn.tree:DecisionTreeClassifier", {"random_state": 0}), (_E + "HistGradientBoostingClassifier", {"max_iter": 8, "min_samples_leaf": 4}),
    (_E + "GradientBoostingClassifier", {"n_estimators": 8, "random_state": 0}), (_E + "AdaBoostClassifier", {"n_estimators": 5, "random_state": 0}),
    (_E + "BaggingClassifier", {"n_estimators": 4, "random_state": 0}), (_N + "KNeighborsClassifier", {"n_neighbors": 4}),
    (_N + "KNeighborsClassifier", {"weights": "distance", "metric": "manhattan"}), (_N + "NearestCentroid", {}),
    ("sklearn.svm:SVC", {}), ("sklearn.svm:SVC", {"probability": True, "random_state": 0}), ("sklearn.svm:SVC", {"kernel": "poly", "degree": 2}),
    ("sklearn.svm:NuSVC", {"nu": 0.2}), ("sklearn.svm:LinearSVC", {"random_state": 0}), (_L + "RidgeClassifier", {}), (_L + "LogisticRegression", {}),
    (_L + "SGDClassifier", {"random_state": 0}), (_L + "SGDClassifier", {"loss": "log_loss", "random_state": 0}), (_L + "Perceptron", {}),
    (_L + "SGDClassifier", {"loss": "modified_huber", "random_state": 0}), ("sklearn.neural_network:MLPClassifier", {"hidden_layer_sizes": (6,), "max_iter": 15}),
    ("sklearn.gaussian_process:GaussianProcessClassifier", {}), ("sklearn.naive_bayes:GaussianNB", {}), ("sklearn.naive_bayes:BernoulliNB", {}),
    ("sklearn.naive_bayes:MultinomialNB", {}), ("sklearn.naive_bayes:ComplementNB", {}), ("sklearn.discriminant_analysis:LinearDiscriminantAnalysis", {}),
    ("sklearn.discriminant_analysis:QuadraticDiscriminantAnalysis", {"reg_param": 0.1}), ("sklearn.dummy:DummyClassifier", {}),
    ("xgboost:XGBClassifier", _XGB), ("xgboost:XGBClassifier", _XGB | {"booster": "dart", "rate_drop": 0.2}),
    ("xgboost:XGBClassifier", _XGB | {"num_parallel_tree": 2, "base_score": 0.3}), ("xgboost:XGBClassifier", _XGB | {"missing": 0.0}),
    ("xgboost:XGBRFClassifier", _XGB), ("xgboost:XGBClassifier", {"booster": "gblinear", "n_estimators": 8}),
    ("lightgbm:LGBMClassifier", _LGBM), ("lightgbm:LGBMClassifier", _LGBM | {"boosting_type": "dart"}), ("lightgbm:LGBMClassifier", _LGBM | {"zero_as_missing": True}),
    ("lightgbm:LGBMClassifier", _LGBM | {"linear_tree": True}), ("lightgbm:LGBMClassifier", _LGBM | {"objective": "multiclassova"}),
    ("catboost:CatBoostClassifier", _CAT), ("catboost:CatBoostClassifier", _CAT | {"grow_policy": "Lossguide"}),
    ("catboost:CatBoostClassifier", _CAT | {"nan_mode": "Max"}),
]  # fmt: skip
REGRESSORS: Final[list[Recipe]] = [
    (_E + "RandomForestRegressor", {"n_estimators": 8, "random_state": 0}), ("sklearn.tree:DecisionTreeRegressor", {"random_state": 0}),
    (_E + "HistGradientBoostingRegressor", {"max_iter": 8, "min_samples_leaf": 4}), (_E + "GradientBoostingRegressor", {"n_estimators": 8, "random_state": 0}),
    (_E + "HistGradientBoostingRegressor", {"max_iter": 8, "loss": "poisson"}), (_E + "AdaBoostRegressor", {"n_estimators": 5, "random_state": 0}),
    (_N + "KNeighborsRegressor", {"n_neighbors": 4}), (_N + "KNeighborsRegressor", {"weights": "distance", "metric": "manhattan"}), ("sklearn.svm:SVR", {}),
    ("sklearn.svm:LinearSVR", {"random_state": 0}), (_L + "LinearRegression", {}), (_L + "Ridge", {}), (_L + "Lasso", {"alpha": 0.01}),
    (_L + "BayesianRidge", {}), (_L + "HuberRegressor", {}), (_L + "PoissonRegressor", {}), (_L + "GammaRegressor", {}), (_L + "TweedieRegressor", {"power": 1.5}),
    (_L + "SGDRegressor", {"random_state": 0}), ("sklearn.neural_network:MLPRegressor", {"hidden_layer_sizes": (6,), "max_iter": 15}),
    ("sklearn.gaussian_process:GaussianProcessRegressor", {}), ("sklearn.cross_decomposition:PLSRegression", {"n_components": 1}),
    ("sklearn.kernel_ridge:KernelRidge", {"kernel": "rbf"}), ("sklearn.dummy:DummyRegressor", {}), ("sklearn.isotonic:IsotonicRegression", {"out_of_bounds": "clip"}),
    ("xgboost:XGBRegressor", _XGB), ("xgboost:XGBRegressor", _XGB | {"objective": "count:poisson"}), ("xgboost:XGBRegressor", _XGB | {"objective": "reg:gamma"}),
    ("xgboost:XGBRegressor", _XGB | {"missing": -1.0}), ("xgboost:XGBRFRegressor", _XGB), ("xgboost:XGBRegressor", {"booster": "gblinear", "n_estimators": 8}),
    ("lightgbm:LGBMRegressor", _LGBM), ("lightgbm:LGBMRegressor", _LGBM | {"objective": "poisson"}), ("lightgbm:LGBMRegressor", _LGBM | {"linear_tree": True}),
    ("lightgbm:LGBMRegressor", _LGBM | {"objective": "regression_l1", "zero_as_missing": True}), ("catboost:CatBoostRegressor", _CAT),
    ("catboost:CatBoostRegressor", _CAT | {"loss_function": "Poisson"}), ("catboost:CatBoostRegressor", _CAT | {"nan_mode": "Max"}),
]  # fmt: skip
NUMBER_STEPS: Final[list[Recipe | None]] = [
    None, (_P + "StandardScaler", {}), (_P + "MinMaxScaler", {}), (_P + "MinMaxScaler", {"clip": True}), (_P + "RobustScaler", {}), (_P + "MaxAbsScaler", {}),
    (_P + "PowerTransformer", {}), (_P + "QuantileTransformer", {"n_quantiles": 20}), (_P + "SplineTransformer", {"n_knots": 4}),
    (_P + "QuantileTransformer", {"n_quantiles": 20, "output_distribution": "normal"}), (_P + "PolynomialFeatures", {}), (_P + "Normalizer", {}),
    (_P + "KBinsDiscretizer", {"n_bins": 4, "quantile_method": "averaged_inverted_cdf"}), (_P + "Binarizer", {"threshold": 0.5}),
]  # fmt: skip
FILL_STEPS: Final[list[Recipe]] = [
    ("sklearn.impute:SimpleImputer", {"strategy": "median"}), ("sklearn.impute:SimpleImputer", {"add_indicator": True}),
    ("sklearn.impute:SimpleImputer", {"strategy": "constant", "fill_value": -1}), ("sklearn.impute:KNNImputer", {"n_neighbors": 3}),
]  # fmt: skip
TEXT_STEPS: Final[list[Recipe]] = [
    (_P + "OneHotEncoder", {"handle_unknown": "ignore"}), (_P + "OneHotEncoder", {"handle_unknown": "ignore", "drop": "first", "sparse_output": False}),
    (_P + "OneHotEncoder", {"min_frequency": 8, "handle_unknown": "infrequent_if_exist"}),
    (_P + "OrdinalEncoder", {"handle_unknown": "use_encoded_value", "unknown_value": -1, "encoded_missing_value": -2}),
    (_P + "TargetEncoder", {"cv": 2, "random_state": 0}),
]  # fmt: skip
WRAPPERS: Final = ("calibrated", "voting", "stacking", "one-vs-rest", "log-target", "bagging")


def draw_recipe(random: Random, *, classes: bool) -> Recipe:
    """An estimator's class and its options."""
    recipes = CLASSIFIERS if classes else REGRESSORS
    return recipes[random.integers(len(recipes))]


def made(recipe: Recipe) -> Any:
    """The estimator."""
    module, _, name = recipe[0].partition(":")
    return getattr(importlib.import_module(module), name)(**recipe[1])


def wrapped(random: Random, model: Any, *, classes: bool) -> Any:
    """The model within another, as people do it."""
    from sklearn import calibration, compose, ensemble, multiclass
    from sklearn.linear_model import LogisticRegression, Ridge

    name, odd = str(random.choice(WRAPPERS)), bool(random.integers(2))
    if name == "calibrated" and classes:
        return calibration.CalibratedClassifierCV(model, method="isotonic" if odd else "sigmoid", cv=2)
    if name == "voting":
        parts = [("one", model), ("two", LogisticRegression() if classes else Ridge())]
        return ensemble.VotingClassifier(parts, voting="soft" if odd else "hard", weights=[2, 1]) if classes else ensemble.VotingRegressor(parts)
    if name == "stacking":
        return (ensemble.StackingClassifier if classes else ensemble.StackingRegressor)([("one", model)], cv=2, passthrough=odd)
    if name == "one-vs-rest" and classes:
        return multiclass.OneVsRestClassifier(model)
    if name == "bagging":
        return (ensemble.BaggingClassifier if classes else ensemble.BaggingRegressor)(model, n_estimators=2, random_state=0)
    if name == "log-target" and not classes:
        import numpy as np

        return compose.TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    return model


def piped(random: Random, model: Any, table: pd.DataFrame) -> Any:
    """The model behind steps: for columns of numbers, and for all others."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    numbers = [name for name in table if is_number(table[name])]
    others = [name for name in table if name not in numbers]
    fill, step = made(FILL_STEPS[random.integers(len(FILL_STEPS))]), NUMBER_STEPS[random.integers(len(NUMBER_STEPS))]
    texts = made(TEXT_STEPS[random.integers(len(TEXT_STEPS))])
    steps = [("numbers", make_pipeline(fill, made(step)) if step else fill, numbers)] if numbers else []
    steps += [("texts", texts, others)] if others else []
    return make_pipeline(ColumnTransformer(steps, sparse_threshold=0), model)
