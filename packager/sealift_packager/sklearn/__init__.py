"""scikit-learn models: read, asked, and converted.

Reading order:

- ``load``        models and pipelines from joblib, pickle or skops (``unpickle``, ``skops_types``, ``indices``, ``checks``, ``older_files``)
- ``input_layout``  how a model takes its rows; ``missing_text``; ``nullable`` the columns that may be missing
- ``tags``        what scikit-learn says a model is, as the installed version answers
- ``answers``     what a model gives, by what it is
- ``digits``      columns that it compares or subtracts by more digits than float32 has
- ``fitted_rows``  rows like those that a model was fitted on
- ``ties``        rows that a model answers by chance (``inner_rows``)
- ``convert``     tree ensembles by our own writer, everything else by skl2onnx (``lost_digits``)
- ``class_numbers``  classifiers with large labels
- ``prepared``, ``surrogates``  estimators in a form that skl2onnx takes
- ``converters``  scikit-learn's classes that are converted here instead of by skl2onnx
"""
