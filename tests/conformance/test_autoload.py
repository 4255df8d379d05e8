"""Scripts that never mention KohakuBoard but in an argument: what is installed makes the frameworks know the name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import _kohakuboard_hook as hook
from kohakuboard.reader import Workspace
from tests.installation import install, run

REPOSITORY = Path(__file__).parents[2]

# In each process of a launch: both frameworks know the name, and nothing of the core was imported for it.
PROGRAM = """
import multiprocessing, sys
from accelerate.tracking import filter_trackers

def known():
    from transformers.integrations import get_reporting_integration_callbacks
    (callback,) = get_reporting_integration_callbacks(["kohakuboard"])
    assert "kohakuboard" not in sys.modules, "the core was imported, though nobody logs"
    print(callback.__name__, *filter_trackers("kohakuboard"), flush=True)

if __name__ == "__main__":
    for method in sys.argv[1:]:
        child = multiprocessing.get_context(method).Process(target=known)
        child.start()
        child.join()
    if len(sys.argv) == 1:
        known()
"""
KNOWN = "KohakuBoardCallback kohakuboard"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize(
    ("options", "methods"),
    [(("-I",), ("spawn", "forkserver", "fork")), (("-m",), ())],
    ids=["isolated", "module"],
)
def test_r57_a_script_without_an_import_finds_us(
    installed: Path, program: Path, options: tuple[str, ...], methods: tuple[str, ...]
) -> None:
    script = "train" if "-m" in options else str(program)
    told = run(installed / "python", *options, script, *methods, cwd=program.parent)
    assert told.splitlines() == [KNOWN] * max(len(methods), 1)


@pytest.mark.parametrize(
    "launcher",
    [
        ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"),
        ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1"),
    ],
    ids=["torchrun", "accelerate"],
)
def test_r57_a_launcher_hands_it_on(installed: Path, program: Path, launcher: tuple[str, ...]) -> None:
    told = run(installed / "python", *launcher, str(program), cwd=program.parent, OMP_NUM_THREADS="1")
    assert set(told.splitlines()) == {KNOWN}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "editable"),
    [("uv", False), ("pip", True), ("uv", True)],
    ids=["uv", "pip-editable", "uv-editable"],
)
def test_r57_it_is_there_whichever_way_we_are_installed(
    wheel: Path, tmp_path: Path, tool: str, editable: bool
) -> None:
    """The hook has run, and finds the adapters; what it does then is the same for all."""
    install(REPOSITORY if editable else wheel, tmp_path / "environment", tool=tool)
    python = tmp_path / "environment" / "bin" / "python"
    code = """
