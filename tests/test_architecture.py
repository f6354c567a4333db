"""The house rules, read from the source: what imports what, how long things are, and what no file may hold."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtt.collections.load import data_sets
from mtt.config import FULL, PROFILES
from mtt.data.augment import EFFECTS
from mtt.findings.claims import CLAIMS
from mtt.models.build import MODELS
from mtt.study.parameters import PARAMETERS
from mtt.study.recipes import lineup

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mtt"
# A module imports only from the left. `files` writes atomically, for every room.
ORDER = [
    *("files", "settings", "config", "reading", "synthetic", "data", "splits", "models", "evaluation", "training"),
    *("collections", "explain", "study", "findings", "reporting", "commands", "__main__"),
]
PLOTTING = {"matplotlib", "seaborn", "altair", "plotly", "bokeh"}
MODULE_LINES, FUNCTION_LINES, MODULES = 350, 60, 10
# Package hosts, whose place a reader's own mirror or proxy may take, and paths of one machine; [x] so that this line is none of them.
FIXED_PLACE = re.compile(
    rb"pypi[.]org|python[h]osted[.]org|download[.]pytorch[.]org|conda[.]anaconda[.]org|--(?:extra-)?index[-]url|--find[-]links"
    rb"|(?<![\w./-])/(?:wor[k]|roo[t]|home/\w+)/"
)


def module_name(path: Path, package: Path) -> str:
    """``mtt/data/audio.py`` → ``mtt.data.audio``; a package's ``__init__.py`` → the package."""
    parts = [package.name, *path.relative_to(package).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


parse_source = functools.cache(ast.parse)  # every rule reads every module


def parse(package: Path) -> dict[str, ast.Module]:
    return {module_name(p, package): parse_source(p.read_text()) for p in sorted(package.rglob("*.py"))}


def imports(name: str, tree: ast.Module, modules: set[str], is_package: bool) -> Iterator[tuple[str, int]]:
    """Every import of a module, wherever it stands, as (full module name, line).

    ``from a import b`` counts as ``a.b`` where that is a module of ours, else as ``a``.
    """
    here = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                if (source, alias.name) == ("mtt", "__version__"):
                    continue  # a constant of the front door, which imports nothing
                submodule = f"{source}.{alias.name}"
                yield (submodule if submodule in modules else source), node.lineno


def import_graph(package: Path) -> dict[str, list[tuple[str, int]]]:
    trees = parse(package)
    packages = {name for name in trees if (package.parent / name.replace(".", "/")).is_dir()}
    return {name: list(imports(name, tree, set(trees), name in packages)) for name, tree in trees.items()}


def room(name: str) -> str | None:
    """The room of one of our modules; None for the package itself and for other people's modules."""
    parts = name.split(".")
    return parts[1] if parts[0] == "mtt" and len(parts) > 1 else None


def order_faults(package: Path) -> list[str]:
    faults = []
    for name, found in import_graph(package).items():
        if room(name) is None:
            continue  # mtt/__init__.py, the front door
        if room(name) not in ORDER:
            faults.append(f"{name}: no such room in {ORDER}")
            continue
        for target, line in found:
            if target == "mtt" and room(name) not in ("commands", "__main__"):  # the command line loads a name when a command needs it
                faults.append(f"{name}:{line} imports mtt itself: import the module that is meant")
            elif target.split(".")[0] in PLOTTING and room(name) != "reporting":
                faults.append(f"{name}:{line} imports {target}: reporting draws")
            elif room(target) in ORDER and ORDER.index(room(target)) > ORDER.index(room(name)):
                faults.append(f"{name}:{line} imports {target}, which lies to its right")
    return faults


def function_faults(package: Path) -> list[str]:
    """Functions that are too long or that import."""
    faults = []
    for name, tree in parse(package).items():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            where = f"{name}:{function.lineno} {function.name}"
            if (lines := function.end_lineno - function.lineno + 1) > FUNCTION_LINES:
                faults.append(f"{where} has {lines} lines")
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    faults.append(f"{where} imports inside the function, line {node.lineno}")
    return faults


def size_faults(package: Path) -> list[str]:
    """Modules that are too long, and folders of too many."""
    paths = list(package.rglob("*.py"))
    lines = {str(path): len(path.read_text().splitlines()) for path in paths}
    modules = Counter(str(path.parent) for path in paths if path.name != "__init__.py")
    found = [f"{path} has {count} lines" for path, count in lines.items() if count > MODULE_LINES]
    return found + [f"{folder} has {count} modules" for folder, count in modules.items() if count > MODULES]


RULES = [order_faults, function_faults, size_faults]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_package_keeps_the_rule(rule):
    assert rule(PACKAGE) == []


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        (order_faults, ["lies to its right", "imports mtt itself", "no such room", "imports matplotlib"]),
        (function_faults, ["imports inside the function", "has 61 lines"]),
        (size_faults, ["has 351 lines", "mtt/data has 11 modules"]),
    ],
)
def test_rule_finds_what_breaks_it(tmp_path, rule, faults):
    files = {
        "data/__init__.py": "",
        "data/audio.py": "def f():\n    from mtt.models import frontend\n    from matplotlib import pyplot\n",
        "config.py": "import mtt\n" + "pass\n" * 350,
        "helpers.py": "def f():\n" + "    pass\n" * 60,
        "models/frontend.py": "from mtt.data.audio import read\n",
        "reporting/figures.py": "import matplotlib\n",
        **{f"data/m{number}.py": "" for number in range(1, 11)},
    }
    for name, text in files.items():
        (tmp_path / "mtt" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mtt" / name).write_text(text)
    found = "\n".join(rule(tmp_path / "mtt"))
    assert all(fault in found for fault in faults) and "figures" not in found and "mtt.models.frontend:" not in found


def named_facts() -> dict[str, str]:
    """What a registry's objects are called -> the registry; the words themselves may stand in one module each."""
    facts = {text: "claim" for claim in CLAIMS.values() for text in (claim.id, claim.label, claim.statement)}
    facts |= dict.fromkeys(data_sets(), "data set")
    facts |= {text: "model" for model in MODELS.values() for text in (model.label, model.about)}
    facts |= {effect.about: "effect" for effect in EFFECTS.values()}
    return facts | {entry.about: "model" for entry in lineup(FULL).values()}


@pytest.mark.parametrize("fact", sorted(named_facts()))
def test_a_fact_stands_in_one_module(fact):
    said = {
        name
        for name, tree in parse(PACKAGE).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value == fact
    }
    templates = {path.name for path in PACKAGE.rglob("*.j2") if f">{fact}<" in path.read_text() or f'"{fact}"' in path.read_text()}
    assert len(said) <= 1 and not templates, f"{fact!r} of a {named_facts()[fact]} stands in {sorted(said | templates)}"


def test_the_shell_script_lists_nothing_that_python_knows():
    script = (ROOT / "run_all.sh").read_text()
    known = [*data_sets(), *(set(PROFILES) - {"smoke"}), *MODELS, *EFFECTS, *lineup(FULL), *PARAMETERS]
    assert [name for name in known if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", script)] == ["study"]  # the command


def test_every_folder_lists_its_modules():
    """In the docstring of its ``__init__``, a line each."""
    missing = []
    for folder in [path for path in PACKAGE.rglob("*/") if list(path.glob("*.py"))]:
        doc = ast.get_docstring(parse_source((folder / "__init__.py").read_text())) or ""
        missing += [
            f"{folder.name}/{p.stem}" for p in folder.glob("*.py") if p.stem != "__init__" and not re.search(rf"^\W*{p.stem}\b", doc, re.M)
        ]
    assert missing == []


def test_every_import_is_a_declared_dependency():
    """What the package imports stands in pyproject.toml, not only in the lock by way of another package."""
    declared = (ROOT / "pyproject.toml").read_text().split("[project.optional-dependencies]")[0]
    names = re.findall(r'^    "([A-Za-z0-9_.-]+?)[=<>]', declared, re.MULTILINE)
    import_names = {"scikit-learn": "sklearn", "pillow": "PIL", "markdown-it-py": "markdown_it", "mdit-py-plugins": "mdit_py_plugins"}
    known = {*sys.stdlib_module_names, "mtt", *(import_names.get(name, name) for name in names)}
    found = {target for imported in import_graph(PACKAGE).values() for target, _ in imported}
    assert {target for target in found if target.split(".")[0] not in known} == set()


def repository_files() -> list[Path]:
    """What git tracks or would add."""
    listing = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no checkout of git")
    return sorted(ROOT / name for name in names if (ROOT / name).is_file())


def test_no_file_fixes_where_packages_come_from_or_names_a_path_of_one_machine():
    found = {path.relative_to(ROOT): FIXED_PLACE.search(path.read_bytes()) for path in repository_files()}
    assert [f"{path}: {match[0].decode()}" for path, match in found.items() if match] == []
    names = {"utils", "util", "helpers", "misc", "common"}
    assert [path for path in found if names & {part.split(".")[0] for part in path.parts}] == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_is_committed_empty_has_one_parameters_cell_and_defines_nothing(path):
    code = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for statement in ast.parse("".join(tagged[0]["source"])).body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign), ast.unparse(statement)
        ast.literal_eval(statement.value)  # papermill injects after the cell: a derived value would go stale
    for cell in code:
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 20, source
        tree = ast.parse(re.sub(r"^%.*$", "", source, flags=re.MULTILINE))
        defined = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.While)]
        assert defined == [], source
        assert not re.search(r"sys\.path|\bpip install\b", source), source


MODEL = "ModelConfig(channels=4, width=16, heads=2, layers=1)"


@pytest.mark.parametrize(
    ("needed", "spared"),
    [
        (  # to tag and to explain
            f"from mtt.config import ModelConfig; from mtt.models import build_model; build_model({MODEL}, 3)\n"
            "from mtt.reporting.explorer import page",
            {"matplotlib", "seaborn", "sklearn.base", "librosa", "numba", "sympy"},
        ),
        (
            "from mtt.collections import audit, listing, pack; from mtt.splits import make",
            {"torch.nn", "sklearn.base", "matplotlib", "librosa"},
        ),
    ],
)
def test_a_command_waits_for_no_library_that_it_does_not_use(needed, spared):
    code = f"import sys\n{needed}\nprint(*sorted({spared} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
