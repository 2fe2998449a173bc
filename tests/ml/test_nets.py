"""Backbones by name, heads and norms; what stage 2 begins with."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ml import bundle, stage1
from ml.backbones import Pyramid
from ml.config import InputConfig, NetConfig
from ml.data import BadData
from ml.files import read_json
from ml.nets import Counter, make_backbone
from ml.vision import models
from tests.ml.conftest import Cli
from tests.ml.making import write_manifest
from tests.ml.tiny import TINY_PX, write_crops, write_fields

TYPES = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fields(tmp_path_factory.mktemp("data"))


def options(data: Path, out: Path, *more: str) -> list[str]:
    sizes = ["--cell-px", str(TINY_PX), "--epochs", "1"]
    return ["train", "--data", str(data), "--out", str(out), *sizes, *more]


@pytest.mark.parametrize("name", ["hemanet", "resnet18", "mobilenet_v3_small", "convnext_tiny"])
@torch.no_grad()
def test_every_backbone_makes_a_map_at_an_eighth_that_sums_to_the_count(name: str) -> None:
    net = Counter(NetConfig(name=name), TYPES).eval()
    # 80 is no multiple of 32: the coarsest features do not divide it.
    output = net(torch.rand(2, 3, 48, 80))
    assert output.maps.shape == (2, TYPES, 6, 10)
    assert torch.allclose(output.maps.sum(dim=(2, 3)), output.counts)
    early = net.backbone.early(torch.rand(1, 3, 64, 96))
    assert early.shape == (1, net.backbone.early_channels, 8, 12)


@pytest.mark.parametrize("name", ["convnext_tiny", "densenet121", "resnet18"])
@pytest.mark.parametrize("sides", [(16, 64), (16, 16), (64, 16)])
@torch.no_grad()
def test_every_backbone_takes_the_smallest_picture(name: str, sides: tuple[int, int]) -> None:
    """Also one that halves five times and rounds down, which leaves nothing of 16 pixels."""
    net = Counter(NetConfig(name=name), TYPES).eval()
    output = net(torch.rand(1, 3, *sides))
    assert output.maps.shape == (1, TYPES, sides[0] // 8, sides[1] // 8)
    assert torch.allclose(output.maps.sum(dim=(2, 3)), output.counts)


@pytest.mark.parametrize("name", ["hemanet", "resnet18", "convnext_tiny"])
def test_a_backbone_goes_to_another_device_whole(name: str) -> None:
    """What stays behind on the processor is refused by the other device, here one of no data."""
    backbone = make_backbone(NetConfig(name=name)).to("meta")
    picture = torch.rand(2, 3, 64, 96, device="meta")
    features = backbone.late(backbone.early(picture))
    assert features.device.type == "meta"
    assert features.shape == (2, backbone.out_channels, 8, 12)
    with pytest.raises(RuntimeError, match="device"):
        backbone.early(picture.new_empty(2, 3, 64, 96, device="cpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(cli: Cli, data: Path) -> None:
    status, _, refusal = cli("predict", data / "fields" / "0.png", "--device", "cuda")
    assert (status, refusal) == (2, "PyTorch finds no CUDA device here. Use --device cpu.\n")


@torch.no_grad()
def test_a_cut_backbone_computes_what_the_whole_one_does() -> None:
    whole = models.resnet50(weights=None).eval()
    pyramid = Pyramid(NetConfig(name="resnet50")).eval()
    for part in pyramid.body:
        part.load_state_dict({key: whole.state_dict()[key] for key in part.state_dict()})
    x = torch.rand(1, 3, 64, 64)
    told = x
    for part in pyramid.body:
        told = part(told)
    stem = whole.maxpool(whole.relu(whole.bn1(whole.conv1(x))))
    asked = whole.layer4(whole.layer3(whole.layer2(whole.layer1(stem))))
    assert torch.allclose(told, asked, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet17", "There is no backbone named resnet17. Use hemanet or one of torchvision's"),
        ("alexnet", "alexnet has no features at 1/8 of the picture; use a convolutional one"),
        ("vit_b_16", "vit_b_16 cannot be cut into parts"),
    ],
)
def test_a_backbone_that_does_not_serve_is_refused(
    cli: Cli, data: Path, tmp_path: Path, name: str, words: str
) -> None:
    status, _, refusal = cli(*options(data, tmp_path, "--backbone", name))
    assert status == 2
    assert words in refusal


class Nonsense(socketserver.StreamRequestHandler):
    """A proxy that does not speak HTTP."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"Good day.\r\n")


