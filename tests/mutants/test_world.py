"""Private import graphs: what equals the original does so bitwise, and nothing leaks out."""

import ast
import sys
from dataclasses import replace

import numpy as np
import pytest

from lsm_reference import adjoint, forward, namespace, tangent
from lsm_verify import routes
from lsm_verify.inputs import Objective, probe_weights
from lsm_verify.models import direct
from lsm_verify.mutants.rewrite import Rewrite
from lsm_verify.mutants.workloads import WORKLOADS
from lsm_verify.mutants.world import SHARED, Change, World, is_private, located

REAL = ("adjoint", "tangent", "autograd")
EXACT = (*REAL, "complex-step")

EPSILON = float(np.finfo(np.float64).eps)

COMPLEX_DIVISION = 20
"""A quotient of complex numbers is rounded some three times, once per step and node of up to 20;
errors of random sign add up to some 10 units of round-off of the whole gradient."""

EMISSION = Change(
    "lsm_reference.adjoint",
    Rewrite(
        "4 * column.eps * SIGMA * x * x * x", "8 * column.eps * SIGMA * x * x * x", "adjoint_step"
    ),
)

HARMLESS = (
    # A statement that does nothing in a function of every compiled module: all that the world
    # binds then runs uncompiled, from private copies.
    Change("lsm_reference.forward", Rewrite("N = dz.shape[0]", "N = dz.shape[0]\nNone", "storage")),
    Change("lsm_reference.forward", Rewrite("x3 = x * x * x", "x3 = x * x * x\nNone")),
    Change("lsm_reference.forward", Rewrite("S = column.dt.shape[0]", "S = column.dt.shape[0]\n0")),
    Change("lsm_reference.forward", Rewrite("total = 0 * y[0, 0]", "total = 0 * y[0, 0]\nNone")),
    Change("lsm_reference.tangent", Rewrite("N = dz.shape[0]", "N = dz.shape[0]\nNone")),
    Change("lsm_reference.adjoint", Rewrite("x = new[0]", "x = new[0]\nNone")),
)


def inputs_of(workload):
    inputs = WORKLOADS[workload]().inputs()
    probe = Objective("probe", probe_weights(inputs, 0))
    return replace(inputs, objectives=(Objective(), probe))


def answers(inputs, routes_, names=EXACT):
    """Every number that a route or the raw ladder gives, in one array."""
    numbers = []
    for name in names:
        for value, gradient in routes_.get_route(name).evaluate([inputs])[0]:
            numbers.append([value])
            numbers += [np.ravel(g) for g in gradient.values()]
    direction = {"albedo": np.full(np.shape(inputs.parameters["albedo"]), 0.01)}
    for rung in routes_.oracle.ladders(inputs, [direction], 1.0, 4.0, 5)[0]:
        numbers.append(np.ravel(rung))
    numbers.append(np.ravel(routes_.oracle.trajectory(inputs)))
    return np.concatenate(numbers)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_an_unchanged_world_equals_the_original_bitwise(workload):
    inputs = inputs_of(workload)
    with World() as world:
        assert np.array_equal(
            answers(inputs, world.module("lsm_verify.routes")), answers(inputs, routes)
        )


@pytest.mark.parametrize("workload", WORKLOADS)
def test_functions_that_run_uncompiled_equal_the_compiled_ones_bitwise(workload):
    inputs = inputs_of(workload)
    with World(*HARMLESS) as world:
        private = world.module("lsm_verify.routes")
        found = answers(inputs, private, REAL)
        steps = private.get_route("complex-step").evaluate([inputs])[0]
        compiled = world.module("lsm_reference.namespace").compiled()
        for name in ("run", "adjoint_run", "tangent_run", "score", "sweep", "eliminate"):
            plain = getattr(compiled, name) is not getattr(namespace.compiled(), name)
            assert plain is (name != "eliminate")
    assert np.array_equal(found, answers(inputs, routes, REAL))
    # NumPy divides complex numbers by another formula than compiled code does.
    for mine, theirs in zip(
        steps, routes.get_route("complex-step").evaluate([inputs])[0], strict=True
    ):
        assert mine[0] == theirs[0]
        scaled = {name: inputs.scale(name) * theirs[1][name] for name in inputs.wrt}
        norm = np.linalg.norm(np.concatenate([np.ravel(each) for each in scaled.values()]))
        for name in inputs.wrt:
            difference = inputs.scale(name) * mine[1][name] - scaled[name]
            assert np.max(np.abs(difference)) <= COMPLEX_DIVISION * EPSILON * norm


