"""Ratios, and their page and figure."""

import pytest

from lsm_verify.bench.headlines import headlines
from lsm_verify.bench.render import draw, markdown
from lsm_verify.bench.rows import GROWTH_NODES
from tests.bench.documents import document, entry

CAUSE = {"sweeps_per_step": 133.0, "sweeps": 13_300, "gradient_error": 0.012}


@pytest.fixture
def result():
    rows = [
        entry("kernel", "score", 5e-5),
        entry("kernel", "gradient", 1e-4, gradient_error=1e-12),
        entry("kernel", "gradient", 4e-3, columns=64, threads=1),
        entry("kernel", "gradient", 2e-3, columns=64, threads=2),
        entry("function", "gradient", 3e-4),
        entry("fused", "gradient", 5e-4),
        entry("jax-tridiagonal", "gradient", 3e-3, threads=2),
        entry("jax-dense", "gradient", 2e-3, threads=2),
        entry("jax-dense", "gradient", 1e-3, threads=2, dtype="float32"),
        entry("c", "score", 4e-5),
        entry("torch-eager", "gradient", 5e-2),
        entry("published", "gradient", 10.0, **CAUSE),
        entry("published-batched", "gradient", 16.0, columns=16, **CAUSE),
    ]
    rows += [entry("kernel", "score", 1e-6 * n, columns=8, nodes=n) for n in GROWTH_NODES]
    return document(*rows, not_measured={"gradient-jax-elimination-B1-x": "install the extra"})


def ratios(result):
    return {(h.what, h.other): h for h in headlines(result)}


def test_jax_is_represented_by_its_best_variant_of_the_same_type(result):
    found = ratios(result)["gradient, 1 column, 1 thread", "best of JAX (dense)"]
    assert found.ratio == pytest.approx(20.0)


def test_ratios_to_c_floor_and_forward_run(result):
    found = ratios(result)
    one = "gradient, 1 column, 1 thread"
    assert found["score, 1 column, 1 thread", "C"].ratio == pytest.approx(0.8)
    assert found[one, "C, forward run alone"].ratio == pytest.approx(0.4)
    assert found[one, "floor (arithmetic)"].because == "100.0 times the floor"
    assert found[one, "its own forward run"].because == "2.00 times the forward run"


def test_published_method_stands_beside_its_cause_per_column(result):
    found = ratios(result)
    one = "gradient, 1 column, 1 thread"
    assert found[one, "published"].ratio == pytest.approx(1e5)
    assert found[one, "published-batched"].ratio == pytest.approx(1e4)
    assert "133 sweeps over 100 nodes" in found[one, "published"].because
    assert "off by 0.01" in found[one, "published"].because


def test_batches_show_the_row_with_the_most_threads(result):
    found = ratios(result)
    assert ("gradient, 64 columns, 2 threads", "floor (arithmetic)") in found
    assert ("gradient, 64 columns, 1 thread", "floor (arithmetic)") not in found


def test_function_of_torch_is_held_against_the_bare_kernel(result):
    for how, extra in (("", "200"), (" of the six parameters", "400")):
        name = f"as PyTorch function{how}: gradient, 1 column, 1 thread"
        assert ratios(result)[name, "the bare kernel"].because == f"{extra} µs more a call"


def test_gpu_rows_count_by_their_median():
    rows = [
        entry("kernel", "gradient", 1e-3, device="cuda", columns=1024),
        entry("torch-eager", "gradient", 1e-1, device="cuda", columns=1024),
        entry("torch-eager", "gradient", 1e-5, columns=1024),
    ]
    found = ratios(document(*rows))
    gpu = "gradient, 1,024 columns, GPU"
    assert found[gpu, "best of PyTorch (torch-eager)"].ratio == pytest.approx(100.0)
    assert found[gpu, "floor (arithmetic)"].ratio == pytest.approx(1e-6 / 2e-3)


def test_page_has_every_row_the_growth_and_what_is_missing(result):
    page = markdown(result)
    for row in result["benchmarks"]:
        assert f"| {row['extra_info']['mode']} | {row['extra_info']['peer']} |" in page
    assert "| score | nodes | 100 to 10,000 | 1.000 ± 0.000 |" in page
    assert "- gradient-jax-elimination: install the extra" in page
    widths = {line.count("|") for line in page.split("## Rows")[1].splitlines() if "|" in line}
    assert len(widths) == 1


@pytest.mark.parametrize("suffix, magic", [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_figure_is_drawn(result, tmp_path, suffix, magic):
    path = tmp_path / f"bench{suffix}"
    draw(result, path)
    assert path.read_bytes().startswith(magic)