@pytest.fixture
def nonsense() -> Iterator[str]:
    """The address of one."""
    with socketserver.TCPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def kept(home: Path, name: str) -> Path:
    """Return where torch keeps the file of a backbone's ImageNet weights, the folder made."""
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder / Path(models.get_model_weights(name).DEFAULT.url).name


@pytest.mark.parametrize("answers", [False, True])
def test_imagenet_weights_that_cannot_be_downloaded_are_told(
    cli: Cli,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nonsense: str,
    answers: bool,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    # Nothing listens on the discard port: no test ever asks the internet.
    monkeypatch.setenv("https_proxy", nonsense if answers else "http://127.0.0.1:9")
    more = ["--backbone", "mobilenet_v3_small", "--weights", "imagenet"]
    status, _, refusal = cli(*options(data, tmp_path / "out", *more))
    assert status == 2
    assert "The ImageNet weights of mobilenet_v3_small cannot be downloaded here" in refusal
    advice = "or leave --weights imagenet out; train can begin with --start DIR.\n"
    assert refusal.endswith(advice)
    crops = write_crops(tmp_path / "cells", each=12)
    # What pretrain has no option for is not advised there without saying whose it is.
    status, _, refusal = cli("pretrain", "--data", crops, "--out", tmp_path / "first", *more)
    assert (status, refusal.endswith(advice)) == (2, True)


class Harm:
    """What writes a file as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_imagenet_weights_that_hold_more_than_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.save({"conv1.weight": Harm(tmp_path / "harm")}, kept(tmp_path, "resnet18"))
    net = NetConfig(name="resnet18")
    with pytest.raises(BadData, match=r"ImageNet weights of resnet18 cannot .*Connect to"):
        stage1.load_imagenet(make_backbone(net), net)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_imagenet_weights_in_torchvisions_older_files_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """They lack the norms' counters, and a DenseNet's layers have other names there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = models.get_model(name, weights=None).state_dict()
    inner = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))([12])")
    old = {inner.sub(r"\1.\2", k): v for k, v in state.items() if not k.endswith("_tracked")}
    torch.save(old, kept(tmp_path, name))
    net = NetConfig(name=name)
    pyramid = make_backbone(net)
    assert isinstance(pyramid, Pyramid)
    before = {k: v.clone() for part in pyramid.body for k, v in part.state_dict().items()}
    assert any(not torch.equal(v, state[k]) for k, v in before.items())
    stage1.load_imagenet(pyramid, net)
    after = {k: v for part in pyramid.body for k, v in part.state_dict().items()}
    assert all(torch.equal(v, state[k]) for k, v in after.items())


def test_group_norm_sees_each_picture_alone_and_batch_norm_does_not() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(3, 3, 32, 32) * torch.tensor([0.1, 1.0, 3.0])[:, None, None, None]
    for norm, alone in (("group", True), ("batch", False)):
        net = Counter(NetConfig(norm=norm), TYPES).train()
        torch.nn.init.normal_(net.head.cells.weight)
        together, single = net(pictures).counts[0], net(pictures[:1]).counts[0]
        assert torch.allclose(together, single, rtol=1e-3) == alone


def test_frozen_norms_stay_and_the_others_move() -> None:
    for norm, stays in (("frozen", True), ("batch", False)):
        net = Counter(NetConfig(norm=norm), TYPES).train()
        before = {k: v.clone() for k, v in net.state_dict().items() if "running" in k}
        net(torch.rand(2, 3, 32, 32))
        after = net.state_dict()
        assert before
        assert all(torch.equal(v, after[k]) for k, v in before.items()) == stays


def test_norms_that_come_new_with_the_pyramid_are_not_frozen() -> None:
    net = Counter(NetConfig(name="resnet18", norm="frozen"), TYPES).train()
    before = {k: v.clone() for k, v in net.state_dict().items() if "running" in k}
    net(torch.rand(2, 3, 64, 64))
    after = net.state_dict()
    moved = {k for k, v in before.items() if not torch.equal(v, after[k])}
    assert moved == {k for k in before if not k.startswith("backbone.body.")}
    assert moved


def saved(folder: Path, name: str) -> dict[str, Any]:
    """Write what stage 1 would, and return its weights."""
    torch.manual_seed(7)
    config = NetConfig(name=name)
    backbone = make_backbone(config)
    stage1.save(folder, backbone, config, InputConfig(), {})
    return dict(backbone.state_dict())


