from __future__ import annotations

import pytest

from kohakuboard_viewer.compare.scales import Scale, path
from kohakuboard_viewer.compare.values import Column

LARGEST = 1.7e308


def column(*places: float | None, names: tuple[str, ...] = ()) -> Column:
    return Column(
        "config:lr", "lr", [None if place is None else str(place) for place in places], places, names
    )


@pytest.mark.parametrize(
    ("places", "middle"),
    [
        ((0.0, 10.0), 5.0),
        ((1e-4, 1e-2), 1e-3),
        ((-LARGEST, LARGEST), 0.0),
        ((3.0, 3.0), 3.0),
        ((None, 2.0, 4.0), 3.0),
    ],
)
def test_what_is_in_the_middle_of_an_axis_is_there(places: tuple[float | None, ...], middle: float) -> None:
    scale = Scale.of(column(*places))
    assert scale.at(0.5) == pytest.approx(middle)
    assert scale.share(middle) == pytest.approx(0.5)
    for place in places:
        if place is not None:
            assert scale.at(scale.share(place)) == pytest.approx(place)
            assert 0 <= scale.share(place) <= 1


def test_wide_positive_numbers_lie_on_a_logarithmic_axis() -> None:
    assert Scale.of(column(1e-4, 1e-2)).log
    assert not Scale.of(column(1e-4, 4e-3)).log
    assert not Scale.of(column(0.0, 1e6)).log


def test_an_axis_is_labelled_by_its_names_or_by_its_ends_and_round_numbers() -> None:
    assert list(Scale.of(column(0.0, 1.0, 2.0, names=("gelu", "relu", "silu"))).ticks) == [
        (0.0, "gelu"),
        (0.5, "relu"),
        (1.0, "silu"),
    ]
    for places, words in (
        ((0.0, 0.3, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        ((0.0, 1.0, 2.0), ["0", "1", "2"]),  # of whole numbers no halves
        ((0.32216, 1.0128), ["0.3222", "0.6", "0.8", "1.013"]),  # 0.4 would lie over the end
        ((1.9e-4, 1e-2), ["0.00019", "0.001", "0.01"]),
    ):
        ticks = list(Scale.of(column(*places)).ticks)
        assert [word for _, word in ticks] == words
        shares = [share for share, _ in ticks]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0, 1)
    assert Scale.of(column(None)).at(0.5) == 0.5


def test_the_line_of_a_run_has_gaps_where_a_value_is_missing() -> None:
    scales = [Scale.of(column(*places)) for places in ((0.0, 1.0), (1.0, None), (0.0, 2.0), (1.0, 3.0))]
    assert path(scales, 0) == "M0,1L0.33333,0.5L0.66667,1L1,1"
    assert path(scales, 1) == "M0,0M0.66667,0L1,0"
