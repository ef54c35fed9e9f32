"""Weights fitted to 8-bit caches: in float the model says the same, and what is kept is of the size that they hold."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.checkpoint import Checkpoint
from edgekit.quantize.caches import attention_names, fit_caches


@pytest.fixture(scope="module")
def exponents(demo: Checkpoint) -> list[int]:
    return [layer % 5 - 2 for layer in range(demo.architecture.layers)]


def test_queries_take_what_keys_lose(demo: Checkpoint, exponents: list[int]) -> None:
    fitted = fit_caches(demo.tensors, demo.architecture, exponents)
    for layer in range(demo.architecture.layers):
        names = attention_names(layer)
        before, after = (
            (1 + tensors[names.key_norm].read()) * (1 + tensors[names.query_norm].read())
            for tensors in (demo.tensors, fitted)
        )
        np.testing.assert_allclose(after, before, rtol=1e-5)


def test_channels_that_a_position_turns_into_each_other_are_changed_alike(
    demo: Checkpoint, exponents: list[int]
) -> None:
    name = attention_names(0).key_norm
    fitted = fit_caches(demo.tensors, demo.architecture, exponents)[name]
    factors = ((1 + fitted.read()) / (1 + demo.tensors[name].read())).reshape(2, -1)
    np.testing.assert_allclose(factors[0], factors[1], rtol=1e-5)
    assert np.abs(1 + fitted.read()).max() == pytest.approx(2.5)


def test_values_are_scaled_by_a_power_of_two_and_the_output_takes_it_back(
    demo: Checkpoint, exponents: list[int]
) -> None:
    fitted = fit_caches(demo.tensors, demo.architecture, exponents)
    for layer, exponent in enumerate(exponents):
        names = attention_names(layer)
        np.testing.assert_array_equal(
            fitted[names.values].read() * np.float32(2.0**exponent), demo.tensors[names.values].read()
        )
        np.testing.assert_array_equal(
            fitted[names.output].read(slice(3, 9)),
            demo.tensors[names.output].read(slice(3, 9)) * np.float32(2.0**exponent),
        )
