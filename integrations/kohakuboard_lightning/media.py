"""Calls that log media, in the form that Lightning's loggers have: a name, a list, and a list for each option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_only

from kohakuboard import Media, Table, Text

if TYPE_CHECKING:
    from kohakuboard import Board

__all__ = ["MediaCalls"]


class MediaCalls:
    """Give a logger `log_image`, `log_video`, `log_audio`, `log_table` and `log_text`.

    Each raises TypeError for what is no list, and ValueError where a list of options has another length.
    """

    if TYPE_CHECKING:

        @property
        def experiment(self) -> Board:
            """Return the run's Board."""

    @rank_zero_only
    def log_image(self, key: str, images: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Log images in any form that Media takes; `caption`, `boxes` and `masks` are lists, one item for each."""
        self._log_media("images", key, images, step, kwargs)

    @rank_zero_only
    def log_video(self, key: str, videos: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Log videos, paths or arrays T×H×W×C; `caption` and `fps` are lists, one item for each."""
        self._log_media("videos", key, videos, step, kwargs)

    @rank_zero_only
    def log_audio(self, key: str, audios: list[Any], step: int | None = None, **kwargs: Any) -> None:
        """Log sounds, paths or arrays; `caption` and `sample_rate` are lists, one item for each."""
        self._log_media("audios", key, audios, step, kwargs)

    @rank_zero_only
    def log_table(
        self,
        key: str,
        columns: list[str] | None = None,
        data: list[list[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Log a table of columns and rows, or a data frame."""
        table = Table(dataframe) if dataframe is not None else Table(data or [], columns or [])
        self.experiment.log({key: table}, step=step)

    @rank_zero_only
    def log_text(
        self,
        key: str,
        columns: list[str] | None = None,
        data: list[list[str]] | list[str] | None = None,
        dataframe: Any = None,
        step: int | None = None,
    ) -> None:
        """Log texts: a list of them, or a table of them as `log_table` takes it."""
        texts = columns if data is None and dataframe is None else data
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts) and dataframe is None:
            self.experiment.log({key: [Text(text) for text in texts]}, step=step)
        else:
            self.log_table(key, columns, data, dataframe, step)  # type: ignore[arg-type]

    def _log_media(self, kind: str, key: str, items: Any, step: int | None, options: dict[str, Any]) -> None:
        if not isinstance(items, list):
            raise TypeError(f'Expected a list as "{kind}", found {type(items)}')
        for name, values in options.items():
            if len(values) != len(items):
                raise ValueError(f"Expected {len(items)} items but only found {len(values)} for {name}")
        each = [{name: values[i] for name, values in options.items()} for i in range(len(items))]
        media = [Media(item, **one) for item, one in zip(items, each, strict=True)]
        self.experiment.log({key: media}, step=step)
