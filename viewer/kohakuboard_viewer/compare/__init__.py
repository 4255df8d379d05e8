"""The page that compares runs: /compare?run=PROJECT/ID&run=PROJECT/ID, from 2 to 100 of them, in tabs."""

from .pages import compare_routes

__all__ = ["compare_routes"]
