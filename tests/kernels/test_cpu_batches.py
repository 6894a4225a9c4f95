"""What must not matter to the last bit: neighbours, lanes, threads, checkpoints, broadcasting."""

from __future__ import annotations

import os
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.kernels import cpu, scratch, sharing
from lsm_verify.kernels.columns import QUANTITIES, Columns, Objective, Sight, size

N, S = 7, 12
KINDS = np.arange(4)


def batch(B, *, seed=0, insulated=False, steps=S, interfaces=N, shared=()):
    """Columns that differ in all their numbers, Δ and Δt included, except in those shared."""
    rng = np.random.default_rng(seed)

    def draw(name, low, high, n):
        rows = 1 if name in shared else B
        return rng.uniform(low, high, (rows, n))

    return Columns(
        spacing=draw("spacing", 0.01, 0.2, interfaces),
        time_step=draw("time_step", 600.0, 5000.0, 3)[:, rng.integers(3, size=steps)].copy(),
        lam=draw("lam", 0.2, 2.0, interfaces),
        C=draw("C", 1e6, 3e6, interfaces + 1),
        albedo=draw("albedo", 0.1, 0.4, steps),
        H=draw("H", 5.0, 40.0, 1),
        Tb=np.full((1, 1), np.nan) if insulated else draw("Tb", 280.0, 295.0, steps),
        SWdown=draw("SWdown", 0.0, 800.0, steps),
        LWdown=draw("LWdown", 250.0, 400.0, steps),
        Tair=draw("Tair", 275.0, 305.0, steps),
        T0=draw("T0", 280.0, 300.0, interfaces + 1),
        emissivity=draw("emissivity", 0.9, 1.0, 1),
    )


def observed(B, *, seed=1, steps=S, kind="mean-square", interfaces=N):
    """All four kinds, each column with depths, values and weights of its own, some zero."""
    rng = np.random.default_rng(seed)
    sight = Sight(KINDS, rng.integers(0, interfaces - 1, (B, 4)), rng.uniform(0, 1, (B, 4)))
    values = rng.uniform(280.0, 300.0, (B, 4, steps + 1))
    weights = rng.uniform(0.1, 1.0, values.shape) * (rng.random(values.shape) < 0.7)
    weights[:, 3, 0] = 0.0
    return sight, Objective(kind, values, weights)


def row(arrays, b):
    """The inputs of column b alone."""
    return type(arrays)(*(a if a.shape[0] == 1 else a[b : b + 1].copy() for a in arrays))


def alone(sight, objective, b):
    one = Sight(sight.kind, sight.index[b : b + 1].copy(), sight.fraction[b : b + 1].copy())
    return one, Objective(
        objective.kind, objective.values[b : b + 1].copy(), objective.weights[b : b + 1].copy()
    )


def ask(columns, insulated, sight, objective, **options):
    """All that kernels can say of a batch, as one list of arrays with the batch in front."""
    J, bars, status, y = cpu.gradient(
        columns, insulated, sight, objective, return_predictions=True, **options
    )
    return [J, status, y, *(bars[name] for name in QUANTITIES)]


def same(a, b):
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("insulated", [False, True])
@pytest.mark.parametrize("B", [1, 2, 3, 8, 9, 10, 11, 17])
def test_a_column_does_not_know_its_neighbours(B, insulated):
    columns = batch(B, insulated=insulated)
    sight, objective = observed(B)
    whole = ask(columns, insulated, sight, objective)
    T, _ = cpu.simulate(columns, insulated)
    d = columns._replace(Tb=np.zeros((1, 1))) if insulated else columns
    _, dy, _ = cpu.tangent(columns, d, insulated, sight)
    for b in range(B):
        one = alone(sight, objective, b)
        assert same([a[b : b + 1] for a in whole], ask(row(columns, b), insulated, *one))
        assert np.array_equal(T[b], cpu.simulate(row(columns, b), insulated)[0][0])
        lonely = cpu.tangent(row(columns, b), row(d, b), insulated, one[0])[1]
        assert np.array_equal(dy[b], lonely[0])


def test_order_does_not_matter():
    columns, (sight, objective) = batch(11), observed(11)
    order = np.random.default_rng(0).permutation(11)
    turned = Columns(*(a[order].copy() for a in columns))
    there = Sight(sight.kind, sight.index[order].copy(), sight.fraction[order].copy())
    values = Objective(
        objective.kind, objective.values[order].copy(), objective.weights[order].copy()
    )
    straight = ask(columns, False, sight, objective)
    assert same([a[order] for a in straight], ask(turned, False, there, values))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_do_not_matter(dtype):
    columns, (sight, objective) = batch(50), observed(50)
    columns = Columns(*(a.astype(dtype) for a in columns))
    sight = sight._replace(fraction=sight.fraction.astype(dtype))
    objective = Objective("probe", objective.values.astype(dtype), objective.weights.astype(dtype))
    one = ask(columns, False, sight, objective, threads=1)
    for threads in (2, 3, 7):
        assert same(one, ask(columns, False, sight, objective, threads=threads))
    assert same(one, ask(columns, False, sight, objective))