import sys
from importlib.util import find_spec
print(hasattr(sys.meta_path[0], "is_kohakuboard_stub"))
find_spec("accelerate")
print(type(sys.meta_path[0]).__name__)
print(all(find_spec(adapter.partition(".")[0]) for adapter in sys.modules["_kohakuboard_hook"].TARGETS.values()))
"""
    assert run(python, "-c", code, cwd=tmp_path).split() == ["True", "_Finder", "True"]


@pytest.mark.slow
def test_r49_the_short_name_of_the_logger_is_known_to_a_command_line(installed: Path, tmp_path: Path) -> None:
    job = REPOSITORY / "tests" / "conformance" / "jobs" / "lightning_cli_job.py"
    trainer = [
        "--trainer.max_steps",
        "2",
        "--trainer.accelerator",
        "cpu",
        "--trainer.enable_progress_bar",
        "False",
    ]
    logger = ["--trainer.logger", "KohakuBoardLogger", "--trainer.logger.capture_output", "python"]
    run(installed / "python", job, "fit", *trainer, *logger, cwd=tmp_path)
    (made,) = Workspace(tmp_path / "kohakuboard").runs()
    assert (made.project, made.status) == ("lightning_logs", "finished")
    assert "capture_output: python" in (made.path / "config.yaml").read_text()


def test_r58_it_imports_nothing_at_the_start_of_python(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; print(*sorted({'kohakuboard', 'typing', 'importlib.util', 'numpy'} & set(sys.modules)))"
    )
    with_hook = run(installed / "python", "-I", "-c", code, cwd=tmp_path)
    without = run(installed / "python", "-I", "-c", code, cwd=tmp_path, KOHAKUBOARD_AUTOLOAD="0")
    assert with_hook == without
    code = "import sys; print(*sorted(sys.modules), *(f.__name__ for f in sys.meta_path))"
    started = run(installed / "python", "-I", "-c", code, cwd=tmp_path).split()
    assert started.count("KohakuBoardStub") == 1, "Python runs .pth files twice in a virtual environment"
    assert "_kohakuboard_hook" not in started


def run_stub(*options: str | Path, code: str, cwd: Path, **variables: str) -> tuple[str, str]:
    """Return what a program prints and complains of whose Python ran the line of the .pth file twice, as in `site`."""
    line = (REPOSITORY / "integrations" / "kohakuboard_autoload.pth").read_text().splitlines()[-1]
    done = subprocess.run(
        [sys.executable, "-I", "-S", *options, "-c", f"for _ in range(2): exec({line!r}, {{}})\n{code}"],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout, done.stderr


def test_r58_a_stub_whose_package_is_gone_leaves_the_frameworks_importable(tmp_path: Path) -> None:
    for framework in ("accelerate", "transformers"):
        (tmp_path / f"{framework}.py").write_text(f"print({framework!r})")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import accelerate, transformers"
    assert run_stub(code=code, cwd=tmp_path) == ("accelerate\ntransformers\n", "")


def test_r58_a_stub_whose_hook_is_broken_leaves_the_frameworks_importable(tmp_path: Path) -> None:
    (tmp_path / "_kohakuboard_hook.py").write_text("def install(: broken")
    (tmp_path / "accelerate.py").write_text("print('accelerate')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import accelerate"
    assert run_stub(code=code, cwd=tmp_path) == ("accelerate\n", "")


@pytest.mark.parametrize("framework", sorted({target.partition(".")[0] for target in hook.TARGETS}))
def test_r58_the_finder_takes_the_place_of_the_stub_when_a_framework_is_looked_for(
    framework: str, tmp_path: Path
) -> None:
    """Others may have come before it and after it, and each of them is still asked."""
    code = f"""
import importlib.util, sys
class Other:
    def find_spec(self, name, path=None, target=None):
        asked.append(name)
asked = []
sys.meta_path.insert(0, Other())
sys.meta_path.insert(2, Other())
sys.path.insert(0, {str(REPOSITORY / "integrations")!r})
importlib.util.find_spec("kohakuboard_nothing")
print(hasattr(sys.meta_path[1], "is_kohakuboard_stub"), asked.count("kohakuboard_nothing"))
importlib.util.find_spec({framework!r})
print(*(type(finder).__name__ for finder in sys.meta_path[:3]), asked.count({framework!r}))
import _kohakuboard_hook
_kohakuboard_hook.install()
print(len(sys.meta_path), _kohakuboard_hook.is_installed())
"""
    expected = "True 2\nOther _Finder Other 2\n6 True\n"
    assert run_stub(code=code, cwd=tmp_path) == (expected, "")


def test_r58_the_switch_keeps_the_finder_out(tmp_path: Path) -> None:
    code = f"""
import importlib.util, sys
sys.path.insert(0, {str(REPOSITORY / "integrations")!r})
importlib.util.find_spec("accelerate")
print("_Finder" in [type(finder).__name__ for finder in sys.meta_path])
"""
    assert run_stub(code=code, cwd=tmp_path, KOHAKUBOARD_AUTOLOAD="off") == ("False\n", "")
    assert run_stub(code=code, cwd=tmp_path) == ("True\n", "")


def test_r58_the_switch_leaves_the_frameworks_as_they_are(installed: Path, program: Path) -> None:
    code = "from accelerate.tracking import LOGGER_TYPE_TO_CLASS as known; print('kohakuboard' in known)"
    assert run(installed / "python", "-c", code, cwd=program.parent, KOHAKUBOARD_AUTOLOAD="0") == "False\n"


def test_r58_an_adapter_that_is_broken_leaves_the_import_of_its_framework_whole(
    installed: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "kohakuboard_accelerate"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise SystemError('broken')")
    code = (
        "import accelerate, _kohakuboard_hook as hook; print(accelerate.Accelerator.__name__, hook.failures)"
    )
    told = run(installed / "python", "-c", code, cwd=tmp_path)
    assert told == "Accelerator {'accelerate.tracking': 'SystemError: broken'}\n"


def test_r59_r60_all_includes_us_only_when_it_is_asked_for(installed: Path, tmp_path: Path) -> None:
    code = """
