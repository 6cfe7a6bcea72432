"""Stored results outlive their writer, come back as they were, and never break others'."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import report_samples as samples
from fault_counts import fault

from profiler.errors import StepwallError, UsageError
from profiler.facts import Point, Run, replace
from profiler.store.database import VERSION
from profiler.store.runs import FILE_NAME, Store

WRITERS = 4
EACH = 8


def _start(store: Store, name: str | None = "first") -> Run:
    return store.start_run(name, "stepwall profile", samples.ENVIRONMENT)


def _in_threads(work: Callable[[int], None], count: int = WRITERS) -> list[Exception]:
    """Run ``work(0)``, ``work(1)``... at the same moment and return what they raised."""
    begin = threading.Barrier(count)
    raised: list[Exception] = []

    def body(index: int) -> None:
        begin.wait()
        try:
            work(index)
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            raised.append(error)

    threads = [threading.Thread(target=body, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_a_run_comes_back_as_it_was_stored(tmp_path: Path) -> None:
    """Measurements, walls and environment, in the order they were added."""
    points = [samples.measured(steps=steps) for steps in (32, 8, 16)]
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        for point in points:
            store.add_measurement(run, point)
        store.add_wall(run, "a key", samples.wall())
        store.finish_run(run)
    with Store(tmp_path) as store:
        loaded = store.load("first")

    assert loaded == replace(run, measurements=points, walls=[samples.wall()], finished=True)


def test_an_unfinished_run_says_so(tmp_path: Path) -> None:
    """Only the end of an invocation marks its run as complete."""
    with Store(tmp_path, create=True) as store:
        _start(store)

        assert not store.load("first").finished


def test_a_results_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    """The user names it; the store makes it."""
    folder = tmp_path / "deep" / "results"
    with Store(folder, create=True):
        pass

    assert (folder / FILE_NAME).is_file()


def test_a_measurement_is_on_disk_before_its_writer_is_done(tmp_path: Path) -> None:
    """Another connection reads it while the first, which may be killed, is still open."""
    with Store(tmp_path, create=True) as writer, Store(tmp_path) as reader:
        run = _start(writer)
        writer.add_measurement(run, samples.measured())
        found = reader.load("first").measurements

    assert found == [samples.measured()]


def test_an_equal_point_is_replaced(tmp_path: Path) -> None:
    """Measured again, the newer measurement counts."""
    newer = replace(samples.measured(), seconds=99.0)
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured())
        store.add_measurement(run, newer)

        assert store.load().measurements == [newer]


def test_a_wall_of_the_same_key_is_replaced(tmp_path: Path) -> None:
    """Searched again, the newer certificate counts."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_wall(run, "a key", samples.wall(last_ok=650))
        store.add_wall(run, "a key", samples.wall(last_ok=651))

        assert store.load().walls == [samples.wall(last_ok=651)]


def test_a_resumed_run_knows_what_it_has(tmp_path: Path) -> None:
    """By key, by run, and by kind of fact."""
    key = samples.measured().point.key
    with Store(tmp_path, create=True) as store:
        run, other = _start(store), _start(store, "second")
        store.add_measurement(run, samples.measured())

        assert store.has("measurements", run, key)
        assert not store.has("measurements", run, "another key")
        assert not store.has("measurements", other, key)
        assert not store.has("walls", run, key)


def test_a_probe_is_found_by_its_points_key(tmp_path: Path) -> None:
    """In its own run only, as it was stored, and apart from the run's measurements."""
    probe = samples.measured(steps=9)
    with Store(tmp_path, create=True) as store:
        run, other = _start(store), _start(store, "second")
        store.add_probe(run, probe)

        assert store.probe(run, probe.point.key) == probe
        assert store.probe(run, samples.measured(steps=10).point.key) is None
        assert store.probe(other, probe.point.key) is None
        assert store.load("first").measurements == []


def test_a_run_knows_every_point_that_it_holds(tmp_path: Path) -> None:
    """Measured, probed, or the conditions of a wall; of its own alone."""
    measured, probe = samples.measured(steps=8), samples.measured(steps=9)
    conditions: Point = replace(measured.point, steps=0, limit_bytes=64)
    with Store(tmp_path, create=True) as store:
        run, other = _start(store), _start(store, "second")
        store.add_measurement(run, measured)
        store.add_probe(run, probe)
        store.add_wall(run, conditions.key, samples.wall())
        store.add_measurement(other, samples.measured(steps=10))
        found = store.points(run)

    assert sorted(found, key=lambda point: point.steps) == [
        conditions,
        measured.point,
        probe.point,
    ]