@pytest.mark.parametrize("checkpoint", [1, 2, 3, 4, 5, 11, 12, 13, 1000])
@pytest.mark.parametrize("B", [1, 9])
def test_checkpoints_do_not_matter(B, checkpoint):
    columns, (sight, objective) = batch(B), observed(B)
    whole = ask(columns, False, sight, objective, checkpoint=S)
    assert same(whole, ask(columns, False, sight, objective, checkpoint=checkpoint))


def test_a_long_record_is_checkpointed_by_itself(monkeypatch):
    columns, (sight, objective) = batch(3), observed(3)
    whole = ask(columns, False, sight, objective)
    monkeypatch.setattr(cpu, "KEPT_BYTES", 0)
    lengths = []
    segment = cpu._segment
    monkeypatch.setattr(
        cpu, "_segment", lambda *args: lengths.append(segment(*args)) or lengths[-1]
    )
    assert same(whole, ask(columns, False, sight, objective))
    assert set(lengths) == {4}  # √12, rounded up


@pytest.mark.parametrize("shared", [("lam",), ("time_step",), QUANTITIES, Columns._fields[:4]])
def test_sharing_is_only_a_way_to_write_it(shared):
    columns, (sight, objective) = batch(5, shared=shared), observed(5)
    full = Columns(*(np.repeat(a, 5 // a.shape[0], axis=0) for a in columns))
    assert any(a.shape[0] == 1 for a in columns)
    assert same(ask(columns, False, sight, objective), ask(full, False, sight, objective))


def test_shared_observations_are_those_of_each():
    columns, (sight, objective) = batch(10), observed(1)
    each = [np.repeat(a, 10, axis=0) for a in (sight.index, sight.fraction)]
    values = [np.repeat(a, 10, axis=0) for a in objective[1:]]
    assert same(
        ask(columns, False, sight, objective),
        ask(columns, False, Sight(KINDS, *each), Objective(objective.kind, *values)),
    )


def test_one_number_is_the_constant_array_summed():
    """The same states to the last bit; gradients are sums of those by every number."""
    columns, (sight, objective) = batch(3), observed(3)
    short = columns._replace(
        lam=columns.lam[:, :1].copy(),
        C=columns.C[:, :1].copy(),
        albedo=columns.albedo[:, :1].copy(),
    )
    long = short._replace(
        lam=np.repeat(short.lam, N, 1), C=np.repeat(short.C, N + 1, 1),
        albedo=np.repeat(short.albedo, S, 1),
    )  # fmt: skip
    J, bars, _ = cpu.gradient(short, False, sight, objective)
    again, full, _ = cpu.gradient(long, False, sight, objective)
    assert np.array_equal(J, again)
    for name in ("lam", "C", "albedo"):
        assert bars[name].shape == (3, 1)
        size_of_terms = np.abs(full[name]).sum(axis=1)
        error = np.abs(bars[name][:, 0] - full[name].sum(axis=1))
        assert np.all(error <= S * np.finfo(float).eps * size_of_terms)


def test_only_what_is_wanted_comes_back():
    columns, (sight, objective) = batch(3), observed(3)
    _, everything, _ = cpu.gradient(columns, False, sight, objective)
    _, some, _ = cpu.gradient(columns, False, sight, objective, ("H", "lam"))
    assert set(some) == {"H", "lam"}
    assert all(np.array_equal(some[name], everything[name]) for name in some)
    assert cpu.gradient(columns, False, sight, objective, ())[1] == {}
    with pytest.raises(InputError, match="unknown quantity 'lambda'"):
        cpu.gradient(columns, False, sight, objective, ("lambda",))


def test_the_bottom_temperature_of_an_insulated_column_is_not_read():
    columns, (sight, objective) = batch(3, insulated=True), observed(3)
    given = columns._replace(Tb=np.full((3, S), 290.0))
    J, bars, status = cpu.gradient(columns, True, sight, objective)
    again, others, _ = cpu.gradient(given, True, sight, objective)
    assert not status.any()
    assert np.array_equal(J, again)
    assert np.all(bars["Tb"] == 0)
    assert np.all(others["Tb"] == 0)
    assert others["Tb"].shape == (3, S)


# ------------------------------------------------------------------ without a root


@pytest.mark.parametrize("B", [1, 10])
def test_no_root_is_a_status_and_nothing_passes_for_a_number(B):
    columns, (sight, objective) = batch(B), observed(B)
    whole = ask(columns, False, sight, objective)
    broken = columns._replace(LWdown=columns.LWdown.copy())
    broken.LWdown[B - 1, 4] = -1e6
    found = ask(broken, False, sight, objective)
    status = np.zeros(B, np.int64)
    status[-1] = 5
    assert np.array_equal(found[1], status)
    assert all(np.isnan(a[-1]).all() for a in (found[0], *found[2:]))
    assert same([a[:-1] for a in found], [a[:-1] for a in whole])

    T, again = cpu.simulate(broken, False)
    assert np.array_equal(again, status)
    assert np.isnan(T[-1, 5:]).all()
    assert np.array_equal(T[:, :5], cpu.simulate(columns, False)[0][:, :5])
    for kernel in (
        lambda: cpu.predict(broken, False, sight),
        lambda: cpu.score(broken, False, sight, objective),
        lambda: cpu.tangent(broken, columns, False, sight)[1:],
    ):
        values, again = kernel()
        assert np.array_equal(again, status)
        assert np.isnan(values[-1]).all()
        assert np.isfinite(values[:-1]).all()


def test_the_first_of_several_steps_is_named():
    columns = batch(1)
    columns.LWdown[0, [3, 7]] = -1e6
    assert cpu.simulate(columns, False)[1].tolist() == [4]


def test_a_negative_transfer_coefficient_has_no_root_either():
    columns = batch(2)
    columns.H[1] = -1e5
    assert cpu.simulate(columns, False)[1].tolist() == [0, 1]


def test_a_surface_far_from_its_balance_is_found():
    """Newton from the old temperature alone, without sink or storage to hold it."""
    columns = batch(8)._replace(
        C=np.full((1, 1), 1.0), H=np.zeros((1, 1)), lam=np.full((1, 1), 1e-6)
    )
    T, status = cpu.simulate(columns, False)
    assert not status.any()
    absorbed = (1 - columns.albedo) * columns.SWdown + columns.LWdown
    black = (absorbed / (columns.emissivity * 5.67e-8)) ** 0.25
    assert np.allclose(T[:, 1:, 0], black, rtol=1e-4)  # conduction of 1e-6 W/m/K over 1 cm


# ------------------------------------------------------------------ memory and threads


def test_a_long_record_takes_little_memory():
    """Ten years of hours, one column: 71 MB of states, of which √S are kept, and as many marks."""
    steps, interfaces = 87_600, 100
    columns = batch(1, steps=2, interfaces=interfaces)
    constant = {"albedo": 0.2, "Tb": 290.0, "SWdown": 100.0, "LWdown": 300.0, "Tair": 285.0}
    columns = columns._replace(
        time_step=np.full((1, steps), 3600.0),
        **{name: np.full((1, 1), value) for name, value in constant.items()},
    )
    sight = Sight(np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.zeros((1, 1)))
    record = np.full((1, 1, steps + 1), 288.0)
    objective = Objective("mean-square", record, np.ones_like(record))
    cpu.gradient(columns, False, sight, objective, ("lam",))  # compiled outside of the count
    scratch.forget()  # what is kept for the next call counts too
    tracemalloc.start()
    cpu.gradient(columns, False, sight, objective, ("lam",))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # numpy reports what it allocates, and kernels, without Numba's runtime, cannot allocate.
    assert 2 * 296 * 101 * 8 < peak < 16e6
    assert not any(d.targetoptions.get("_nrt", True) for d in kernels())


def kernels():
    return [getattr(cpu.compiled(1), name) for name in cpu.KERNELS]


def test_scratch_is_aligned_and_apart():
    for dtype in (np.float64, np.float32):
        arrays = scratch.carve(((3, 5), (1,), (0, 4), (7,)), np.dtype(dtype))
        for each, array in enumerate(arrays):
            assert array.__array_interface__["data"][0] % scratch.LINE == 0 or array.size == 0
            array[...] = each
        assert [a.shape for a in arrays] == [(3, 5), (1,), (0, 4), (7,)]
        assert all(np.all(array == each) for each, array in enumerate(arrays))


def test_a_thread_keeps_its_scratch_within_limits():
    scratch.forget()
    shapes, dtype = ((3, 5), (7,)), np.dtype(np.float64)
    first = scratch.reserve(shapes, dtype)
    assert all(a is b for a, b in zip(first, scratch.reserve(shapes, dtype), strict=True))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(scratch.reserve, shapes, dtype).result()
    assert not any(np.shares_memory(a, b) for a in first for b in other)
    half = ((scratch.KEPT_BYTES // 16 - 100,),)
    kept = scratch.reserve(half, dtype)
    assert scratch.reserve(shapes, dtype)[0] is first[0]
    scratch.reserve(((scratch.KEPT_BYTES // 16 + 100,), ()), dtype)  # too much beside the others
    assert scratch.reserve(half, dtype)[0] is not kept[0]
    large = ((scratch.KEPT_BYTES,),)
    small = scratch.reserve(shapes, dtype)
    assert scratch.reserve(large, dtype)[0] is not scratch.reserve(large, dtype)[0]
    assert scratch.reserve(shapes, dtype)[0] is small[0]
    scratch.forget()


def test_every_piece_is_done_once_by_any_number_of_threads():
    done = []

    def make(kind):
        return lambda first, last: done.append((kind, first, last))

    for threads in (1, 2, 5):
        done.clear()
        sharing.share(make, [("a", k) for k in range(40)] + [("b", 3)], threads)
        assert sorted(done) == sorted([("a", k, k + 1) for k in range(40)] + [("b", 3, 4)])


def test_an_error_in_a_thread_is_raised():
    def make(kind):
        def task(first, last):
            raise ArithmeticError(first)

        return task

    for threads in (1, 3):
        with pytest.raises(ArithmeticError):
            sharing.share(make, [(1, k) for k in range(9)], threads)
    with pytest.raises(InputError, match="threads=0"):
        sharing.share(make, [(1, 0)], 0)


def test_several_threads_of_a_program_may_call_at_once():
    columns, (sight, objective) = batch(20), observed(20)
    wanted = ask(columns, False, sight, objective)
    found = []

    def call():
        found.append(ask(columns, False, sight, objective, threads=2))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4
    assert all(same(wanted, each) for each in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python warns of fork beside threads")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # of JAX, where a test has loaded it
def test_a_forked_process_has_threads_of_its_own():
    sharing.share(lambda kind: lambda first, last: None, [(1, 0), (1, 1)], 2)
    child = os.fork()
    if child == 0:
        done = []
        sharing.share(
            lambda kind: lambda first, last: done.append(first), [(1, k) for k in range(9)], 2
        )
        os._exit(0 if sorted(done) == list(range(9)) else 1)
    assert os.waitpid(child, 0)[1] == 0


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lam": np.ones((3, 4))}, "lam has shape"),
        ({"lam": np.ones((2, N))}, "lam has shape"),
        ({"lam": np.ones(N)}, "lam has shape"),
        ({"albedo": np.ones((1, S), np.float32)}, "albedo is of type float32"),
        ({"spacing": np.ones((1, 1))}, "1 interfaces"),
        ({"spacing": np.ones(4)}, "spacing has shape"),
        ({"spacing": np.ones((1, N), np.int64)}, "of type int64"),
        ({"spacing": np.ones((1, N), np.dtype(float).newbyteorder())}, "of type .f8"),
        ({"emissivity": np.ones((1, 2))}, "emissivity has shape"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        size(batch(3)._replace(**change))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"index": np.full((1, 4), N)}, f"index {N} of the sight"),
        ({"index": np.array([[0, N - 1, 0, 0]])}, f"index {N - 1} of the sight"),
        ({"index": np.full((3, 4), -1)}, "index -1 of the sight"),
        ({"index": np.zeros((1, 4), np.int32)}, "type int32"),
        ({"kind": np.array([0, 1, 2, 4])}, "kind of the sight"),
        ({"kind": KINDS.astype(np.int32)}, "kind of the sight"),
        ({"fraction": np.zeros((1, 3))}, "fraction of the sight has shape"),
    ],
)
def test_a_sight_that_reads_outside_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        size(batch(3), observed(3)[0]._replace(**change))


def test_an_objective_that_does_not_fit_is_refused():
    sight, objective = observed(3)
    with pytest.raises(InputError, match="unknown objective 'half-sum'"):
        size(batch(3), sight, objective._replace(kind="half-sum"))
    for name in ("values", "weights"):
        for shape in ((3, 4, S), (2, 4, S + 1), (3, 3, S + 1), (4, S + 1)):
            with pytest.raises(InputError, match=f"{name} of the objective has shape"):
                size(batch(3), sight, objective._replace(**{name: np.ones(shape)}))
    with pytest.raises(InputError, match="checkpoint=0"):
        cpu.gradient(batch(3), False, sight, objective, checkpoint=0)


def test_arrays_of_another_layout_are_taken():
    columns, (sight, objective) = batch(9), observed(9)
    wanted = ask(columns, False, sight, objective)
    odd = Columns(*(np.asfortranarray(a) for a in columns))
    for array in odd:
        array.flags.writeable = False
    known = len(cpu.compiled(8).run_gradient.signatures)
    assert same(wanted, ask(odd, False, sight, objective))
    assert len(cpu.compiled(8).run_gradient.signatures) == known
