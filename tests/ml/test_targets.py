"""What the net learns from: maps that add up to counts, and a loss blind to what is unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml.heads import Output
from ml.targets import Batch, loss, mark_map, type_weights


@given(st.floats(0.0, 320.0, width=32), st.floats(0.0, 240.0, width=32))
def test_a_mark_adds_one_cell_wherever_it_lies(x: float, y: float) -> None:
    maps = mark_map(np.array([[1, x, y]], dtype=np.float32), 3, 30, 40, 8)
    assert maps.shape == (3, 30, 40)
    assert maps.sum(axis=(1, 2)) == pytest.approx([0.0, 1.0, 0.0], abs=1e-4)
    row, column = np.unravel_index(maps[1].argmax(), (30, 40))
    assert abs(column + 0.5 - x / 8) <= 0.51
    assert abs(row + 0.5 - y / 8) <= 0.51


def test_marks_add_up_by_type() -> None:
    points = np.array([[0, 5, 5], [0, 6, 5], [2, 100, 200], [0, 319, 239]], dtype=np.float32)
    assert mark_map(points, 3, 30, 40, 8).sum(axis=(1, 2)) == pytest.approx([3, 0, 1], abs=1e-4)
    assert not mark_map(points[:0], 3, 30, 40, 8).any()


@given(
    st.floats(40.0, 200.0, width=32),
    st.floats(16.0, 120.0, width=32),
    st.sampled_from([(0, 0), (120, 0), (0, 120), (120, 120)]),
)
def test_nothing_of_a_cell_lies_beyond_the_border_of_its_field(
    width: float, height: float, corner: tuple[int, int]
) -> None:
    left, top = corner
    area = (left, top, left + width, top + height)
    points = np.array([[0, area[0], area[1]], [0, area[2], area[3]]], dtype=np.float32)
    (cells,) = mark_map(points, 1, 30, 40, 8, area)
    assert cells.sum() == pytest.approx(2.0, abs=1e-4)
    rows, columns = np.nonzero(cells)
    assert (rows.min() * 8, columns.min() * 8) == (top, left)
    assert rows.max() * 8 < area[3]
    assert columns.max() * 8 < area[2]


def batch(**changes: torch.Tensor) -> Batch:
    """Two fields, two types; the second field's second type is neither known nor marked."""
    maps = torch.zeros(2, 2, 4, 4)
    maps[:, :, 1, 1] = 1.0
    whole = Batch(
        inputs=torch.zeros(2, 3, 32, 32),
        maps=maps,
        counts=torch.ones(2, 2),
        known=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        marked=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        log_scale=torch.tensor([0.0, float("nan")]),
    )
    return replace(whole, **changes)


def output(maps: torch.Tensor, scale: float = 0.0) -> Output:
    return Output(maps.sum(dim=(2, 3)), maps, torch.full((len(maps),), scale))


WEIGHTS = type_weights(["RBC", "PLT"])


def test_the_right_answer_costs_nothing_and_a_wrong_one_something() -> None:
    asked = batch()
    assert loss(output(asked.maps), asked, WEIGHTS).item() == 0.0
    for field, code in ((0, 0), (0, 1), (1, 0)):
        wrong = asked.maps.clone()
        wrong[field, code, 2, 2] += 0.5
        assert loss(output(wrong), asked, WEIGHTS).item() > 0.01
    assert loss(output(asked.maps, 0.5), asked, WEIGHTS).item() > 0.01


def test_a_type_nobody_counted_and_a_scale_nobody_knows_teach_nothing() -> None:
    asked = batch()
    maps = asked.maps.clone()
    maps[1, 1] = 7.0
    maps.requires_grad_(True)
    scale = torch.tensor([0.0, 2.0], requires_grad=True)
    error = loss(Output(maps.sum(dim=(2, 3)), maps, scale), asked, WEIGHTS)
    error.backward()
    assert error.item() == 0.0
    assert maps.grad is not None
    assert not maps.grad[1, 1].any()
    assert scale.grad is not None
    assert scale.grad[1] == 0.0


def test_counts_alone_teach_where_there_are_no_marks() -> None:
    """The map's shape is free then: only its sum counts."""
    asked = batch(marked=torch.zeros(2, 2))
    moved = torch.roll(asked.maps, 2, dims=3)
    assert loss(output(moved), asked, WEIGHTS).item() == 0.0
    assert loss(output(2 * moved), asked, WEIGHTS).item() > 0.1


def test_a_missed_platelet_weighs_more_than_a_missed_red_cell() -> None:
    asked = batch()
    errors = []
    for code in (0, 1):
        maps = asked.maps.clone()
        maps[0, code] = 0.0
        errors.append(loss(output(maps), asked, WEIGHTS).item())
    assert errors[1] > 4 * errors[0]
