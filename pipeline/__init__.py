"""Dépêche turns French-language news into structured, queryable event data."""

__version__ = "0.1.0"
