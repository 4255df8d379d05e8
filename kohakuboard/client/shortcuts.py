"""Calls that log one rich value: `board.log_table("errors", rows)` for `board.log(errors=Table(rows))`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from .plain import words
from .rich import Figure, Histogram, KernelDensity, Media, Table, Tensor, Text

__all__ = ["Shortcuts"]


class Shortcuts:
    """Give a board a call for each type. The arguments are those of the type; `step` is that of `log`."""

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        """Log values by name, as a Board does."""
        raise NotImplementedError

    def log_histogram(self, name: str, values: Any, *, step: int | None = None, **options: Any) -> None:
        """Log how values are distributed: see Histogram, whose options are `bins`, `range` and `precision`."""
        self.log({name: Histogram(values, **options)}, step=step)

    def log_kernel_density(
        self, name: str, values: Any = None, *, step: int | None = None, **options: Any
    ) -> None:
        """Log how values are distributed, as a curve: see KernelDensity, whose options the others are."""
        self.log({name: KernelDensity(values, **options)}, step=step)

    def log_tensor(self, name: str, values: Any, *, step: int | None = None) -> None:
        """Log an array or tensor whole: see Tensor."""
        self.log({name: Tensor(values)}, step=step)

    def log_table(
        self, name: str, data: Any, columns: Iterable[str] | None = None, *, step: int | None = None
    ) -> None:
        """Log rows and columns: see Table."""
        self.log({name: Table(data, columns)}, step=step)

    def log_text(
        self,
        name: str,
        text: Any,
        format: Literal["plain", "markdown", "html"] = "plain",  # noqa: A002
        *,
        step: int | None = None,
    ) -> None:
        """Log a text, or a list of several: see Text."""
        texts = text if isinstance(text, list | tuple) else [text]
        self.log({name: [Text(one, format) for one in texts]}, step=step)

    def log_images(
        self,
        name: str,
        images: Any,
        *,
        captions: Sequence[str] | str | None = None,
        step: int | None = None,
        **options: Any,
    ) -> None:
        """Log one image or a list of them, each in a form that Media takes, with as many captions.

        An array or tensor of several is shown as one grid; with several captions, as so many images. What else is
        given, such as `classes`, goes to each.
        """
        texts: list[str | None] = [] if captions is None else [*words(captions)]
        several = isinstance(images, list | tuple) or (len(texts) > 1 and getattr(images, "ndim", 0) == 4)
        many = list(images) if several else [images]
        texts += [None] * (len(many) - len(texts))
        made = [Media(image, text, **options) for image, text in zip(many, texts, strict=False)]
        self.log({name: made}, step=step)

    def log_video(
        self, name: str, video: Any, *, fps: float = 24, step: int | None = None, **options: Any
    ) -> None:
        """Log a video: the path of a file, or frames, see Media."""
        self.log({name: Media(video, fps=fps, **options)}, step=step)

    def log_audio(
        self, name: str, audio: Any, *, sample_rate: int = 44_100, step: int | None = None, **options: Any
    ) -> None:
        """Log a sound: the path of a file, or samples, see Media."""
        self.log({name: Media(audio, sample_rate=sample_rate, **options)}, step=step)

    def log_figure(self, name: str, figure: Any, *, step: int | None = None, **options: Any) -> None:
        """Log a plot made with matplotlib or Plotly: see Figure."""
        self.log({name: Figure(figure, **options)}, step=step)
