"""Which framework loads and converts what: ``loaders`` (kind to loader, `load_model`) and ``converters`` (kind to converter, `convert_model`)."""
