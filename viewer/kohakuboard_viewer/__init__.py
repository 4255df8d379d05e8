"""The web viewer: pages of runs and curves, served on this machine by `kobo open`."""

from .app import create_app
from .server import serve

__all__ = ["create_app", "serve"]
