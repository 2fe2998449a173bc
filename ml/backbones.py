"""Backbones of torchvision by name, cut where counting needs them.

Any classification backbone whose features shrink step by step (ResNet, MobileNet, ConvNeXt,
EfficientNet, VGG, DenseNet, ...) is traced, cut after its last features at 1/8, 1/16 and 1/32 of
the picture, and topped by a small feature pyramid (Lin et al. 2017, arXiv 1612.03144) that brings
all three to 1/8: the same map as the light net's.
"""

from __future__ import annotations

import pickle
import socket
from http.client import HTTPException

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from ml.config import NetConfig
from ml.data import BadData
from ml.nets import MULTIPLE, STRIDE, Backbone, ConvNorm
from ml.vision import models

# Features are looked for at these shares of the picture; the last ones may be missing.
CUTS = (STRIDE, 2 * STRIDE, 4 * STRIDE)
# Sides of the picture that is sent through to see where features lie: not square, so that a
# height is never taken for a width.
PROBE = (128, 192)
PYRAMID_CHANNELS = 64
# What torchvision's weights were trained to see (torchvision.transforms._presets).
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Seconds of silence after which a download counts as failed.
PATIENCE = 20.0


def names() -> list[str]:
    """Return the names torchvision knows; `Pyramid` refuses those it cannot cut."""
    return list(models.list_models(module=models))


