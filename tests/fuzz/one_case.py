"""One case: train a model on a random table, convert it as a build does, and hold what a client gets against the model on the user's own table."""

from __future__ import annotations

import dataclasses
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pandas as pd

from fuzz.comparing import difference
from fuzz.random_models import BOOSTERS, Recipe, draw_recipe, made, piped, wrapped
from fuzz.random_rows import questions
from fuzz.random_tables import CODES, NULLABLE, NUMBERS, TEXTS, Random, Values, draw_schema, draw_target
from sealift_core.bundle.tensors import TensorSpec
from sealift_core.errors import SealiftError
from sealift_packager.build.in_memory_data import write_data
from sealift_packager.data.files import DataFile, read_data
from sealift_packager.data.holdout import bind
from sealift_packager.frameworks.converters import convert_model
from sealift_packager.frameworks.loaders import load_model
from sealift_packager.graph.session import Settings, open_session, run_session
from sealift_packager.model.columns import FEATURES
from sealift_packager.model.source import LoadOptions, SourceModel
from sealift_packager.parity.check import prove_parity
from sealift_packager.parity.digits import with_digits
from sealift_runtime.serving.values import from_json

EQUAL, UNTRAINED, REFUSED, RAW, SILENT = "packed and equal", "no such model", "refused", "RAW ERROR", "SILENT DIFFERENCE"
TARGET: Final = "target"
_LIBRARY_TEXT: Final = re.compile(
    r"^(?!.*caused by).*(Traceback|<class '|np\.\w+\(|array\(\[|object at 0x|RuntimeException|\[ONNXRuntimeError\]|KeyError)", re.DOTALL
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a case ended: ``verdict`` is one of the words above, ``detail`` says where or what."""

    seed: int
    verdict: str
    detail: str
    case: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model, the table and target that it was fitted to, other rows of the same table, and how it is saved and what data goes with it."""

    model: Any
    named: bool
    table: pd.DataFrame
    target: Values
    fresh: pd.DataFrame
    native: bool
    data: str
    title: str

    def ask(self, method: str, table: pd.DataFrame) -> Values:
        """What a method of the user's own object gives for a table's numbers; in float32, rounding errors of some are as large as the answer."""
        wide = table.astype({name: np.float64 for name in table if table[name].dtype == np.float32})
        return np.asarray(getattr(self.model, method)(wide if self.named else wide.to_numpy()))


def run_case(seed: int) -> Outcome:
    """Play the case of a seed."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        try:
            trained = _train(random)
        except Exception as error:  # noqa: BLE001  # the libraries refuse some tables
            return Outcome(seed=seed, verdict=UNTRAINED, detail=type(error).__name__, case="")
        verdict, detail = _judge(random, trained, Path(folder))
        return Outcome(seed=seed, verdict=verdict, detail=detail, case=trained.title)


def _judge(random: Random, trained: Trained, folder: Path) -> tuple[str, str]:
    try:
        source = _loaded(trained, folder)
        converted, session, holdout = _proven(source, trained, folder)
        return _asked(random, trained, converted, session, holdout)
    except SealiftError as error:
        raw = _LIBRARY_TEXT.match(str(error))
        return (RAW if raw else REFUSED), f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001  # which is what is looked for
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return RAW, f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"


def _train(random: Random) -> Trained:
    classes, through = bool(random.random() < 0.6), bool(random.random() < 0.55)
    recipe = draw_recipe(random, classes=classes)
    booster = recipe[0].startswith(BOOSTERS)
    coded = (booster or "HistGradient" in recipe[0]) and not through and random.random() < 0.4
    dtypes = NUMBERS + (NULLABLE if through or booster else ()) + (TEXTS * 2 + CODES if through else ()) + (CODES * 3 if coded else ())
    schema = draw_schema(random, dtypes, gaps=through or booster, named=through or coded or bool(random.integers(2)))
    rows = int(random.choice([60, 120, 200]))
    table = schema.draw(random, rows)
    task = str(random.choice(["int", "text", "bool", "odd"])) if classes else "number"
    target = draw_target(random, table, task)
    if recipe[0].startswith("xgboost") and classes:
        target = pd.factorize(target, sort=True)[0]
    model = _built(random, recipe, table, classes=classes, through=through, coded=coded)
    more = (
        {"cat_features": [n for n in table if isinstance(table[n].dtype, pd.CategoricalDtype)]} if coded and recipe[0].startswith("catboost") else {}
    )
    model.fit(table if schema.named else table.to_numpy(), target, **more)
    native = booster and type(model).__module__.startswith(BOOSTERS) and bool(random.integers(2))
    native = native and getattr(model, "missing", None) not in (0, -1)  # XGBoost's own file doesn't say which number stands for a missing value
    data = str(random.choice(["none", "csv", "parquet", "memory"]))
    columns = ", ".join(f"{c.dtype}/{c.shape}/{c.scale:g}@{c.offset:g}{'/gaps' if c.missing else ''}" for c in schema.columns.values())
    title = f"{' '.join(str(model).split())[:400]} | {task} | {'native' if native else 'joblib'} | data: {data} | {columns}"
    fresh = schema.draw(random, 60)
    return Trained(
        model=model, named=schema.named, table=table, target=target, fresh=fresh, native=native, data=data, title=title
    )  # fmt: skip


def _built(random: Random, recipe: Recipe, table: pd.DataFrame, *, classes: bool, through: bool, coded: bool) -> Any:
    module, options = recipe[0], dict(recipe[1])
    if coded and module.startswith("xgboost"):
        options["enable_categorical"] = True
    model = made((module, options))
    if random.random() < 0.2 and not coded:
        model = wrapped(random, model, classes=classes)
    return piped(random, model, table) if through else model


def _loaded(trained: Trained, folder: Path) -> SourceModel:
    path = folder / "m.joblib"
    if trained.native:
        path = folder / {"xgboost": "m.json", "lightgbm": "m.txt", "catboost": "m.cbm"}[type(trained.model).__module__.partition(".")[0]]
        (trained.model.booster_ if path.suffix == ".txt" else trained.model).save_model(path)
    else:
        joblib.dump(trained.model, path)
    data = _data(trained, folder)
    examples = data.arrays if data else {}
    return load_model(path, LoadOptions(trust_pickle=True, examples=examples, target=TARGET))


def _data(trained: Trained, folder: Path) -> DataFile | None:
    whole = pd.concat([trained.table.assign(**{TARGET: trained.target}), trained.table[:0]])
    path = folder / f"data.{trained.data}"
    match trained.data:
        case "none":
            return None
        case "csv":
            whole.to_csv(path, index=False)
        case "parquet":
            whole.to_parquet(path)
        case _:
            given = (trained.table if trained.named else trained.table.to_numpy(), trained.target)
            options = LoadOptions(trust_pickle=True)
            path = write_data(given, folder, trained.model, target=TARGET, options=options) or path
    read = read_data(path)
    assert isinstance(read, DataFile)
    return read


def _proven(source: SourceModel, trained: Trained, folder: Path) -> tuple[SourceModel, Any, Any]:
    """As a build does it: fit the data to the model, choose the digits, convert, prove parity."""
    data = _data(trained, folder)
    holdout = bind(data, source, TARGET) if data else None
    exact = with_digits(source, holdout.originals if holdout else None)
    if exact is not source:
        holdout = bind(data, exact, TARGET) if data else None
    converted = convert_model(exact)
    inputs, originals = (holdout.inputs, holdout.originals) if holdout else (None, None)
    prove_parity(exact, converted, inputs, seed=0, originals=originals)
    return exact, open_session(converted.model, Settings(), where="model.onnx"), holdout


def _asked(random: Random, trained: Trained, source: SourceModel, session: Any, holdout: Any) -> tuple[str, str]:
    specs = {spec.name: spec for spec in source.inputs}
    names = list(trained.table)
    whole = next(iter(specs.values())) if FEATURES in specs else None
    narrow = {name: (whole or specs.get(name, source.inputs[0])).dtype == "float32" for name in names}
    usual: dict[str, Values] = {}
    for title, table in questions(random, trained.table, trained.fresh, narrow.__getitem__).items():
        try:
            expected = _expected(trained, source, table)
        except Exception:  # noqa: BLE001  # the model itself refuses these rows
            continue
        request = _request(source, whole, table)
        answers = run_session(session, request)
        if title == "inside":
            usual = expected
        certain = np.full(len(table), True) if source.arbitrary is None else ~source.arbitrary(request)
        found = difference(expected, answers, usual, margins=_margins(trained, table), certain=certain)
        if found:
            return SILENT, f"{title}: {found}{' (with the holdout too)' if holdout else ''}"
    return EQUAL, ""


def _expected(trained: Trained, source: SourceModel, table: pd.DataFrame) -> dict[str, Values]:
    if "prediction" in source.outputs:
        prediction = trained.ask("predict", table).reshape(len(table), -1).astype(np.float64)
        return {"prediction": prediction if "prediction" in source.wide_outputs else _within_float32(prediction)}
    answers = {"label": trained.ask("predict", table).reshape(len(table))}
    if "probabilities" in source.outputs:
        answers["probabilities"] = trained.ask("predict_proba", table)
    if trained.native and type(trained.model).__module__.startswith("lightgbm"):  # the file has no labels but numbers
        answers["label"] = np.searchsorted(trained.model.classes_, answers["label"])
    return answers


def _within_float32(values: Values) -> Values:
    """Numbers as an output of float32 may hold them: an infinity of their sign where they are beyond its range."""
    return np.where(np.abs(values) > np.finfo(np.float32).max, np.copysign(np.inf, values), values)


def _margins(trained: Trained, table: pd.DataFrame) -> Values | None:
    """What labels are chosen by, where it isn't probabilities."""
    if not hasattr(trained.model, "decision_function"):
        return None
    return trained.ask("decision_function", table)


def _request(source: SourceModel, whole: TensorSpec | None, table: pd.DataFrame) -> dict[str, Values]:
    if whole is None:
        return {spec.name: _column(spec, table[spec.name]) for spec in source.inputs}
    columns = [_numbers(table[name]) for name in table]
    return {whole.name: from_json(whole, (len(table), len(columns)), [list(row) for row in zip(*columns, strict=True)])}


def _column(spec: TensorSpec, column: pd.Series[Any]) -> Values:
    values = ["" if pd.isna(item) else str(item) for item in column] if spec.dtype == "string" else _numbers(column)
    return np.asarray(from_json(spec, (len(values), 1), [[value] for value in values]))


def _numbers(column: pd.Series[Any]) -> list[Any]:
    """A column as JSON has it."""
    return [
        None if pd.isna(item) else float(item) if isinstance(item, bool | np.bool_) else item.item() if isinstance(item, np.generic) else item
        for item in column
    ]
