"""scikit-learn's classes that are written here instead of by skl2onnx, each by a converter and a shape calculator of its form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from sealift_packager.model.table_steps import is_table_step
from sealift_packager.sklearn.converters.averages import shape_of_mean, shape_of_median, shape_of_weighted, write_mean, write_median, write_weighted
from sealift_packager.sklearn.converters.bins import shape_of_bins, write_bins
from sealift_packager.sklearn.converters.bits import shape_of_bits, write_bits
from sealift_packager.sklearn.converters.calibrated import write_calibrated
from sealift_packager.sklearn.converters.centroids import write_centroids
from sealift_packager.sklearn.converters.columns import (
    Picked,
    parse_columns,
    parse_pipeline,
    parse_union,
    shape_of_picked,
    shape_of_pipeline,
    write_picked,
    write_pipeline,
)
from sealift_packager.sklearn.converters.encoders import shape_of_codes, shape_of_one_hot, write_codes, write_one_hot
from sealift_packager.sklearn.converters.gaps import shape_of_gaps, write_gaps
from sealift_packager.sklearn.converters.gaussian import shape_of_gaussian_regressor, write_gaussian_classifier, write_gaussian_regressor
from sealift_packager.sklearn.converters.imputer import shape_of_imputer, write_imputer
from sealift_packager.sklearn.converters.inner_trees import shape_of_trees, write_trees
from sealift_packager.sklearn.converters.k_means import shape_of_k_means, step_parsers, write_k_means
from sealift_packager.sklearn.converters.kernels import (
    shape_of_components,
    shape_of_kernel_ridge,
    shape_of_support_regressor,
    write_kernel_ridge,
    write_nystroem,
    write_sampler,
    write_support_regressor,
)
from sealift_packager.sklearn.converters.linear import (
    shape_of_discriminant,
    shape_of_one_class,
    write_discriminant,
    write_gradient_descent,
    write_one_class,
    write_ridge,
)
from sealift_packager.sklearn.converters.logistic import write_logistic
from sealift_packager.sklearn.converters.members import (
    shape_of_members,
    shape_of_pairs,
    shape_of_rest,
    write_bag,
    write_pairs,
    write_rest,
    write_stack,
    write_vote,
)
from sealift_packager.sklearn.converters.neighbor_imputer import shape_of_neighbor_imputer, write_neighbor_imputer
from sealift_packager.sklearn.converters.neighbors import (
    shape_of_neighbors_classifier,
    shape_of_neighbors_regressor,
    write_neighbors_classifier,
    write_neighbors_regressor,
)
from sealift_packager.sklearn.converters.norms import shape_of_norms, write_norms
from sealift_packager.sklearn.converters.powers import shape_of_powers, write_powers
from sealift_packager.sklearn.converters.products import shape_of_products, write_products
from sealift_packager.sklearn.converters.quantiles import shape_of_quantiles, write_quantiles
from sealift_packager.sklearn.converters.radius import write_radius_classifier, write_radius_regressor
from sealift_packager.sklearn.converters.reshaped import shape_of_perceptron, write_perceptron
from sealift_packager.sklearn.converters.selected import SELECTORS, shape_of_selected, write_selected
from sealift_packager.sklearn.converters.splines import shape_of_splines, write_splines
from sealift_packager.sklearn.converters.stacks import shape_of_stacked_regressor, write_stacked_regressor
from sealift_packager.sklearn.converters.support import shape_of_support_classifier, write_support_classifier
from sealift_packager.sklearn.converters.table_steps import LookedUp, parse_imputer, parse_table_step, shape_of_looked_up, write_looked_up
from sealift_packager.sklearn.converters.targets import shape_of_targets, write_chain, write_targets
from sealift_packager.sklearn.converters.text import shape_of_vectorizer, shape_of_weights, write_vectorizer, write_weights
from sealift_packager.sklearn.converters.thresholds import write_threshold
from sealift_packager.sklearn.converters.transformed import (
    shape_of_function_transformer,
    shape_of_target_regressor,
    write_function_transformer,
    write_target_regressor,
)
from sealift_packager.trees.from_estimator import read_estimator
from sealift_packager.trees.within import fitted_parts, is_trees

Pair = tuple[Callable[..., None], Callable[..., None]]

CONVERTERS: Final[dict[str, Pair]] = {
    "AdaBoostRegressor": (write_median, shape_of_median),
    "BaggingClassifier": (write_bag, shape_of_members),
    "BaggingRegressor": (write_mean, shape_of_mean),
    "Binarizer": (write_bits, shape_of_bits),
    "CalibratedClassifierCV": (write_calibrated, shape_of_members),
    "FixedThresholdClassifier": (write_threshold, shape_of_members),
    "FunctionTransformer": (write_function_transformer, shape_of_function_transformer),
    "GaussianProcessClassifier": (write_gaussian_classifier, shape_of_members),
    "GaussianProcessRegressor": (write_gaussian_regressor, shape_of_gaussian_regressor),
    "KBinsDiscretizer": (write_bins, shape_of_bins),
    "KMeans": (write_k_means, shape_of_k_means),
    "KNeighborsClassifier": (write_neighbors_classifier, shape_of_neighbors_classifier),
    "KNeighborsRegressor": (write_neighbors_regressor, shape_of_neighbors_regressor),
    "KNNImputer": (write_neighbor_imputer, shape_of_neighbor_imputer),
    "KernelRidge": (write_kernel_ridge, shape_of_kernel_ridge),
    "LinearDiscriminantAnalysis": (write_discriminant, shape_of_discriminant),
    "LogisticRegression": (write_logistic, shape_of_support_classifier),
    "LogisticRegressionCV": (write_logistic, shape_of_support_classifier),
    "MLPRegressor": (write_perceptron, shape_of_perceptron),
    "MiniBatchKMeans": (write_k_means, shape_of_k_means),
    "MissingIndicator": (write_gaps, shape_of_gaps),
    "MultiOutputRegressor": (write_targets, shape_of_targets),
    "NearestCentroid": (write_centroids, shape_of_members),
    "Normalizer": (write_norms, shape_of_norms),
    "NuSVC": (write_support_classifier, shape_of_support_classifier),
    "NuSVR": (write_support_regressor, shape_of_support_regressor),
    "Nystroem": (write_nystroem, shape_of_components),
    "OneHotEncoder": (write_one_hot, shape_of_one_hot),
    "OneVsOneClassifier": (write_pairs, shape_of_pairs),
    "OneVsRestClassifier": (write_rest, shape_of_rest),
    "PolynomialFeatures": (write_products, shape_of_products),
    "PowerTransformer": (write_powers, shape_of_powers),
    "QuantileTransformer": (write_quantiles, shape_of_quantiles),
    "RBFSampler": (write_sampler, shape_of_components),
    "RadiusNeighborsClassifier": (write_radius_classifier, shape_of_neighbors_classifier),
    "RadiusNeighborsRegressor": (write_radius_regressor, shape_of_neighbors_regressor),
    "RegressorChain": (write_chain, shape_of_targets),
    "RidgeClassifier": (write_ridge, shape_of_members),
    "RidgeClassifierCV": (write_ridge, shape_of_members),
    "SGDClassifier": (write_gradient_descent, shape_of_members),
    "SVC": (write_support_classifier, shape_of_support_classifier),
    "SVR": (write_support_regressor, shape_of_support_regressor),
    "SGDOneClassSVM": (write_one_class, shape_of_one_class),
    "SimpleImputer": (write_imputer, shape_of_imputer),
    "SplineTransformer": (write_splines, shape_of_splines),
    "StackingClassifier": (write_stack, shape_of_members),
    "TfidfTransformer": (write_weights, shape_of_weights),
    "TransformedTargetRegressor": (write_target_regressor, shape_of_target_regressor),
    "TunedThresholdClassifierCV": (write_threshold, shape_of_members),
    "VotingClassifier": (write_vote, shape_of_members),
    "VotingRegressor": (write_weighted, shape_of_weighted),
    **dict.fromkeys(SELECTORS, (write_selected, shape_of_selected)),
}
#: These may have text alone to tell what they give, which is no float32 or float64.
_TEXT_CONVERTERS: Final[dict[str, Pair]] = {
    "CountVectorizer": (write_vectorizer, shape_of_vectorizer),
    "OrdinalEncoder": (write_codes, shape_of_codes),
    "StackingRegressor": (write_stacked_regressor, shape_of_stacked_regressor),
    "TargetEncoder": (write_codes, shape_of_codes),
    "TfidfVectorizer": (write_vectorizer, shape_of_vectorizer),
}
#: Classes that skl2onnx doesn't have → what is asked of them otherwise than usually.
_OPTIONS: Final[dict[str, dict[str, list[bool]]]] = {"NearestCentroid": {"raw_scores": [True, False]}}


def converters_for(model: Any, *, double: bool) -> tuple[dict[type, Any], dict[type, Any]]:
    """Find the converters of `CONVERTERS` that a model needs, for skl2onnx.

    Args:
        model: A fitted estimator, whose parts are looked at, too.
        double: Whether numbers are float64, and not float32.

    Returns:
        The converters, and the shape calculators, each by the class that they are for.
    """
    from sklearn.pipeline import Pipeline

    inner = functools.partial(write_pipeline, parsers=parsers_for(model))
    pairs: dict[type, Pair] = {
        LookedUp: (write_looked_up, shape_of_looked_up),
        Picked: (write_picked, shape_of_picked),
        Pipeline: (inner, shape_of_pipeline),
    }
    for part in fitted_parts(model):
        name = type(part).__name__
        if is_table_step(part):
            continue
        if is_trees(part) and read_estimator(part) is not None:
            pairs[type(part)] = write_trees, shape_of_trees
        elif name in CONVERTERS:
            pairs[type(part)] = CONVERTERS[name]
        elif name in _TEXT_CONVERTERS:
            write, shape = _TEXT_CONVERTERS[name]
            pairs[type(part)] = functools.partial(write, double=double), functools.partial(shape, double=double)
    for class_, pair in pairs.items():
        _announce(class_, *pair)
    return {class_: pair[0] for class_, pair in pairs.items()}, {class_: pair[1] for class_, pair in pairs.items()}


def _announce(class_: type, write: Callable[..., None], shape: Callable[..., None]) -> None:
    """Add a class to those that skl2onnx finds by name inside others, unless it has it, and to its classifiers if it is one."""
    from skl2onnx._supported_operators import sklearn_classifier_list, sklearn_operator_name_map
    from skl2onnx.common._registration import register_converter, register_shape_calculator

    if class_.__name__ == "CatBoostClassifier" and class_ not in sklearn_classifier_list:  # which says so in a way of its own
        sklearn_classifier_list.append(class_)
    if class_ in sklearn_operator_name_map or class_ in (LookedUp, Picked):
        return
    name = f"Sealift{class_.__name__}"
    sklearn_operator_name_map[class_] = name
    register_converter(name, write, overwrite=True, options=_OPTIONS.get(class_.__name__))
    register_shape_calculator(name, shape, overwrite=True)


def parsers_for(model: Any) -> dict[type, Any]:
    """How skl2onnx is to read the parts of a model that are made of others, and clusterings that are steps.

    Args:
        model: A fitted model.

    Returns:
        A parser, as skl2onnx takes it, by class.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import FeatureUnion, Pipeline

    tables = {type(part): parse_table_step for part in fitted_parts(model) if is_table_step(part)}
    own = {ColumnTransformer: parse_columns, FeatureUnion: parse_union, Pipeline: parse_pipeline, SimpleImputer: parse_imputer}
    return {**own, **tables, **step_parsers(model)}
