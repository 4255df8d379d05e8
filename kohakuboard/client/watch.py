"""Watch a model: log the histograms of its parameters and gradients now and then.

Nothing is hung on the model: a watched board looks at it when something is logged, which is when a training loop has
its gradients. So a model can be compiled, copied and pickled as before, and `unwatch` leaves nothing behind. The model
is referred to weakly.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ..errors import RichValueError
from .plain import describe, storable_text
from .rich.histogram import Precision
from .rich.together import Histograms
from .steps import Steps
from .values import type_name, whole_number

__all__ = ["Watching"]

# How often a model may be found without gradients before that is said: a loop may log before its first backward().
MOST_MISSES: Final = 3
# What torch.compile, FSDP, activation checkpointing and DistributedDataParallel put into the names of parameters.
_WRAPPERS: Final = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
_OUTERMOST: Final = "module."
# What the histograms of a model are called in the call that logs them: each has a name of its own.
_TOGETHER: Final = "histograms of a model"


class Watching(Steps):
    """Give a board the calls that look at a model, which is anything with `named_parameters()`."""

    _watches: tuple[_Watch, ...] = ()

    def log(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        """Log values by name, as a Board does."""
        raise NotImplementedError

    def log_gradients(
        self,
        model: Any,
        step: int | None = None,
        prefix: str = "grad",
        *,
        bins: int = 64,
        precision: Precision = "exact",
    ) -> None:
        """Log a histogram of each parameter's gradient, as `<prefix>/<name of the parameter>`.

        Call it between `backward()` and `zero_grad()`. Parameters without a gradient, and those whose gradient is
        sparse, are left out. Values on a GPU are counted there, in one pass, and training does not wait for it; the
        background writer counts those in the host's memory. Of a tensor of more than 16 384 values, or one on a GPU,
        a value within the rounding of its type of an edge may be counted in the bin beside it. Raises
        BoardClosedError, and nothing else.

        Args:
            model: Anything with `named_parameters()`, also compiled or wrapped for distributed training.
            step: As for `log`.
            prefix: What the names begin with.
            bins: As of a Histogram.
            precision: As of a Histogram.
        """
        self._log_tensors(model, {"grad": prefix}, step, bins, precision)

    def log_parameters(
        self,
        model: Any,
        step: int | None = None,
        prefix: str = "param",
        *,
        bins: int = 64,
        precision: Precision = "exact",
    ) -> None:
        """Log a histogram of each parameter, as `<prefix>/<name of the parameter>`: see log_gradients."""
        self._log_tensors(model, {"param": prefix}, step, bins, precision)

    def watch(
        self,
        model: Any,
        every: int = 100,
        *,
        gradients: bool = True,
        parameters: bool = True,
        prefix: str = "",
        bins: int = 64,
        precision: Precision = "exact",
    ) -> None:
        """Log histograms of a model's gradients and parameters from now on, once in `every` steps.

        The first call of `log` in so many steps logs them, too, as `grad/<name>` and `param/<name>`, at its step.
        Gradients must be there then: call `log` after `backward()` and before `zero_grad()`. Nothing is hung on the
        model, which may go at any time.

        Args:
            model: Anything with `named_parameters()`, also compiled or wrapped for distributed training.
            every: How many steps lie between two.
            gradients: Whether to log the gradients.
            parameters: Whether to log the parameters.
            prefix: What comes before `grad/` and `param/`, such as "encoder/", where several models are watched.
            bins: As of a Histogram.
            precision: As of a Histogram.
        """
        number = whole_number(every)
        if number is None or number < 1:
            self._refuse(
                "watch every", f"every={describe(every)} is no number of steps from 1 on; 100 is used"
            )
            number = 100
        kinds = {"grad": f"{prefix}grad"} if gradients else {}
        kinds |= {"param": f"{prefix}param"} if parameters else {}
        try:
            _named_parameters(model)
            seen = weakref.ref(model)
        except Exception as exc:  # noqa: BLE001  (the boundary: a user's own model may raise anything)
            self._refuse("watch", f"what is a {type_name(model)} is not watched: {_words(exc)}")
            return
        self.unwatch(model)
        self._watches += (_Watch(seen, number, kinds, bins, precision),)
        # On this board alone: one that watches nothing logs as quickly as before.
        vars(self)["log"] = self._log_and_watch

    def unwatch(self, model: Any = None) -> None:
        """Stop watching a model, or all. The end of a run does, too."""
        self._keep(one for one in self._watches if model is not None and one.model() is not model)

    def _keep(self, watches: Iterable[_Watch]) -> None:
        """Go on with some, but for those whose model is gone."""
        self._watches = tuple(one for one in watches if one.model() is not None)
        if not self._watches:
            vars(self).pop("log", None)

    def _log_and_watch(
        self, metrics: Mapping[str, Any] | None = None, /, *, step: int | None = None, **values: Any
    ) -> None:
        type(self).log(self, metrics, step=step, **values)
        number = self._event_step() if step is None else whole_number(step)
        for one in self._watches:
            model = one.model()
            if model is None:
                self._keep(self._watches)
            elif number is not None and one.is_due(number):
                self._look(one, model, number)

    def _look(self, watch: _Watch, model: Any, step: int) -> None:
        kinds = watch.kinds
        if "grad" in kinds and not _has_gradients(model):
            watch.misses += 1
            if watch.misses < MOST_MISSES:
                return
            self._refuse(
                f"watch {kinds['grad']}",
                f"the watched {type_name(model)} has no gradients when something is logged; call log() after "
                "backward() and before zero_grad(), or log_gradients(model) there",
            )
            kinds = {kind: prefix for kind, prefix in kinds.items() if kind != "grad"}
        else:
            watch.misses = 0
        watch.done(step)
        self._log_tensors(model, kinds, step, watch.bins, watch.precision)

    def _log_tensors(
        self, model: Any, kinds: Mapping[str, str], step: int | None, bins: int, precision: Precision
    ) -> None:
        found: dict[str, Any] = {}
        try:
            histograms = Histograms(_tensors(model, kinds), bins, precision)
            found = {_TOGETHER: histograms} if histograms.n_values else {}
            for name, problem in histograms.refused.items():
                self._refuse(name, f"{name!r} was not logged: {problem}")
        except Exception as exc:  # noqa: BLE001  (the boundary: a user's own model may raise anything)
            self._refuse("histograms", f"no histograms of a {type_name(model)} were logged: {_words(exc)}")
        # Not `self.log`, which may be what called this one. Also of none: a closed board must say so.
        type(self).log(self, found, step=step)


class _Watch:
    """One model that is watched, and when it is looked at next."""

    def __init__(
        self,
        model: weakref.ref[Any],
        every: int,
        kinds: Mapping[str, str],
        bins: int,
        precision: Precision,
    ) -> None:
        self.model, self.kinds, self.bins, self.precision = model, kinds, bins, precision
        self.misses = 0
        self._every = every
        self._last: int | None = None

    def is_due(self, step: int) -> bool:
        """Tell whether a step is of another period than the last that was looked at."""
        return self._last is None or step // self._every != self._last // self._every

    def done(self, step: int) -> None:
        """Note that a step was looked at."""
        self._last = step


def _named_parameters(model: Any) -> list[tuple[str, Any]]:
    if not hasattr(model, "named_parameters"):
        raise RichValueError("Histogram", model, "pass a model, which has named_parameters()")
    return [*model.named_parameters()]


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, RichValueError) else describe(error)


def _tensors(model: Any, kinds: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the gradients and parameters of a model, by the name that they are logged under."""
    parameters = _named_parameters(model)
    is_wrapped = bool(parameters) and all(name.startswith(_OUTERMOST) for name, _ in parameters)
    prefixes = {kind: f"{prefix}/" if prefix else "" for kind, prefix in kinds.items()}
    for name, parameter in parameters:
        plain_name = storable_text(_plain_name(name, is_wrapped))
        for kind, prefix in prefixes.items():
            tensor = parameter if kind == "param" else getattr(parameter, "grad", None)
            if tensor is not None:
                yield prefix + plain_name, tensor


def _has_gradients(model: Any) -> bool:
    try:
        return any(getattr(parameter, "grad", None) is not None for _, parameter in model.named_parameters())
    except Exception:  # noqa: BLE001  (a user's own model may raise anything; it is said when it is logged)
        return True


def _plain_name(name: str, is_wrapped: bool) -> str:
    for wrapper in _WRAPPERS if "_" in name else ():
        name = name.replace(wrapper, "")
    return name.removeprefix(_OUTERMOST) if is_wrapped else name
