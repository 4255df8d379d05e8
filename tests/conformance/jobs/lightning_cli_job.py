"""A LightningCLI program, which writes its config.yaml into the log directory."""

from __future__ import annotations

from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel

import kohakuboard  # noqa: F401  (as the autoload hook does, where it is installed)

if __name__ == "__main__":
    LightningCLI(BoringModel)
