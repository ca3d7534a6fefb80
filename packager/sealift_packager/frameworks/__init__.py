"""Which framework loads and converts what: ``loaders`` (format to loader, `load_model`) and ``converters`` (format to converter, `convert_model`)."""