def test_a_wall_is_found_by_the_key_of_its_conditions(tmp_path: Path) -> None:
    """In its own run only."""
    with Store(tmp_path, create=True) as store:
        run, other = _start(store), _start(store, "second")
        store.add_wall(run, "a key", samples.wall())

        assert store.wall(run, "a key") == samples.wall()
        assert store.wall(run, "another key") is None
        assert store.wall(other, "a key") is None


def test_a_probe_is_on_disk_before_its_search_is_done(tmp_path: Path) -> None:
    """A search that is killed finds it again."""
    probe = samples.measured(steps=9)
    with Store(tmp_path, create=True) as writer, Store(tmp_path) as reader:
        run = _start(writer)
        writer.add_probe(run, probe)
        found = reader.probe(run, probe.point.key)

    assert found == probe


def test_a_run_that_gets_more_is_unfinished_again(tmp_path: Path) -> None:
    """Resumed and killed, it must not pass for complete."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured(steps=8))
        store.finish_run(run)
    with Store(tmp_path, create=True) as store:
        resumed = store.resume("first")
        store.add_measurement(resumed, samples.measured(steps=16))
        found = store.load("first")

    assert resumed == replace(run, finished=True)
    assert [m.point.steps for m in found.measurements] == [8, 16]
    assert not found.finished


def test_a_taken_name_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    """Without a name there is nothing to refuse."""
    with Store(tmp_path, create=True) as store:
        _start(store)
        store.check_free("second")
        store.check_free(None)
        with pytest.raises(UsageError, match=r"a run named 'first' exists"):
            store.check_free("first")


def test_the_newest_unfinished_run_is_resumed_by_default(tmp_path: Path) -> None:
    """Complete runs are left alone; where all are complete it is a usage error."""
    with Store(tmp_path, create=True) as store:
        runs = [_start(store, name) for name in ("first", "second", "third")]
        store.finish_run(runs[2])
    with Store(tmp_path, create=True) as store:
        resumed = store.resume()
        for run in runs[:2]:
            store.finish_run(run)

        assert resumed == runs[1]
        with pytest.raises(UsageError, match=r"--resume: no unfinished run; leave it out, or give"):
            store.resume()


@pytest.mark.parametrize("name", [None, "first"])
def test_a_run_that_is_being_worked_on_is_not_resumed(tmp_path: Path, name: str | None) -> None:
    """Whether it was started or resumed, its process is named; afterwards it is free."""
    expected = f"run 'first' is being worked on by process {os.getpid()}"
    with Store(tmp_path, create=True) as other:
        with Store(tmp_path, create=True) as first:
            _start(first)
            with pytest.raises(UsageError) as while_started:
                other.resume(name)
        with Store(tmp_path, create=True) as second:
            second.resume(name)
            with pytest.raises(UsageError) as while_resumed:
                other.resume(name)
        resumed = other.resume(name)

    assert [str(caught.value) for caught in (while_started, while_resumed)] == [expected] * 2
    assert resumed.name == "first"
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_an_unknown_run_is_not_resumed(tmp_path: Path) -> None:
    """A typing mistake starts no run of its own."""
    with Store(tmp_path, create=True) as store:
        _start(store)
        with pytest.raises(UsageError, match=r"no run 'frist' \(did you mean 'first'\?\)"):
            store.resume("frist")


def test_one_of_several_takes_a_free_run(tmp_path: Path) -> None:
    """At the same moment, too."""
    with Store(tmp_path, create=True) as store:
        _start(store)
    stores = [Store(tmp_path, create=True) for _ in range(WRITERS)]

    def resume(index: int) -> None:
        stores[index].resume("first")

    raised = _in_threads(resume)
    for store in stores:
        store.close()

    assert [type(error) for error in raised] == [UsageError] * (WRITERS - 1)


def test_runs_are_listed_oldest_first_with_what_they_hold(tmp_path: Path) -> None:
    """Made within one second, they still stand in their order."""
    with Store(tmp_path, create=True) as store:
        first, second = _start(store, "b"), _start(store, "a")
        store.add_measurement(first, samples.measured(steps=8))
        store.add_measurement(first, samples.measured(steps=16))
        store.add_wall(second, "a key", samples.wall())
        store.finish_run(second)
        found = store.summaries()

    assert [(s.name, s.measurements, s.walls, s.finished) for s in found] == [
        ("b", 2, 0, False),
        ("a", 0, 1, True),
    ]
    assert found[0].id == first.id
    assert found[0].command == "stepwall profile"


def test_the_newest_run_is_loaded_by_default(tmp_path: Path) -> None:
    """No name means the last one; an id names a run as well as its name."""
    with Store(tmp_path, create=True) as store:
        first, second = _start(store, "first"), _start(store, "second")

        assert store.load().name == second.name
        assert store.load(first.id).name == first.name


def test_a_run_without_a_name_gets_one_of_its_own(tmp_path: Path) -> None:
    """Date, time and a part of its id, so that no two are equal."""
    with Store(tmp_path, create=True) as store:
        names = [_start(store, None).name for _ in range(3)]

    assert len(set(names)) == len(names)


def test_a_runs_name_is_taken_once(tmp_path: Path) -> None:
    """The message offers both ways on, and the first run stays as it is."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured())
        with pytest.raises(UsageError, match=r"a run named 'first' exists: .*--name.*--resume"):
            _start(store)

        assert store.load("first").measurements == [samples.measured()]