def test_the_report_of_an_unchanged_world_says_what_the_original_says():
    case = WORKLOADS["small-twin"]()
    from lsm_verify import verify

    with World() as world:
        other = world.module("lsm_verify.mutants.workloads").small_twin()
        private = world.module("lsm_verify.verify.run").verify(other, points=0)
    report = verify(case, points=0)
    assert (private.verdict, private.exit_code) == (report.verdict.value, 0)
    for mine, theirs in zip(private.checks, report.checks, strict=True):
        assert (mine.check, mine.verdict, mine.value) == (
            theirs.check,
            theirs.verdict,
            theirs.value,
        )
    for mine, theirs in zip(private.points, report.points, strict=True):
        assert [r.gradients for r in mine.rows] == [r.gradients for r in theirs.rows]


def test_nothing_is_copied_twice_and_nothing_leaks():
    before = {name: module for name, module in sys.modules.items() if name.startswith("lsm_")}
    with World(EMISSION) as world:
        run = world.module("lsm_verify.verify.run")
        assert run is world.module("lsm_verify.verify.run")
        assert run.__name__ == f"{world.prefix}.lsm_verify.verify.run"
        private = {
            name
            for name, module in vars(run).items()
            if getattr(module, "__module__", "").startswith(world.prefix)
        }
        assert {"verify_case", "Report", "Problem", "Case"} <= private
        assert sys.modules[run.__name__] is run
    assert not [name for name in sys.modules if name.startswith(world.prefix)]
    after = {name: module for name, module in sys.modules.items() if name in before}
    assert all(after[name] is module for name, module in before.items())


def test_the_error_is_in_the_world_and_not_outside():
    inputs = inputs_of("small-twin")
    right = routes.get_route("adjoint").evaluate([inputs])[0][0][1]["albedo"]
    with World(EMISSION) as world:
        wrong = world.module("lsm_verify.routes").get_route("adjoint").evaluate([inputs])
        assert abs(wrong[0][0][1]["albedo"] / right - 1) > 1e-3
        assert routes.get_route("adjoint").evaluate([inputs])[0][0][1]["albedo"] == right


def test_only_what_calls_the_changed_function_runs_uncompiled():
    with World(EMISSION) as world:
        world.module("lsm_verify.routes").get_route("adjoint").evaluate([inputs_of("small-twin")])
        changed = world.module("lsm_reference.namespace").compiled()
    original = namespace.compiled()
    assert {k for k, f in vars(changed).items() if f is not getattr(original, k)} == {
        "adjoint_step",
        "adjoint_run",
    }
    assert changed.adjoint_run.__globals__["adjoint_step"] is changed.adjoint_step
    assert changed.adjoint_step.__globals__["eliminate"] is original.eliminate


def test_nothing_is_compiled_anew_from_one_mutant_to_the_next():
    inputs = inputs_of("short-layered")

    def run(change):
        with World(change) as world:
            answers(inputs, world.module("lsm_verify.routes"))

    def versions():
        return {name: len(f.signatures) for name, f in vars(namespace.compiled()).items()}

    run(HARMLESS[-1])
    before = versions()
    run(EMISSION)
    run(HARMLESS[-1])
    assert versions() == before


def test_numbers_can_be_handed_to_a_rewrite():
    change = Change("lsm_verify.models.direct", Rewrite("range(2)", "range(STEPS)", "surface_root"))
    with World(change, names={change.module: {"STEPS": 3}}) as world:
        assert world.module(change.module).STEPS == 3
    assert not hasattr(direct, "STEPS")


@pytest.mark.parametrize("name", sorted(SHARED - {"lsm_verify.kernels"}))
def test_shared_modules_cannot_be_changed(name):
    assert not is_private(name)
    with pytest.raises(LookupError, match="shared"):
        World(Change(name, Rewrite("x", "y")))


def test_a_module_that_does_not_exist_is_refused():
    with pytest.raises(LookupError, match="no module"):
        World(Change("lsm_verify.nothing", Rewrite("x", "y")))
    with World() as world, pytest.raises(ModuleNotFoundError):
        world.module("lsm_verify.nothing")


def test_multiprecision_sees_a_changed_forward_model():
    inputs = inputs_of("small-twin").window(1)
    change = Change(
        "lsm_reference.forward",
        Rewrite("column.eps * SIGMA", "column.eps * SIGMA * 2", "run"),
    )
    right = routes.get_route("multiprecision").evaluate([inputs])[0][0][0]
    with World(change) as world:
        route = world.module("lsm_verify.routes").get_route("multiprecision")
        assert route.evaluate([inputs])[0][0][0] != right


@pytest.mark.parametrize("module", [adjoint, forward, tangent, direct, routes])
def test_sources_are_those_of_the_modules(module):
    source = located(module.__name__)
    assert source.path == module.__file__
    assert ast.parse(source.text).body
