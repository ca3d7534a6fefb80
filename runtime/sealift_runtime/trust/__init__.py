"""TUF metadata in, a verdict out."""
