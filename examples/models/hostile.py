"""Tables as they are in the wild: odd names of columns, numbers that float32 can't hold, gaps, labels of all types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from catalog import Made, example
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, QuantileRegressor, TweedieRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tabular import save

FAMILY = "table"
ROWS, HELD_OUT = 800, 300
ODD = ("net-amount", "unit price", "a.b", "per/day", "2nd", "größe", 'the "size"', "it's", "Ωμέγα")
Random = np.random.Generator


def signal(table: pd.DataFrame, random: Random) -> Any:
    """A number for each row that depends on every column and on chance."""
    columns = [pd.factorize(table[name])[0] if table[name].dtype.kind not in "iuf" else table[name].to_numpy() for name in table]
    ranks = [pd.Series(column).rank(pct=True).fillna(0.5).to_numpy() for column in columns]
    return sum(rank * weight for rank, weight in zip(ranks, random.normal(1, 0.5, len(ranks)), strict=True)) + random.normal(0, 0.1, len(table))


def classes(table: pd.DataFrame, random: Random, names: Any = (0, 1)) -> Any:
    """Classes of equal size, by `signal`."""
    values = signal(table, random)
    return np.array(names)[np.searchsorted(np.quantile(values, np.arange(1, len(names)) / len(names)), values)]


def fitted(folder: Path, model: Any, table: pd.DataFrame, target: Any, *, parquet: bool = False) -> Made:
    """Fit on the first rows, hold out the rest."""
    return save(folder, model.fit(table[:-HELD_OUT], target[:-HELD_OUT]), table[-HELD_OUT:], target[-HELD_OUT:], parquet=parquet)


def coded(final: Any, *texts: str) -> Any:
    """The model behind one-hot codes of these columns; others pass."""
    return make_pipeline(ColumnTransformer([("codes", OneHotEncoder(handle_unknown="ignore"), list(texts))], remainder="passthrough"), final)


def _mixed(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"age": random.normal(40, 9, ROWS).round(1), "plan": random.choice(["basic", "plus", "pro"], ROWS)})


def _numbers(random: Random, *names: str) -> pd.DataFrame:
    return pd.DataFrame({name: random.normal(10, 3, ROWS).round(3) for name in names or ("one", "two", "three")})


def _odd_names(random: Random) -> pd.DataFrame:
    return _numbers(random, *ODD).assign(**{"plan (new)": random.choice(["basic", "plus"], ROWS)})


def _output_names(random: Random) -> pd.DataFrame:
    return _numbers(random, "label", "probabilities").assign(prediction=random.choice(["basic", "plus"], ROWS))


def _seconds(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"start": 1_700_000_000 + random.integers(0, 3_000, ROWS), "length": random.integers(1, 90, ROWS)})


def _dates(random: Random) -> pd.DataFrame:
    days = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 59, ROWS), unit="D")
    return pd.DataFrame({"date": days.strftime("%Y%m%d").astype(int), "count": random.integers(0, 9, ROWS)})


def _ids(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"device": 16_777_216 + random.integers(0, 8, ROWS), "volts": random.normal(3.3, 0.1, ROWS)})


def _amounts(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"amount": 5e7 + random.integers(0, 400, ROWS) / 100, "fee": random.random(ROWS).round(2)})


def _tiny(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"current": random.normal(3e-10, 1e-10, ROWS), "charge": random.normal(0, 1e-19, ROWS)})


def _zip_codes(random: Random) -> pd.DataFrame:
    return pd.DataFrame(
        {"zip": pd.Categorical(random.choice([10115, 20095, 50667, 80331, 1067], ROWS)), "rent": random.normal(900, 200, ROWS).round()}
    )


def _leading_zeros(random: Random) -> pd.DataFrame:
    return _numbers(random, "size").assign(code=random.choice(["00123", "0123", "123", "1e3", "1000"], ROWS))


def _words(random: Random) -> pd.DataFrame:
    return _numbers(random, "size").assign(country=random.choice(["NA", "None", "nan", "DE", "null"], ROWS))


def _missing_text(random: Random) -> pd.DataFrame:
    table = _mixed(random)
    return table.assign(plan=table["plan"].astype(object).mask(random.random(ROWS) < 0.2), age=table["age"].mask(random.random(ROWS) < 0.1))


def _gaps(random: Random) -> pd.DataFrame:
    smoker = pd.Series(random.random(ROWS) < 0.4).astype(object).mask(random.random(ROWS) < 0.2)
    return pd.DataFrame({"smoker": smoker, "age": random.normal(40, 9, ROWS).round(1)})


def _nullable(random: Random) -> pd.DataFrame:
    table = pd.DataFrame({"count": random.integers(0, 50, ROWS), "size": random.normal(0, 1, ROWS)})
    return table.assign(count=table["count"].astype("Int64").mask(random.random(ROWS) < 0.2), size=table["size"].mask(random.random(ROWS) < 0.1))


def _tenths(random: Random) -> pd.DataFrame:
    return pd.DataFrame({"rate": random.integers(0, 11, ROWS) / 10, "share": random.integers(0, 101, ROWS) / 100})


def _imputed(final: Any, *, words: str) -> Any:
    numbers, texts = make_column_selector(dtype_include="number"), [words]
    codes = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    return make_pipeline(ColumnTransformer([("numbers", SimpleImputer(), numbers), ("words", codes, texts)]), final)


def _truth(final: Any) -> Any:
    codes = ColumnTransformer([("truth", SimpleImputer(strategy="most_frequent"), ["smoker"])], remainder="passthrough")
    return make_pipeline(codes, final)


def _ordinal(final: Any, *texts: str) -> Any:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(ColumnTransformer([("codes", encoder, list(texts))], remainder="passthrough"), final)


#: Name → (the table, the model, the classes or None for a number).
CASES: dict[str, tuple[Callable[[Random], pd.DataFrame], Callable[[], Any], Any]] = {
    "names-odd": (_odd_names, lambda: coded(RandomForestClassifier(20, random_state=0), "plan (new)"), (0, 1, 2)),
    "names-odd-numbers": (lambda draw: _numbers(draw, *ODD), lambda: make_pipeline(StandardScaler(), LogisticRegression()), (0, 1)),
    "names-of-outputs": (_output_names, lambda: coded(LogisticRegression(max_iter=500), "prediction"), (0, 1)),
    "names-of-outputs-numbers": (
        lambda draw: _numbers(draw, "label", "probabilities", "features"),
        lambda: DecisionTreeClassifier(max_depth=5),
        (0, 1),
    ),
    "seconds-scaled": (_seconds, lambda: make_pipeline(StandardScaler(), LogisticRegression()), (0, 1)),
    "seconds-boosted": (_seconds, lambda: HistGradientBoostingClassifier(max_iter=40), (0, 1, 2)),
    "dates-tree": (_dates, lambda: DecisionTreeClassifier(max_depth=6, random_state=0), (0, 1)),
    "dates-neighbours": (lambda draw: _dates(draw).assign(size=draw.normal(0, 1, ROWS)), lambda: KNeighborsClassifier(5), (0, 1)),
    "ids-one-hot": (_ids, lambda: coded(LogisticRegression(), "device"), (0, 1)),
    "ids-ordinal": (_ids, lambda: _ordinal(HistGradientBoostingClassifier(max_iter=40), "device"), (0, 1)),
    "amounts-boosted": (_amounts, lambda: HistGradientBoostingClassifier(max_iter=40), (0, 1)),
    "amounts-linear": (_amounts, lambda: make_pipeline(StandardScaler(), LinearRegression()), None),
    "tiny-numbers": (_tiny, lambda: make_pipeline(StandardScaler(), LogisticRegression()), (0, 1)),
    "zip-codes": (_zip_codes, lambda: coded(RandomForestClassifier(20, random_state=0), "zip"), (0, 1)),
    "codes-with-zeros": (_leading_zeros, lambda: coded(LogisticRegression(max_iter=500), "code"), (0, 1)),
    "codes-with-zeros-parquet": (_leading_zeros, lambda: coded(LogisticRegression(max_iter=500), "code"), (0, 1)),
    "words-like-gaps": (_words, lambda: coded(LogisticRegression(max_iter=500), "country"), (0, 1)),
    "text-with-gaps": (_missing_text, lambda: _imputed(LogisticRegression(max_iter=500), words="plan"), (0, 1)),
    "truth-with-gaps": (_gaps, lambda: _truth(LogisticRegression(max_iter=500)), (0, 1)),
    "truth-with-gaps-encoded": (_gaps, lambda: coded(LogisticRegression(max_iter=500), "smoker"), (0, 1)),
    "nullable-integers": (_nullable, lambda: HistGradientBoostingClassifier(max_iter=40), (0, 1)),
    "bins-at-tenths": (_tenths, lambda: make_pipeline(KBinsDiscretizer(5, strategy="uniform"), LogisticRegression()), (0, 1)),
    "labels-beyond-2-to-31": (_numbers, lambda: RandomForestClassifier(20, random_state=0), (2**33 + 1, 2**33 + 2, -5)),
    "labels-digits-as-text": (_numbers, lambda: LogisticRegression(max_iter=500), ("0", "1", "10")),
    "labels-true-as-text": (_numbers, lambda: DecisionTreeClassifier(max_depth=5, random_state=0), ("False", "True")),
    "labels-truth": (_numbers, lambda: LogisticRegression(max_iter=500), (False, True)),
    "labels-words-like-gaps": (_numbers, lambda: RandomForestClassifier(20, random_state=0), ("NA", "None", "nan")),
    "labels-unicode": (_mixed, lambda: coded(LogisticRegression(max_iter=500), "plan"), ("ja", "nein, später", "İ ß")),
    "target-seconds": (_numbers, lambda: TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()), None),
    "poisson": (_numbers, lambda: make_pipeline(StandardScaler(), PoissonRegressor()), None),
    "tweedie": (_numbers, lambda: make_pipeline(StandardScaler(), TweedieRegressor(power=1.5)), None),
    "quantile": (_numbers, lambda: make_pipeline(StandardScaler(), QuantileRegressor(quantile=0.9, alpha=0.01)), None),
    "boosted-quantile": (_numbers, lambda: HistGradientBoostingRegressor(loss="quantile", quantile=0.1, max_iter=40), None),
}


def _register(name: str, draw: Callable[[Random], pd.DataFrame], make: Callable[[], Any], names: Any) -> None:
    @example(f"table-{name}", FAMILY)
    def build(folder: Path) -> Made:
        random = np.random.default_rng(0)
        table = draw(random)
        target = signal(table, random) + 1 if names is None else classes(table, random, names)
        if name == "target-seconds":
            target = 1_700_000_000 + target * 600
        return fitted(folder, make(), table, target, parquet=name.endswith("parquet"))


for _name, _case in CASES.items():
    _register(_name, *_case)
