"""The lines that the project began with, and the shortcuts: all of it at one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kohakuboard import Board, Histogram, Media, Table
from kohakuboard.reader import open_run


def test_one_call_logs_scalars_histograms_tables_and_media_at_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOHAKUBOARD_DIR", str(tmp_path))
    model = torch.nn.Linear(4, 2)
    image = np.zeros((8, 8, 3), np.uint8)

    board = Board(name="resnet-training", config={"lr": 0.001})
    for _ in range(3):
        loss = model(torch.randn(5, 4)).square().mean()
        model.zero_grad()
        loss.backward()
        board.step()
        board.log(
            **{"train/loss": loss},
            **{  # type: ignore[arg-type]
                f"grad/{name}": Histogram(param.grad).compute_bins()
                for name, param in model.named_parameters()
            },
            results=Table([{"class": "cat", "acc": 0.9}, {"class": "dog", "acc": 0.8}]),
            sample=Media(image, caption="what it saw"),
            samples=[Media(image), Media(image)],
        )
        board.log_images("images", [image, image], captions=["a", "b"])
        board.log_video("video", np.zeros((2, 8, 8, 3), np.uint8), fps=2, format="gif")
        board.log_audio("audio", np.zeros(100, np.float32), sample_rate=8000)
        board.log_table("table", [{"a": 1}])
        board.log_histogram("weights", model.weight)
        board.log_tensor("tensor", model.weight)
        board.log_kernel_density("density", torch.randn(50))
        board.log_text("text", "words")
    board.finish()

    run = open_run(board.path)
    assert run.name == "resnet-training"
    assert run.config == {"lr": 0.001}
    assert run.series("train/loss").step.tolist() == [1, 2, 3]
    for name in ("grad/weight", "grad/bias", "weights"):
        assert run.histograms(name).step.tolist() == [1, 2, 3]
        assert run.histograms(name).counts.sum(1).tolist() == [{"grad/bias": 2}.get(name, 8)] * 3
    entries: dict[str, list[Any]] = {
        "results": run.tables("results"), "table": run.tables("table"), "sample": run.media("sample"),
        "video": run.media("video"), "audio": run.media("audio"), "tensor": run.tensors("tensor"),
        "density": run.densities("density"), "text": run.text("text"),
    }  # fmt: skip
    for name, found in entries.items():
        assert [entry.step for entry in found] == [1, 2, 3], name
    assert [(entry.step, entry.position) for entry in run.media("samples")] == [
        (step, i) for step in (1, 2, 3) for i in (0, 1)
    ]
    assert [entry.caption for entry in run.media("images", 2)] == ["a", "b"]
    # The same picture is stored once, however often it was logged.
    assert len({entry.hash for name in ("sample", "samples", "images") for entry in run.media(name)}) == 1
