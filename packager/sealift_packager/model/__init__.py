"""A trained model as the rest of the packager sees it.

Reading order:

- ``detect``     the format of a model file, found from its content
- ``foreign``    models of other formats, and the way to ONNX from each
- ``source``     `SourceModel` and the options of loading; ``version_skew``, a file of another version of its library
- ``batch``      which dimension of its tensors is the batch
- ``accepted``   which sizes and values a model takes, where not all will do
- ``output_names``  what its outputs are called
- ``dynamic``    which dimensions of a torch model are free
- ``columns``    a table's columns as inputs
- ``categories`` the categories that a model's encoders know
- ``table_steps``  steps of category_encoders and feature_engine
- ``unwrapped``  a model without the search or training around it
- ``moments``    mean and spread of numbers of which some are missing
- ``drawn_rows``  which rows of many show what a type holds
- ``synthetic``  inputs that follow from the specs and a seed alone

Never imports a framework.
"""