def test_an_unknown_run_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """A typing mistake costs one look."""
    with Store(tmp_path, create=True) as store:
        _start(store, "tuesday")
        with pytest.raises(UsageError) as caught:
            store.load("tusday")

    assert str(caught.value) == "no run 'tusday' (did you mean 'tuesday'?)"


def test_a_database_without_runs_says_what_to_do(tmp_path: Path) -> None:
    """Loading the newest of none is a usage error."""
    with (
        Store(tmp_path, create=True) as store,
        pytest.raises(UsageError, match=r"no runs in .*run"),
    ):
        store.load()


@pytest.mark.parametrize("place", ["", "nowhere"])
def test_reading_makes_no_database(tmp_path: Path, place: str) -> None:
    """A wrong folder is named and stays empty."""
    folder = tmp_path / place
    with pytest.raises(UsageError) as caught:
        Store(folder)

    assert str(caught.value) == f"no results in {str(folder)!r}: run 'stepwall profile' first"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize(
    ("version", "age", "remedy"),
    [
        (1, "an older", ""),
        (2, "an older", ""),
        (3, "an older", ""),  # it counts nodes without those of functions
        (VERSION + 1, "a newer", "upgrade stepwall, or "),
    ],
)
def test_another_schema_is_refused_and_left_alone(
    tmp_path: Path, version: int, age: str, remedy: str, *, create: bool
) -> None:
    """It is never misread, and not one byte of it changes."""
    with Store(tmp_path, create=True) as store:
        _start(store)
    path = tmp_path / FILE_NAME
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(UsageError) as caught:
        Store(tmp_path, create=create)

    assert str(caught.value) == (
        f"{path} was written by {age} stepwall (schema {version}, this one reads "
        f"{VERSION}): {remedy}use another --results folder"
    )
    assert path.read_bytes() == before


def test_a_closed_database_is_read_where_no_file_can_be_made(tmp_path: Path) -> None:
    """As on a full or a read-only disk: SQLite wants one beside it, and none is needed."""
    with Store(tmp_path, create=True) as store:
        _start(store)
    (tmp_path / f"{FILE_NAME}-shm").symlink_to(tmp_path / "nowhere" / "file")  # in its way
    with Store(tmp_path) as store:
        found = store.load("first").name
    with (
        Store(tmp_path, create=True) as store,
        pytest.raises(StepwallError, match="unable to open database file: use a --results folder"),
    ):
        _start(store, "second")

    assert found == "first"


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    """The operating system's reason is passed on, in one line."""
    place = tmp_path / "results"
    place.write_text("a file")
    with pytest.raises(UsageError) as caught:
        Store(place, create=True)

    assert str(caught.value) == f"results folder {str(place)!r} cannot be used: File exists"


