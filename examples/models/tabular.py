"""scikit-learn: linear models, neighbours, trees, ensembles, networks, pipelines, on the data sets that come with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from answers import of_estimator, sizes
from catalog import Made, example
from sklearn import datasets
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import BayesianRidge, ElasticNet, LinearRegression, LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

Loader = Callable[..., Any]
FAMILY = "scikit-learn"
CANCER, WINE, DIGITS, DIABETES = datasets.load_breast_cancer, datasets.load_wine, datasets.load_digits, datasets.load_diabetes


def _fit(folder: Path, model: Any, load: Loader) -> Made:
    """Fit on three quarters, hold out the rest; the columns keep their names."""
    table, target = load(return_X_y=True, as_frame=True)
    train, held_out, train_target, held_out_target = train_test_split(table, target, random_state=0)
    return save(folder, model.fit(train, train_target), held_out, held_out_target)


def save(folder: Path, model: Any, table: pd.DataFrame, target: Any = None, *, parquet: bool = False) -> Made:
    """Write the model by joblib and the rows as CSV, with a target where there is one; a model of one text is asked with that column alone."""
    joblib.dump(model, folder / "model.joblib")
    rows, data = table if target is None else table.assign(target=np.asarray(target)), folder / ("holdout.parquet" if parquet else "holdout.csv")
    rows.to_parquet(data) if parquet else rows.to_csv(data, index=False)
    options, asked = {"trust_pickle": True}, table["text"] if list(table) == ["text"] else table
    return Made(model=folder / "model.joblib", data=data, options=options, requests=sizes(asked), answers=of_estimator(model))


def _voting() -> Any:
    return VotingClassifier([("forest", RandomForestClassifier(50, random_state=0)), ("bayes", GaussianNB())], voting="soft")


def _stacking() -> Any:
    return StackingClassifier([("tree", DecisionTreeClassifier(max_depth=4, random_state=0)), ("bayes", GaussianNB())], LogisticRegression())


#: Name → (the model, its data set).
SIMPLE: dict[str, tuple[Callable[[], Any], Loader]] = {
    "linear-regression": (LinearRegression, DIABETES),
    "elastic-net": (lambda: make_pipeline(StandardScaler(), ElasticNet(alpha=0.1)), DIABETES),
    "bayesian-ridge": (BayesianRidge, DIABETES),
    "polynomial-regression": (lambda: make_pipeline(PolynomialFeatures(2), StandardScaler(), LinearRegression()), DIABETES),
    "logistic-regression": (lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), CANCER),
    "ridge-classifier": (lambda: make_pipeline(StandardScaler(), RidgeClassifier()), WINE),
    "sgd-classifier": (lambda: make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0)), CANCER),
    "lda": (LinearDiscriminantAnalysis, WINE),
    "qda": (QuadraticDiscriminantAnalysis, WINE),
    "gaussian-naive-bayes": (GaussianNB, WINE),
    "bernoulli-naive-bayes": (lambda: BernoulliNB(binarize=8.0), DIGITS),
    "svc-rbf": (lambda: make_pipeline(StandardScaler(), SVC(random_state=0)), CANCER),
    "linear-svc": (lambda: make_pipeline(StandardScaler(), LinearSVC()), DIGITS),
    "svr": (lambda: make_pipeline(StandardScaler(), SVR(C=100.0)), DIABETES),
    "knn-classifier": (lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()), WINE),
    "knn-regressor": (lambda: make_pipeline(StandardScaler(), KNeighborsRegressor()), DIABETES),
    "gaussian-process": (lambda: make_pipeline(StandardScaler(), GaussianProcessRegressor(RBF() + WhiteKernel(), normalize_y=True)), DIABETES),
    "decision-tree": (lambda: DecisionTreeClassifier(random_state=0), CANCER),
    "random-forest": (lambda: RandomForestClassifier(100, random_state=0), DIGITS),
    "random-forest-regressor": (lambda: RandomForestRegressor(100, random_state=0), DIABETES),
    "extra-trees": (lambda: ExtraTreesClassifier(100, random_state=0), WINE),
    "bagging": (lambda: BaggingClassifier(random_state=0), CANCER),
    "adaboost": (lambda: AdaBoostClassifier(random_state=0), CANCER),
    "gradient-boosting": (lambda: GradientBoostingClassifier(random_state=0), CANCER),
    "gradient-boosting-regressor": (lambda: GradientBoostingRegressor(random_state=0), DIABETES),
    "hist-gradient-boosting": (lambda: HistGradientBoostingClassifier(random_state=0), CANCER),
    "hist-gradient-boosting-regressor": (lambda: HistGradientBoostingRegressor(random_state=0), DIABETES),
    "voting": (_voting, WINE),
    "stacking": (_stacking, WINE),
    "mlp-classifier": (lambda: make_pipeline(MinMaxScaler(), MLPClassifier((128, 64), random_state=0, max_iter=300)), DIGITS),
    "mlp-regressor": (lambda: make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(64, 32), random_state=0, max_iter=2000)), DIABETES),
    "pca-logistic": (lambda: make_pipeline(StandardScaler(), PCA(20), LogisticRegression(max_iter=1000)), DIGITS),
    "svd-knn": (lambda: make_pipeline(TruncatedSVD(10), KNeighborsClassifier()), DIGITS),
    "select-k-best": (lambda: make_pipeline(SelectKBest(k=10), StandardScaler(), LogisticRegression()), CANCER),
    "quantile-transformer": (lambda: make_pipeline(QuantileTransformer(n_quantiles=100), LogisticRegression()), CANCER),
}


def _register(name: str, make: Callable[[], Any], load: Loader) -> None:
    example(f"sklearn-{name}", FAMILY)(lambda folder: _fit(folder, make(), load))


for _name, (_make, _load) in SIMPLE.items():
    _register(_name, _make, _load)


def people(rows: int = 2000) -> tuple[pd.DataFrame, Any]:
    """A table of numbers with gaps and of words, and whether each row is a yes."""
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": draw.integers(18, 90, rows).astype(float),
            "income": np.round(draw.lognormal(10, 1, rows), 2),
            "region": draw.choice(["north", "south", "east", "west"], rows),
            "contract": draw.choice(["monthly", "yearly"], rows, p=[0.7, 0.3]),
        }
    )
    score = 0.03 * (table.age - 50) + (table.region == "north") - (table.contract == "yearly") + draw.normal(0, 0.5, rows)
    return table, (score > 0).astype(int)


def _columns(final: Any) -> Any:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(ColumnTransformer([("numbers", numbers, ["age", "income"]), ("words", words, ["region", "contract"])]), final)


def _table(folder: Path, final: Any) -> Made:
    table, target = people()
    train, held_out, train_target, held_out_target = train_test_split(table, target, random_state=0)
    return save(folder, _columns(final).fit(train, train_target), held_out, held_out_target)


@example("sklearn-columns-logistic", FAMILY)
def columns_logistic(folder: Path) -> Made:
    return _table(folder, LogisticRegression())


@example("sklearn-columns-forest", FAMILY)
def columns_forest(folder: Path) -> Made:
    return _table(folder, RandomForestClassifier(50, random_state=0))


@example("sklearn-columns-hist-gradient-boosting", FAMILY)
def columns_boosting(folder: Path) -> Made:
    return _table(folder, HistGradientBoostingClassifier(random_state=0))


@example("sklearn-columns-search", FAMILY)
def columns_search(folder: Path) -> Made:
    table, target = people()
    train, held_out, train_target, held_out_target = train_test_split(table, target, random_state=0)
    search = GridSearchCV(_columns(RandomForestClassifier(20, random_state=0)), {"randomforestclassifier__max_depth": [4, 8]}, cv=3)
    return save(folder, search.fit(train, train_target), held_out, held_out_target)


@example("sklearn-log-target", FAMILY)
def log_target(folder: Path) -> Made:
    return _fit(folder, TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), func=np.log1p, inverse_func=np.expm1), DIABETES)


def reviews(rows: int = 2000) -> tuple[pd.DataFrame, Any]:
    """Synthetic reviews, and whether each is a good one."""
    draw = np.random.default_rng(0)
    verdicts = {
        1: ["a great film", "I laughed a lot", "not bad at all", "très bien, a 10/10"],
        0: ["boring", "not good", "I'd rather not", "awful plot"],
    }
    around = ["with friends", "on a Friday", "in 3D", "the actors", "and the music", "of the year", "über-long"]
    good = draw.integers(0, 2, rows)
    texts = [", ".join([*draw.choice(around, draw.integers(0, 4)), draw.choice(verdicts[int(label)]), draw.choice(around)]) for label in good]
    return pd.DataFrame({"text": texts}), np.where(draw.random(rows) < 0.05, 1 - good, good)


@example("sklearn-tfidf-logistic", FAMILY)
def tfidf_logistic(folder: Path) -> Made:
    table, target = reviews()
    train, held_out, train_target, held_out_target = train_test_split(table, target, random_state=0)
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), stop_words="english", min_df=2), LogisticRegression())
    return save(folder, model.fit(train["text"], train_target), held_out, held_out_target)


def _unsupervised(folder: Path, model: Any) -> Made:
    """There is no target: a release is judged by how often it agrees with the model itself."""
    table, _ = CANCER(return_X_y=True, as_frame=True)
    train, held_out = train_test_split(table, random_state=0)
    return save(folder, model.fit(train), held_out)


@example("sklearn-kmeans", FAMILY)
def kmeans(folder: Path) -> Made:
    return _unsupervised(folder, make_pipeline(StandardScaler(), KMeans(4, random_state=0)))


@example("sklearn-mini-batch-kmeans", FAMILY)
def mini_batch_kmeans(folder: Path) -> Made:
    return _unsupervised(folder, make_pipeline(StandardScaler(), MiniBatchKMeans(4, random_state=0)))


@example("sklearn-isolation-forest", FAMILY)
def isolation_forest(folder: Path) -> Made:
    return _unsupervised(folder, IsolationForest(random_state=0))
