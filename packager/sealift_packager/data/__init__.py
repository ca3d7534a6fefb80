"""Holdout data: read (``files``), fitted to a model (``holdout``), or made up where there is none (``synthetic``).

Never imports a training framework.
"""
