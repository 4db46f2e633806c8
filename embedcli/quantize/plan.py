"""How a group of products is computed in 8 bits: its input's scaling, its weights, its biases."""

from dataclasses import dataclass

import numpy as np

from embedcli.quantize.graph import Graph
from embedcli.quantize.numbers import Float
from embedcli.quantize.rounding import Bytes, rounded
from embedcli.quantize.sites import Group, Site
from embedcli.quantize.smoothing import Scaling, Seen, chosen

_SELDOM = 0.01  # of the tokens; 0.003 to 0.03 measured alike


@dataclass(frozen=True, slots=True)
class Product:
    """A site in 8 bits."""

    site: Site
    weights: Bytes  # (K, N)
    scales: Float  # (N,)
    bias: Float  # (N,)


@dataclass(frozen=True, slots=True)
class Plan:
    """A group in 8 bits."""

    group: Group
    scaling: Scaling
    products: tuple[Product, ...]


def planned(graph: Graph, group: Group, seen: Seen) -> Plan:
    """Return how a group is computed in 8 bits, after what was seen of its input."""
    matrices = [site.weights(graph) for site in group.sites]
    scaling = chosen(seen, matrices)
    factors = scaling.factors.astype(np.float64)
    # The texts to come are not those seen: each channel may go as far as it ever did, on its own.
    # Without that, weights of channels that are seldom active are sacrificed to all others, and a
    # text that needs them is lost: single words fell to a cosine of 0.95.
    reach = np.maximum(np.abs(seen.low), np.abs(seen.high)) / factors
    gram = seen.gram / np.outer(factors, factors) + np.diag(reach**2 * _SELDOM)
    scaled = np.concatenate(matrices, axis=1) * scaling.factors[:, None]
    weights, scales = rounded(scaled, gram)
    # What quantising changes on average, of weights and of inputs, the bias takes back.
    exact, rough = seen.sample / scaling.factors, scaling.apply(seen.sample)
    drift = (seen.mean / scaling.factors) @ (weights * scales - scaled)
    drift += (rough - exact).mean(axis=0) @ scaled
    products = []
    for site in group.sites:
        own = slice(0, site.shape[1])
        bias = (site.added(graph) - drift[own]).astype(np.float32)
        products.append(Product(site, weights[:, own], scales[own], bias))
        weights, scales, drift = weights[:, own.stop :], scales[own.stop :], drift[own.stop :]
    return Plan(group, scaling, tuple(products))
