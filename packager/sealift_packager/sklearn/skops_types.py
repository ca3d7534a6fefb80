"""Types in a skops file that are safe without ``--trust-pickle``, beside those that skops itself trusts (`skops.io`: estimators, ufuncs, numbers).

They are listed by their full names, never by package: ``builtins.eval`` and ``numpy.f2py`` come from trusted packages too. None of these
calls what it is given, imports by name, or opens files. Some keep indices that scikit-learn believes; they are checked once they are read
(`trees.validity`, `indices`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_DISTANCES: Final = "BrayCurtis Canberra Chebyshev Euclidean Hamming Haversine Mahalanobis Manhattan Minkowski SEuclidean"
_NAMES: Final[dict[str, str]] = {
    "builtins": "slice bytes bytearray",
    "collections": "OrderedDict",
    "numpy": "dtype ndarray mean",
    "scipy.interpolate._bsplines": "BSpline",
    "scipy._lib.array_api_compat.numpy._aliases": "asarray",  # what BSpline keeps
    **{f"scipy.sparse._{storage}": f"{storage}_array {storage}_matrix" for storage in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")},
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit",
    "sklearn._loss.loss": (
        "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss "
        "HalfTweedieLossIdentity HuberLoss PinballLoss"
    ),
    "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
    "sklearn.cluster._bisect_k_means": "_BisectingTree",
    "sklearn.cluster._kmeans": "_kmeans_single_lloyd _kmeans_single_elkan",
    "sklearn.compose._column_transformer": "_RemainderColsList",
    "sklearn.ensemble._gb_losses": (  # until scikit-learn 1.3
        "BinomialDeviance ExponentialLoss HuberLossFunction LeastAbsoluteError LeastSquaresError MultinomialDeviance QuantileLossFunction"
    ),
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
    "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_oneway f_regression r_regression",
    "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels": (
        "CompoundKernel ConstantKernel DotProduct ExpSineSquared Exponentiation Hyperparameter Matern PairwiseKernel Product RBF RationalQuadratic "
        "Sum WhiteKernel"
    ),
    "sklearn.metrics._dist_metrics": " ".join(f"{name}Distance{bits}" for name in _DISTANCES.split() for bits in ("", "32", "64")),
    "sklearn.metrics._scorer": "_PassthroughScorer",
    "sklearn.model_selection._search_successive_halving": "HalvingGridSearchCV HalvingRandomSearchCV",
    "sklearn.model_selection._split": (
        "GroupKFold KFold LeaveOneOut RepeatedKFold RepeatedStratifiedKFold ShuffleSplit StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit"
    ),
    "sklearn.multiclass": "_ConstantPredictor",
    "sklearn.neighbors._ball_tree": "BallTree BallTree32 BallTree64",
    "sklearn.neighbors._kd_tree": "KDTree KDTree32 KDTree64",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.tree._tree": "Tree",
    "sklearn.utils._bunch": "Bunch",
    # What these read back is their libraries' own model format.
    "catboost.core": "CatBoost CatBoostClassifier CatBoostRanker CatBoostRegressor",
    "lightgbm.basic": "Booster",
    "lightgbm.sklearn": "LGBMClassifier LGBMModel LGBMRanker LGBMRegressor",
    "xgboost.core": "Booster",
    "xgboost.sklearn": "XGBClassifier XGBModel XGBRanker XGBRFClassifier XGBRFRegressor XGBRegressor",
}
SAFE_TYPES: Final = frozenset(f"{module}.{name}" for module, names in _NAMES.items() for name in names.split())


def foreign_types(untrusted: Iterable[str]) -> list[str]:
    """The types that need ``--trust-pickle``, of those that ``skops.io.get_untrusted_types`` names."""
    return [name for name in untrusted if name not in SAFE_TYPES]
