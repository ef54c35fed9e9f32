"""Samplers in manifests."""

from __future__ import annotations

from edgekit.bundle.manifest import SamplerUse
from edgekit.text.generation import GREEDY, Sampler


def sampler_use(sampler: Sampler) -> SamplerUse:
    """Write a sampler as manifests have it."""
    if sampler.kind == "greedy":
        return SamplerUse("greedy")
    return SamplerUse("top_p", sampler.temperature, sampler.top_k, sampler.top_p)


def sampler_of(use: SamplerUse) -> Sampler:
    """Read a sampler from a manifest; what it leaves open is Gemma's."""
    if use.kind == "greedy":
        return GREEDY
    default = Sampler()
    return Sampler(
        temperature=default.temperature if use.temperature is None else use.temperature,
        top_k=default.top_k if use.top_k is None else use.top_k,
        top_p=default.top_p if use.top_p is None else use.top_p,
    )
