"""The catalogue as a whole: complete, unambiguous, and independent of formatting."""

import ast
from collections import Counter

import pytest

from lsm_verify.mutants.catalogue import MUTANTS, PARTS, neighbours, thorough
from lsm_verify.mutants.mutant import PROMISED, SIZES, Kind, Part
from lsm_verify.mutants.rewrite import rewrite, snippet
from lsm_verify.mutants.workloads import WORKLOADS
from lsm_verify.mutants.world import is_private, located
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes import ROUTES

FEWEST = 60


def test_there_are_enough_and_no_name_twice():
    assert sum(map(len, PARTS)) == len(MUTANTS) >= FEWEST


def test_every_part_and_kind_is_there():
    assert {m.part for m in MUTANTS.values()} == set(Part)
    assert {m.kind for m in MUTANTS.values()} == set(Kind)


@pytest.mark.parametrize("part", [Part.ADJOINT, Part.TANGENT, Part.TORCH, Part.OBJECTIVE])
def test_cells_of_every_size_stand_in_every_part(part):
    sizes = {m.size for m in MUTANTS.values() if m.part is part and m.kind is Kind.CELL}
    assert set(SIZES) <= sizes


@pytest.mark.parametrize("name", MUTANTS)
def test_every_rewrite_matches_one_place_in_any_formatting(name):
    mutant = MUTANTS[name]
    source = located(mutant.site.module).text
    reformatted = ast.unparse(ast.parse(source))
    trees = set()
    for change in (mutant.change, mutant.site.neighbour):
        assert is_private(change.module)
        found = rewrite(source, change.rewrite)
        again = rewrite(reformatted, change.rewrite)
        assert ast.dump(found.tree) == ast.dump(again.tree)
        assert found.definition == change.rewrite.within.partition(".")[0]
        trees.add(ast.dump(found.tree))
    assert ast.dump(ast.parse(source)) not in trees
    assert len(trees) == 2


@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_expected_can_be_said(name):
    mutant = MUTANTS[name]
    assert mutant.workload in WORKLOADS
    assert mutant.culprits <= set(ROUTES)
    assert mutant.named <= set(PARAMETERS)
    assert mutant.must_die is (mutant.size is None or mutant.size >= PROMISED)
    if mutant.part is not Part.SECOND_ORDER:
        assert mutant.culprits


def test_every_mutant_has_a_neighbour():
    near = neighbours()
    assert Counter(name for names in near.values() for name in names) == Counter(list(MUTANTS))
    for site, names in near.items():
        assert all(MUTANTS[name].site == site for name in names)
        assert ast.dump(_tree(site.same)) != ast.dump(_tree(site.old))


def _tree(text):
    found = snippet(text)
    return ast.Module(found, []) if isinstance(found, list) else found


def test_every_check_runs_on_every_part():
    names = thorough()
    assert {MUTANTS[name].part for name in names} == set(Part)
    assert {name for name, m in MUTANTS.items() if m.full} <= names
    assert len(names) < len(MUTANTS) / 6