class Pyramid(Backbone):
    """A backbone of torchvision with features at 1/8 of the picture and context from 1/32.

    Takes optical densities as `HemaNet` does and turns them back into shares of the light, white
    balanced, so that weights trained on photographs see what they know.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        if config.name not in names():
            raise BadData(
                f"There is no backbone named {config.name}. Use hemanet or one of torchvision's, "
                "such as resnet18, mobilenet_v3_small or convnext_tiny."
            )
        whole = models.get_model(config.name, weights=None)
        self.body, channels = _cut(whole, config.name)
        self.least = _least(self.body, channels[0])
        self.early_channels = channels[0]
        self.out_channels = PYRAMID_CHANNELS
        self.laterals = nn.ModuleList(ConvNorm(c, PYRAMID_CHANNELS, kernel=1) for c in channels)
        self.merge = ConvNorm(PYRAMID_CHANNELS, PYRAMID_CHANNELS)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD)[:, None, None], persistent=False)

    def early(self, x: Tensor) -> Tensor:
        """Turn densities [n, 3, h, w] into the features at 1/8, which fine-tuning caches."""
        features: Tensor = self.body[0]((torch.exp(-x) - self.mean) / self.spread)
        return features

    def late(self, x: Tensor) -> Tensor:
        """Turn cached features into those the head reads, [n, out_channels, h/8, w/8]."""
        rows, columns = x.shape[-2:]
        # Sides that would halve to nothing are padded with zeros, as convolutions pad.
        more = (max(0, self.least - columns), max(0, self.least - rows))
        levels = [F.pad(x, (0, more[0], 0, more[1])) if any(more) else x]
        for part in list(self.body)[1:]:
            levels.append(part(levels[-1]))
        wide: Tensor = self.laterals[-1](levels[-1])
        for level, lateral in zip(levels[-2::-1], list(self.laterals)[-2::-1], strict=True):
            # Not simply twice as large: sides that are no multiple of 32 were rounded.
            wide = lateral(level) + F.interpolate(wide, size=level.shape[-2:], mode="nearest")
        return F.relu(self.merge(F.relu(wide)))[..., :rows, :columns]

    def late_parts(self) -> list[nn.Module]:
        """Return the modules `late` is made of."""
        return [*list(self.body)[1:], self.laterals, self.merge]

    def given(self) -> nn.Module:
        """Return torchvision's part: the pyramid is new, and its norms know no statistics yet."""
        return self.body

    def load_imagenet(self, name: str) -> None:
        """Give the body the weights that torchvision trained on ImageNet, downloaded once.

        Raises:
            BadData: they cannot be downloaded.
        """
        weights = models.get_model_weights(name).DEFAULT
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(PATIENCE)
        try:
            # Refuses a file that holds more than weights, before torchvision unpickles it.
            weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
            # torchvision knows the names and gaps of its older files: into a backbone still whole.
            state = models.get_model(name, weights=weights, progress=False).state_dict()
        except (OSError, HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise BadData(
                f"The ImageNet weights of {name} cannot be downloaded here ({why}). Connect to "
                "the internet, or leave --weights imagenet out; train can begin with --start DIR."
            ) from None
        finally:
            socket.setdefaulttimeout(before)
        for part in self.body:
            part.load_state_dict({k: state[k] for k in part.state_dict()})


def _cut(whole: nn.Module, name: str) -> tuple[nn.ModuleList, list[int]]:
    """Return the backbone in parts, each ending at one of `CUTS`, and the parts' channels.

    Raises:
        BadData: the backbone cannot be traced, or has no features at 1/8 of the picture.
    """
    try:
        graph = _Tracer().trace(whole)
        shapes = _shapes(fx.GraphModule(whole, graph))
    except Exception as error:  # Tracing runs the backbone's own code, which may raise anything.
        why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BadData(f"{name} cannot be cut into parts ({why}); {_OTHERS}") from None
    clean = _clean(graph)
    ends: list[fx.Node] = []
    for cut in CUTS:
        sides = [-(-side // cut) for side in PROBE]
        found = [n for n, s in shapes.items() if n in clean and list(s[2:]) == sides]
        if found:
            ends.append(found[-1])
        elif cut == CUTS[0]:
            raise BadData(f"{name} has no features at 1/{cut} of the picture; {_OTHERS}")
    parts = []
    start = next(node for node in graph.nodes if node.op == "placeholder")
    for end in ends:
        parts.append(_between(whole, graph, start, end))
        start = end
    return nn.ModuleList(parts), [shapes[end][1] for end in ends]


_OTHERS = "use a convolutional one, such as resnet18, mobilenet_v3_small or convnext_tiny."


@torch.no_grad()
def _least(body: nn.ModuleList, channels: int) -> int:
    """Return the least side of the features at 1/8 that the parts after them can take.

    Backbones that round up when they halve (ResNet) take the smallest picture there is, of MULTIPLE
    pixels; those that round down (ConvNeXt, DenseNet, VGG) need a whole pixel at 1/32.
    """
    smallest = MULTIPLE // STRIDE
    x = torch.zeros(1, channels, smallest, smallest)
    body.eval()
    try:
        for part in list(body)[1:]:
            x = part(x)
    except RuntimeError:
        return CUTS[-1] // STRIDE
    finally:
        body.train()
    return smallest


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Keep torch's and torchvision's building blocks whole: some act otherwise in training."""
        return m.__module__.startswith(("torch.nn", "torchvision.ops")) and not isinstance(
            m, nn.Sequential
        )


class _Shapes(fx.Interpreter):
    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> object:
        """Run a node and note the shape of what comes out."""
        out = super().run_node(n)
        if isinstance(out, Tensor):
            self.found[n] = tuple(out.shape)
        return out


@torch.no_grad()
def _shapes(module: fx.GraphModule) -> dict[fx.Node, tuple[int, ...]]:
    runner = _Shapes(module.eval())
    runner.run(torch.zeros(1, 3, *PROBE))
    module.train()
    return {n: s for n, s in runner.found.items() if n.op in ("call_module", "call_function")}


def _clean(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes that no shortcut passes: what comes later needs nothing from before."""
    nodes = list(graph.nodes)
    place = {node: i for i, node in enumerate(nodes)}
    # The furthest node that what came before a node (parameters aside) is still needed by.
    reach, clean = 0, set()
    for i, node in enumerate(nodes):
        if reach <= i:
            clean.add(node)
        if node.op != "get_attr":
            reach = max([reach, *(place[user] for user in node.users)])
    return clean


def _between(whole: nn.Module, graph: fx.Graph, start: fx.Node, end: fx.Node) -> fx.GraphModule:
    """Return the part of the backbone from after `start` to `end`, its modules named as before."""
    part = fx.Graph()
    copies = {start: part.placeholder("x")}
    inside = False
    for node in graph.nodes:
        if inside:
            copies[node] = part.node_copy(node, lambda source: copies[source])
        inside = inside or node is start
        if node is end:
            break
    part.output(copies[end])
    return fx.GraphModule(whole, part)
