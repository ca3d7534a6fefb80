"""Sealift's hub: the fleet, its repository and its reports."""

__version__ = "0.1.0"