@pytest.mark.parametrize("create", [False, True])
def test_a_folder_where_the_file_should_be_is_one_error(tmp_path: Path, *, create: bool) -> None:
    """The message names the results folder."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(UsageError) as caught:
        Store(tmp_path, create=create)

    where = f"results folder {str(tmp_path)!r} cannot be used"
    assert str(caught.value) == f"{where}: {FILE_NAME} in it is not a file"


@pytest.mark.parametrize("create", [False, True])
def test_a_file_that_is_no_database_is_one_error(tmp_path: Path, *, create: bool) -> None:
    """The message names the file, which is left as it was."""
    path = tmp_path / FILE_NAME
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StepwallError) as caught:
        Store(tmp_path, create=create)

    assert str(caught.value).startswith(f"{path}: file is not a database: it is damaged. Move it")
    assert path.read_bytes() == b"no database" * 100


def test_a_damaged_database_is_one_error(tmp_path: Path) -> None:
    """Pages full of rubbish behind a good header do not give a traceback."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        for steps in range(1, 50):
            store.add_measurement(run, samples.measured(steps=steps))
    path = tmp_path / FILE_NAME
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))

    with Store(tmp_path) as store, pytest.raises(StepwallError, match=str(path)):
        store.load()


@pytest.mark.parametrize("data", ["7", '{"outcome": 7}', '{"point": []}'])
def test_a_row_of_another_shape_is_one_error(tmp_path: Path, data: str) -> None:
    """JSON that is no measurement does not give a traceback either."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured())
        store._db.fetch("UPDATE measurements SET data = ?", (data,))

        with pytest.raises(StepwallError, match=str(tmp_path)):
            store.load()


def test_a_row_that_is_no_json_is_one_error(tmp_path: Path) -> None:
    """Whoever edited the database by hand learns which file is broken."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured())
        store._db.fetch("UPDATE measurements SET data = '{'")

        with pytest.raises(StepwallError, match=str(tmp_path)):
            store.load()


def test_a_full_disk_is_one_error_and_loses_nothing_stored(tmp_path: Path) -> None:
    """What was committed before stays, the message says so, and room makes it go on."""
    large = replace(samples.measured(steps=16), log_tail="x" * 100_000)
    with Store(tmp_path, create=True) as store:
        run = _start(store)
        store.add_measurement(run, samples.measured())
        ((pages,),) = store._db.fetch("PRAGMA page_count")
        store._db.fetch(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StepwallError, match=r"the disk is full; what was stored is kept: .*"):
            store.add_measurement(run, large)
        store._db.fetch(f"PRAGMA max_page_count = {pages + 1000}")
        store.add_measurement(run, large)

        assert store.load().measurements == [samples.measured(), large]


def test_two_stores_write_at_once(tmp_path: Path) -> None:
    """Every writer waits for the others, and nothing is lost."""
    with Store(tmp_path, create=True) as store:
        runs = [_start(store, f"run {index}") for index in range(WRITERS)]

    def write(index: int) -> None:
        with Store(tmp_path, create=True) as own:
            for steps in range(1, EACH + 1):
                own.add_measurement(runs[index], samples.measured(steps=steps))

    raised = _in_threads(write)
    with Store(tmp_path) as store:
        found = [len(store.load(run.id).measurements) for run in runs]

    assert raised == []
    assert found == [EACH] * WRITERS


def test_two_stores_begin_a_database_at_once(tmp_path: Path) -> None:
    """Two invocations into one new folder both get their run."""
    rounds = 5
    raised = []
    for number in range(rounds):
        folder = tmp_path / str(number)

        def begin(index: int, folder: Path = folder) -> None:
            with Store(folder, create=True) as own:
                _start(own, f"run {index}")

        raised += _in_threads(begin)

    assert raised == []


def test_one_store_serves_several_threads(tmp_path: Path) -> None:
    """A runner of several jobs adds its measurements through one store."""
    with Store(tmp_path, create=True) as store:
        run = _start(store)

        def write(index: int) -> None:
            for steps in range(1, EACH + 1):
                point = samples.measured(steps=steps, repeat=index)
                assert not store.has("measurements", run, point.point.key)
                store.add_measurement(run, point)

        raised = _in_threads(write)
        found = len(store.load().measurements)

    assert raised == []
    assert found == WRITERS * EACH


def test_one_name_is_given_to_one_of_two_writers(tmp_path: Path) -> None:
    """Looking and taking are one step."""
    with Store(tmp_path, create=True):
        pass

    def begin(_: int) -> None:
        with Store(tmp_path, create=True) as own:
            _start(own, "the same")

    raised = _in_threads(begin)

    assert [type(error) for error in raised] == [UsageError] * (WRITERS - 1)


