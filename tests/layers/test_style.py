# SPDX-License-Identifier: Apache-2.0
"""What the house style says and a program can count."""
import re
import subprocess

from tree import TOP, assert_none, scripts, sources

TAG = "SPDX-License-Identifier: Apache-2.0"
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60


def test_licence_tag():
    wrong = [str(f.relative_to(TOP)) for f in sources() if f.read_text().splitlines()[:1] != [f"/* {TAG} */"]]
    wrong += [str(f.relative_to(TOP)) for f in scripts() if f"# {TAG}" not in f.read_text().splitlines()[:2]]
    assert_none(wrong)


def test_files_are_short():
    lines = {str(f.relative_to(TOP)): f.read_text().count("\n") for f in sources()}
    assert_none([f"{name}: {n} lines" for name, n in lines.items() if n > MAX_FILE_LINES])


def test_functions_are_short():
    tags = subprocess.run(
        ["ctags-universal", "--languages=C", "--c-kinds=f", "--fields=+ne", "--output-format=xref",
         "--_xformat=%n %{end} %F %N", "-L", "-"],
        input="\n".join(map(str, sources())), capture_output=True, text=True, check=True).stdout
    wrong = []
    for first, last, file, name in (line.split(maxsplit=3) for line in tags.splitlines()):
        if int(last) - int(first) > MAX_FUNCTION_LINES:
            wrong.append(f"{file}:{first}: {name}: {int(last) - int(first)} lines")
    assert_none(wrong)


def test_layout():
    run = subprocess.run(["clang-format-14", "--dry-run", *sources()], capture_output=True, text=True, check=True)
    warnings = re.findall(r"^(.*?):\d+:\d+: warning:", run.stderr, re.MULTILINE)
    assert_none([f"{name}: clang-format-14 -i" for name in dict.fromkeys(warnings)])


def test_unit_tests_are_built():
    lists = "\n".join(f.read_text() for f in (TOP / "tests/unit").glob("*.cmake"))
    words = set(re.findall(r"\w+", lists))
    assert_none([f.name for f in sorted((TOP / "tests/unit").glob("test_*.c")) if f.stem not in words])