def test_stage_2_begins_with_the_weights_of_stage_1(tmp_path: Path) -> None:
    weights = saved(tmp_path / "stage1" / "backbone", "hemanet")
    net = Counter(NetConfig(), TYPES)
    assert any(not torch.equal(v, weights[k]) for k, v in net.backbone.state_dict().items())
    stage1.load_into(net.backbone, NetConfig(), tmp_path / "stage1")
    assert all(torch.equal(v, weights[k]) for k, v in net.backbone.state_dict().items())


def test_the_card_tells_of_stage_1_by_its_own_files(cli: Cli, data: Path, tmp_path: Path) -> None:
    """Which cells, whose they are, and how well they were told apart; nothing without stage 1."""
    crops, first = write_crops(tmp_path / "cells"), tmp_path / "first"
    scale = ["--cell-px", str(TINY_PX), "--epochs", "1"]
    credit = ["--credit", "Doe et al. 2031, CC BY 4.0"]
    status, told, refusal = cli("pretrain", "--data", crops, "--out", first, *scale, *credit)
    assert status == 0, refusal
    accuracy = next(line for line in told.splitlines() if line.startswith("Accuracy"))
    cards = []
    for name, more in (("with", ["--start", str(first)]), ("without", [])):
        out = tmp_path / name
        status, _, refusal = cli(*options(data, out, *more, "--limit-fields", "11"))
        assert status == 0, refusal
        cards.append(bundle.load(out / "bundle").card)
    began, scratch = cards
    assert "`python -m ml pretrain --data CELLS --out STAGE1 --epochs 1 --seed 0" in began
    # "Accuracy 25.0% (95 % interval 0.0% to 75.0%)"
    assert accuracy.removeprefix("Accuracy ") in began
    held_out = read_json(first / "backbone" / "backbone.json")["crops"]["held_out"]
    assert f"of {held_out} crops held out right,\nof 3 classes" in began
    assert "crops of single cells (empty, platelets, white): Doe et al. 2031, CC BY 4.0." in began
    assert "pretrain" not in scratch
    assert "single cells" not in scratch
    for card in cards:
        assert "{{" not in card
        assert "- 11 fields: BCCD dataset: Shenggan 2017, MIT license" in card
        assert "| BCCD: test fields | RBC | 3 |" in card
        assert f"--cell-px {TINY_PX:g} --limit-fields 11" in card
        assert "Trained on fields of one source only (BCCD)" in card


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--start", "nowhere"], "nowhere holds no backbone"),
        (["--start", "mobile"], "holds a mobilenet_v3_small, which does not fit the hemanet"),
        (["--norm", "frozen"], "Frozen norms keep what the backbone came with"),
        (["--head", "fc"], "use --supervision counts"),
        (["--start", "mobile", "--weights", "imagenet"], "Begin with one or the other"),
    ],
)
def test_what_does_not_go_together_is_refused(
    cli: Cli,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "mobile", "mobilenet_v3_small")
    status, _, refusal = cli(*options(data, tmp_path / "out", *more))
    assert status == 2
    assert words in refusal


def test_the_papers_head_counts_a_picture_of_any_size_in_one_frame(
    cli: Cli, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fc = ["--head", "fc", "--supervision", "counts", "--limit-fields", "11"]
    status, _, refusal = cli(*options(data, out, *fc))
    assert status == 0, refusal
    made = ["--bundle", str(out / "bundle")]
    status, told, _ = cli("predict", *made, data / "fields" / "0.png", "--json")
    assert status == 0
    assert '"RBC"' in told
    manifest = write_manifest(tmp_path / "study")
    status, _, refusal = cli("finetune", *made, "--manifest", manifest, "--out", tmp_path / "tuned")
    assert status == 2
    assert "Use a bundle with the head map." in refusal


def test_a_bundle_on_a_backbone_of_torchvision_counts(cli: Cli, data: Path, tmp_path: Path) -> None:
    more = ["--backbone", "mobilenet_v3_small", "--limit-fields", "11"]
    status, _, refusal = cli(*options(data, tmp_path, *more))
    assert status == 0, refusal
    picture = data / "fields" / "1.png"
    status, told, _ = cli("predict", "--bundle", tmp_path / "bundle", picture, "--json")
    assert status == 0
    assert '"RBC"' in told