def test_closing_waits_for_what_is_being_stored(tmp_path: Path) -> None:
    """In a thread that an interrupt has left behind."""
    store = Store(tmp_path, create=True)
    run = _start(store)
    begun, go = threading.Event(), threading.Event()

    def write() -> None:
        with store._db.transaction() as connection:
            begun.set()
            go.wait()
            connection.execute("UPDATE runs SET finished = 1")

    writer, closer = threading.Thread(target=write), threading.Thread(target=store.close)
    writer.start()
    begun.wait()
    closer.start()
    closer.join(0.2)  # all it needs, if it does not wait
    go.set()
    writer.join()
    closer.join()
    with Store(tmp_path) as reader:
        assert reader.header(run.name).finished


class TestClocks:
    """What is newest does not depend on what a clock says."""

    @fault(5, "a clock that is set back or stands still")
    def test_set_back_leave_the_newest_run_the_newest(self, tmp_path: Path) -> None:
        """In every answer: by default, as ``latest``, to resume, to take points from, listed."""
        days = iter([3, 2, 1])

        def clock() -> datetime:
            return datetime(2026, 1, next(days), tzinfo=UTC)

        for _ in range(3):
            with Store(tmp_path, create=True, clock=clock) as store:
                run = store.start_run(None, "stepwall profile", samples.ENVIRONMENT)
                store.add_measurement(run, samples.measured())
        with Store(tmp_path, create=True) as store:
            found = [store.load().id, store.load("latest").id, store.resume().id]
            holding = [run_id for run_id, _ in store.holding([samples.measured().point.scenario])]
            listed = [one.id for one in store.summaries()]

        assert found == [run.id] * 3
        assert holding[0] == listed[-1] == run.id

    @fault(5, "a clock that is set back or stands still")
    def test_that_stand_still_give_no_name_twice(self, tmp_path: Path) -> None:
        """Nor an id: what is taken is not given again."""
        ids = iter(["aaaa0000", "aaaa0000", "aaaa1111", "bbbb0000"])
        at = datetime(2026, 1, 1, tzinfo=UTC)
        with Store(tmp_path, create=True, clock=lambda: at, new_id=lambda: next(ids)) as store:
            runs = [store.start_run(None, "stepwall", samples.ENVIRONMENT) for _ in range(2)]

        assert [(run.id, run.name) for run in runs] == [
            ("aaaa0000", "20260101-000000-aaaa"),
            ("bbbb0000", "20260101-000000-bbbb"),
        ]


class TestFolders:
    """That are taken away while a run is stored in them."""

    @pytest.mark.parametrize("put_back", [True, False])
    def test_are_missed_at_the_next_point(self, tmp_path: Path, *, put_back: bool) -> None:
        """The writer says so; renamed, and named back, it has all that was stored."""
        results, away = tmp_path / "results", tmp_path / "away"
        with Store(results, create=True) as store:
            run = _start(store)
            store.add_measurement(run, samples.measured(steps=8))
            results.rename(away)
            with pytest.raises(StepwallError, match="was removed or moved while it was written"):
                store.add_measurement(run, samples.measured(steps=16))
        if put_back:
            away.rename(results)
            away = results
        with Store(away) as store:
            kept = store.load("first").measurements

        assert kept == [samples.measured(steps=8), samples.measured(steps=16)]
        assert list(tmp_path.iterdir()) == [away]

    def test_whose_place_another_takes_harm_it_in_no_way(self, tmp_path: Path) -> None:
        """A database closes: the log that lies where its own was is not its own any more."""
        results = tmp_path / "results"
        first = Store(results, create=True)
        run = _start(first)
        first.add_measurement(run, samples.measured(steps=8))
        results.rename(tmp_path / "away")
        with Store(results, create=True) as second:
            own = _start(second, "second")
            second.add_measurement(own, samples.measured(steps=8))
            first.close()
            second.add_measurement(own, samples.measured(steps=16))
            with Store(results) as reader:
                seen = [m.point.steps for m in reader.load("second").measurements]

        assert seen == [8, 16]


def test_its_files_are_for_all_who_share_its_folder(tmp_path: Path) -> None:
    """As far as the umask of its user allows: the lock, too, that a killed run leaves."""
    mask = os.umask(0o002)
    try:
        with Store(tmp_path, create=True) as store:
            run = _start(store)
            store.add_measurement(run, samples.measured())
            modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(mask)

    assert modes == {0o664}
