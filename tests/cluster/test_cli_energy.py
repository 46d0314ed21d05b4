# SPDX-License-Identifier: Apache-2.0
"""`energy load` and `energy batch` on the sample data."""
import contextlib
import csv
import re
import shutil

import pytest

from cluster import SAMPLE, TOP, Cluster


@pytest.fixture(scope="module")
def c():
    """A cluster into which the sample data was loaded, twice."""
    with contextlib.closing(Cluster(workers=2)) as cluster:
        counts = {"systems": 205, "agents": 4150, "pairs": 50009, "hyperedges": 1654}
        assert cluster.ok("energy", "load", SAMPLE, "--json").json == counts
        assert cluster.ok("energy", "load", *sorted(SAMPLE.glob("energy_[!e]*.csv")), "--json").json == counts
        yield cluster


def test_batch_agrees_with_what_is_expected(c):
    rows = {row["system_id"]: row for row in c.ok("energy", "batch", "--json").rows}
    assert sorted(rows) == list(range(1, 206))
    with open(SAMPLE / "energy_expected.csv", newline="") as file:
        for want in csv.DictReader(file):
            have = rows[int(want["system_id"])]
            for name, text in want.items():
                assert have[name] == pytest.approx(float(text), rel=1e-4, abs=1e-6), (want["system_id"], name)


def test_some_systems(c):
    rows = c.ok("energy", "batch", "--systems", "1,7-9", "--json").rows
    assert [row["system_id"] for row in rows] == [1, 7, 8, 9]
    for wrong in ("9-1", "1-99999999999", "99999999999999999999"):
        result = c.run("energy", "batch", "--systems", wrong)
        assert result.status == 2 and "1000000" in result.stderr, repr(result)


@pytest.mark.parametrize("systems, ids", [("1,9999", [1, 9999]), ("205-206", [205, 206]), ("1000", [1000])])
def test_systems_that_are_not_loaded(c, systems, ids):
    """A number or a range, one rule: its task fails with its id, the others go on."""
    result = c.run("energy", "batch", "--systems", systems, "--json")
    assert result.status == 1 and [row["system_id"] for row in result.rows] == ids, repr(result)
    assert set(result.rows[-1]) == {"system_id", "error"} and str(ids[-1]) in result.rows[-1]["error"]["message"]
    assert all("total" in row for row in result.rows[:-1])
    result = c.run("/bin/sh", "-c", f"seedcore energy batch --systems {systems} 2>&1")
    assert result.stdout.endswith(f"seedcore: 1 of {len(ids)} systems failed\n"), "behind the tables"
    assert f"system {ids[-1]} failed: unknown_system: " in result.stdout, repr(result)
    assert len(ids) > 1 or "1 system in" in result.stdout and "tasks/s" not in result.stdout, repr(result)


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("language", ["C.UTF-8", "C"])
def test_report_fits(c, columns, language):
    result = c.ok("energy", "batch", env={"COLUMNS": str(columns), "LANG": language})
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= columns, max(lines, key=len)
    assert language != "C" or result.stdout.isascii()
    for text in ("Lowest energy per agent", "Highest energy per agent", "Total energy by month", "2009-03", "tasks/s"):
        assert text in result.stdout, text


def test_terms_of_the_table_sum_to_the_total(c):
    row = re.search(r"^ *205 +all.*$", c.ok("energy", "batch", "--systems", "1,205").stdout, re.M)[0].split()
    *terms, total = map(float, row[4:])
    assert len(terms) == 4 and sum(terms) == pytest.approx(total, abs=0.0005), row


def test_one_of_a_kind(c):
    folder = c.folder / "one"
    folder.mkdir()
    for name, row in (("energy_system", "2000,one,1,1,1,1,0,0,0"), ("energy_agent", "2000,0,a,1,1,0,0,1,0")):
        head = (SAMPLE / f"{name}.csv").read_text().partition("\n")[0]
        (folder / f"{name}.csv").write_text(f"{head}\n{row}\n")
    assert c.ok("energy", "load", folder).stdout == "loaded 1 system, 1 agent, 0 pairs, 0 hyperedges\n"


def test_page_of_the_handlers(c):
    """The example of docs/energy.md works as it is written."""
    page = (TOP / "docs/energy.md").read_text()
    script = "\n".join(line[4:] for line in page.splitlines() if line.startswith("    "))
    loaded, value = c.ok("/bin/sh", "-ec", script).rows
    assert loaded == {"systems": 1, "agents": 2, "pairs": 1, "hyperedges": 0}
    assert value["pair"] == -1 and value["reg"] == 0.01 and value["total"] == pytest.approx(-0.99, abs=1e-5), value
    help = c.ok("energy", "load", "--help").stdout
    for path in SAMPLE.glob("energy_[!e]*.csv"):
        names = path.read_text().partition("\n")[0]
        assert names.replace(",", ", ") in page and names in re.sub(r",\n +", ",", help), names


@pytest.mark.parametrize("file, line, text, reason", [
    ("energy_system.csv", 2, "1,2009-03,4,16,x,1,1,0,0", "s_norm"),
    ("energy_pair.csv", 2, "999,0,1,0.5", "999"),
    ("energy_agent.csv", 3, "1,2,3", "3 fields"),
    ("energy_pair.csv", 2, "1,0,99,0.5", "j 99"),
    ("energy_pair.csv", 3, "1,0,1,0.5", "twice"),
    ("energy_system.csv", 2, "1,a\x1bb,4,16,2,1,1,0,0", "control"),
])
def test_bad_files(c, file, line, text, reason):
    folder = c.folder / "data"
    shutil.copytree(SAMPLE, folder)
    lines = (folder / file).read_text().splitlines()
    lines[line - 1] = text
    (folder / file).write_text("\n".join(lines))
    result = c.run("energy", "load", folder)
    shutil.rmtree(folder)
    assert result.status == 1 and f"{folder}/{file}:{line}: " in result.stderr and reason in result.stderr, repr(result)


def test_systems_that_workers_refuse(c):
    """What only they can tell; the others are loaded."""
    folder = c.folder / "data"
    shutil.copytree(SAMPLE, folder)
    text = (folder / "energy_system.csv").read_text().splitlines()
    text[1] = "1,2009-03,4,16,-2,1.6143,0.3805,0,0.25"  # s_norm is no less than 0
    (folder / "energy_system.csv").write_text("\n".join(text))
    result = c.run("energy", "load", folder)
    shutil.rmtree(folder)
    assert result.status == 1 and result.stdout == "", repr(result)
    assert "system 1 was not loaded: bad_arguments: " in result.stderr and "{" not in result.stderr, repr(result)
    assert "204 of 205 systems were loaded" in result.stderr, repr(result)


def test_nothing_loaded(cluster):
    result = cluster(workers=1).run("energy", "batch")
    assert result.status == 1 and "energy load" in result.stderr, repr(result)