import torch
from accelerate.tracking import filter_trackers
from transformers import Trainer, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks
trainer = Trainer(torch.nn.Linear(1, 1), TrainingArguments("out"))
names = [type(callback).__name__ for callback in trainer.callback_handler.callbacks]
print("DefaultFlowCallback" in names and "KohakuBoardCallback" not in names)
print("kohakuboard" in TrainingArguments("out", report_to="all").report_to)
print("kohakuboard" in filter_trackers("all", "."))
try:
    get_reporting_integration_callbacks(["nonsense"])
except ValueError as error:
    print("kohakuboard" in str(error))
"""
    assert run(installed / "python", "-c", code, cwd=tmp_path).split() == ["True"] * 4


def test_r57_a_command_of_kobo_run_finds_us_where_no_pth_file_is_run(tmp_path: Path) -> None:
    """As after `pip install --target`; whoever else has a sitecustomize keeps it."""
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    code = "from accelerate.tracking import LOGGER_TYPE_TO_CLASS as known; print('kohakuboard' in known)"
    repository = Path(__file__).parents[2]
    paths = [str(tmp_path), str(repository), str(repository / "integrations")]
    done = subprocess.run(
        [sys.executable, "-m", "kohakuboard", "run", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.stdout.split(), done.returncode) == (["theirs", "theirs", "True"], 0), done.stderr


# The finder itself


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a module that the hook waits for, and whose adapter notes that it was called."""
    name, adapter = "kohakuboard_test_target", "kohakuboard_test_adapter"
    (tmp_path / f"{name}.py").write_text("ready = 'yes'")
    (tmp_path / f"{adapter}.py").write_text("seen = []\ndef register(module): seen.append(module.ready)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hook, "TARGETS", {name: adapter})
    others = [
        finder
        for finder in sys.meta_path
        if type(finder).__name__ != "_Finder" and not hasattr(finder, "is_kohakuboard_stub")
    ]
    monkeypatch.setattr(sys, "meta_path", others)
    yield name
    sys.modules.pop(name, None)
    sys.modules.pop(adapter, None)


def seen() -> list[str]:
    adapter: ModuleType = importlib.import_module("kohakuboard_test_adapter")
    found: list[str] = adapter.seen
    return found


def test_r58_the_adapter_is_called_when_the_module_has_run_and_the_finder_leaves(target: str) -> None:
    before = list(sys.meta_path)
    hook.install()
    hook.install()
    assert len(sys.meta_path) == len(before) + 1
    importlib.import_module(target)
    assert (seen(), sys.meta_path) == (["yes"], before)


def test_r58_a_module_that_is_only_looked_for_is_still_waited_for(target: str) -> None:
    """Frameworks ask `find_spec` whether a package is there, long before they import it."""
    hook.install()
    assert importlib.util.find_spec(target) is not None
    importlib.import_module(target)
    assert seen() == ["yes"]


def test_r58_a_module_that_is_loaded_already_is_registered_at_once(target: str) -> None:
    importlib.import_module(target)
    before = list(sys.meta_path)
    hook.install()
    assert (seen(), sys.meta_path) == (["yes"], before)


def test_r58_a_module_in_a_zip_archive_is_followed_too(target: str, tmp_path: Path) -> None:
    archive = tmp_path / "packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(tmp_path / f"{target}.py", f"{target}.py")
        file.writestr("kohakuboard_test_other.py", "")
    (tmp_path / f"{target}.py").unlink()
    sys.path.insert(0, str(archive))
    try:
        hook.install()
        importlib.import_module("kohakuboard_test_other")
        importlib.import_module(target)
    finally:
        sys.path.remove(str(archive))
        sys.modules.pop("kohakuboard_test_other", None)
    assert seen() == ["yes"]


def test_r58_the_error_of_a_module_is_its_own(target: str, tmp_path: Path) -> None:
    (tmp_path / f"{target}.py").write_text("raise ZeroDivisionError")
    hook.install()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(target)
