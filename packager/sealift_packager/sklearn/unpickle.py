"""A joblib or pickle file, read: what it is made with, and what it lacks here, in words."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from sealift_packager.archives.memory_limit import bounded_memory
from sealift_packager.archives.packed import check_packed, unpacked_head
from sealift_packager.errors import SourceModelError, caused_by, first_line
from sealift_packager.model.version_skew import VersionSkew, telling

#: What pip calls the package of a module that models need. Of other modules no package is named: whose it is on an index, nobody knows.
_PACKAGES: Final = {
    **{
        name: name
        for name in ("catboost", "joblib", "lightgbm", "numpy", "pandas", "polars", "pyarrow", "scipy", "skops", "statsmodels", "torch", "xgboost")
    },
    "PIL": "pillow",
    "category_encoders": "category-encoders",
    "feature_engine": "feature-engine",
    "imblearn": "imbalanced-learn",
    "sklearn": "scikit-learn",
    "sklearn_pandas": "sklearn-pandas",
}
#: scikit-learn writes its version behind each estimator's attributes: a string of pickle's protocol 2 to 5, which is a size and then the text.
_SCIKIT_VERSION: Final = re.compile(rb"_sklearn_version(?:\x94|q.|r.{4})?(?:\x8c(.)|X(.)\0\0\0)([0-9][0-9A-Za-z.+]{1,30})", re.DOTALL)
#: XGBoost's: three numbers in UBJSON.
_XGBOOST_VERSION: Final = re.compile(rb"version\[#L\0{7}\x03i(.)i(.)i(.)", re.DOTALL)
_OLD_XGBOOST: Final = "older version of XGBoost"
#: Versions stand behind the first estimator within.
_HEAD_BYTES: Final = 2**28
#: Of the script or notebook that was run, whatever its name was.
_MAIN: Final = ("__main__", "__mp_main__")
_NO_ATTRIBUTE: Final = re.compile(
    r"Can't get (?:local )?(?:attribute|object) '(?P<name>[^']+)' on <module '(?P<on>[^']+)'"
    r"|module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)'"
)


def unpickle(path: Path) -> tuple[Any, VersionSkew | None]:
    """What the file holds, and which version of its library made it, where that is another one; `SourceModelError`."""
    try:
        import joblib
        import sklearn  # noqa: F401  (most pickles need it, and its absence has its own message)
    except ImportError as error:
        raise SourceModelError(f"{error.name} is not installed", where=str(path), advice="pip install joblib scikit-learn skl2onnx") from error
    check_packed(path)
    failure: Exception | None = None
    with noting_skew(path) as skews:
        try:
            with bounded_memory(path):
                model = joblib.load(path)
        except SourceModelError:
            raise
        except Exception as error:  # noqa: BLE001  # a pickle can raise anything
            failure = error
    if failure is not None:
        skew = next(iter(skews), None) or _written_skew(path)
        with telling(skew):
            raise _told(failure, path, skew) from failure
    return model, next(iter(skews), None)


@contextlib.contextmanager
def noting_skew(path: Path) -> Iterator[list[VersionSkew]]:
    """Fills the list, once the block is done, with the versions that libraries warn of there. All other warnings are given on."""
    skews: list[VersionSkew] = []
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield skews
    finally:
        for warning in caught:
            skew = _skew(warning.message, path)
            if skew is not None:
                skews.append(skew)
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _skew(warning: Warning | str, path: Path) -> VersionSkew | None:
    original = getattr(warning, "original_sklearn_version", None)
    if original is not None:
        return _of_scikit(str(original))
    if _OLD_XGBOOST in str(warning):
        return _of_xgboost(path)
    return None


def _written_skew(path: Path) -> VersionSkew | None:
    """Of scikit-learn, by what the file says of itself: a file that can't be read has given no warning yet."""
    import sklearn

    written = _SCIKIT_VERSION.search(unpacked_head(path, _HEAD_BYTES))
    version = written[3][: (written[1] or written[2])[0]].decode() if written else sklearn.__version__
    return _of_scikit(version) if version != sklearn.__version__ else None


def _of_scikit(version: str) -> VersionSkew:
    import sklearn

    return VersionSkew(library="scikit-learn", package="scikit-learn", made_with=version, read_with=sklearn.__version__)


def _of_xgboost(path: Path) -> VersionSkew:
    import xgboost

    written = _XGBOOST_VERSION.search(unpacked_head(path, _HEAD_BYTES))
    version = ".".join(str(number[0]) for number in written.groups()) if written else "of an older version"
    return VersionSkew(library="XGBoost", package="xgboost", made_with=version, read_with=xgboost.__version__)


def _told(error: Exception, path: Path, skew: VersionSkew | None) -> SourceModelError:
    """The error in words: of a module or a name in it that isn't here, of everything else what the library said first."""
    where = str(path)
    missing, name = _lacking(error)
    if missing and missing in (*_MAIN, getattr(sys.modules["__main__"].__spec__, "name", "")):  # ours, as Python calls it
        return SourceModelError(
            f"the model needs {name}, which was defined in the script or notebook that saved it",
            where=where,
            expected="functions and classes of modules that can be imported",
            advice="Move it into a .py file, import it from there, save the model again, and name the folder of that file in PYTHONPATH.",
        )
    if missing:
        return _missing_module(missing, name, where, skew)
    return SourceModelError(
        f"can't be unpickled ({caused_by(error)})",
        where=where,
        expected="a complete joblib or pickle file",
        advice="The file may be cut off, or need a package that is not installed.",
    )


def _lacking(error: Exception) -> tuple[str, str]:
    """The module that isn't here or, with a name, lacks that; empty for other errors."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name, ""
    text = first_line(error)
    if isinstance(error, ImportError) and error.name and (found := re.match(r"cannot import name '([^']+)'", text)):
        return error.name, found[1]
    if isinstance(error, AttributeError) and (found := _NO_ATTRIBUTE.match(text)):
        return found["on"] or found["module"], found["name"] or found["attribute"]
    return "", ""


def _missing_module(module: str, name: str, where: str, skew: VersionSkew | None) -> SourceModelError:
    top = module.partition(".")[0]
    package, version = _PACKAGES.get(top, top), _version(top)
    needed = f"{name} of the module {module}" if name else f"the module {module}"
    own = "If the module is your own, name its folder in PYTHONPATH, as in PYTHONPATH=. sealift pack …"
    if not version and skew is not None and top.startswith("_"):  # scikit-learn's compiled modules call themselves _loss
        package, version = skew.library, skew.read_with
    if top == "numpy" and not name:
        words, advice = (
            f"which numpy {version} doesn't have",
            "It was saved with another numpy: pip install 'numpy>=2', or 'numpy<2' if you have that.",
        )
    elif version:
        advice = f"Pack it where the {package} that it was saved with is installed." if skew is None else ""
        words = f"which {package} {version} doesn't have"
    elif name:
        words, advice = "which that module doesn't have", f"Install the version of {package} that it was saved with. {own}"
    else:
        install = f"pip install {package}." if top in _PACKAGES else f"Install the package that it belongs to. {own}"
        words, advice = "which is not installed", install
    return SourceModelError(f"the model needs {needed}, {words}", where=where, advice=advice or None)


def _version(module: str) -> str:
    """Of the package that a module belongs to; empty if it isn't installed, or none that was installed by pip."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(_PACKAGES.get(module, module))
    return ""
