"""Trivy and Grype JSON: packages with known vulnerabilities in container images and file systems.

Trivy's report schema 2 and the list it wrote before, `trivy k8s`; Grype's `-o json`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.inventory.scanners import values
from workbench.model.errors import ScanError
from workbench.model.vulnerability import Found, Severity, Target

NAMELESS = "(nameless)"
_WORDS = {word.text: word for word in Severity} | {"negligible": Severity.LOW}
_TRIVY_SCORES = ("V40Score", "V3Score", "V2Score")


class Part:
    """A piece of the document that knows where it is, and complains when it is of another kind."""

    def __init__(self, value: Any, file: str, where: str = "") -> None:
        self.value = value
        self.file = file
        self.where = where

    def wrong(self, problem: str) -> ScanError:
        """The error to raise about this piece."""
        return ScanError(problem, file=self.file, where=self.where)

    def __getitem__(self, key: str) -> "Part":
        """A field of an object; nothing (None) where it is missing."""
        if self.value is not None and not isinstance(self.value, dict):
            raise self.wrong("expected an object")
        inside = self.value.get(key) if self.value else None
        return Part(inside, self.file, f"{self.where}.{key}".removeprefix("."))

    def items(self) -> Iterator["Part"]:
        """Items of a list; null is an empty one."""
        if self.value is not None and not isinstance(self.value, list):
            raise self.wrong("expected a list")
        for at, item in enumerate(self.value or ()):
            yield Part(item, self.file, f"{self.where}[{at}]")

    def entries(self) -> dict[str, "Part"]:
        """Fields of an object, by name; null is an empty one."""
        if self.value is not None and not isinstance(self.value, dict):
            raise self.wrong("expected an object")
        return {key: self[key] for key in self.value or ()}

    def line(self, limit: int = values.MAX_TITLE) -> str:
        """Text on one line; null is empty."""
        if self.value is not None and not isinstance(self.value, str):
            raise self.wrong("expected text")
        return values.line(self.value, limit)


def is_trivy(value: Any) -> bool:
    """A report of Trivy, by its keys."""
    if isinstance(value, list):
        return all(isinstance(one, dict) and "Target" in one for one in value) and bool(value)
    return isinstance(value, dict) and bool(
        {"SchemaVersion", "ArtifactName", "ClusterName"} & set(value)
    )


def is_grype(value: Any) -> bool:
    """A report of Grype, by its keys."""
    return isinstance(value, dict) and "matches" in value


def read_trivy(value: Any, file: str) -> Iterator[Found]:
    """Findings in file order. Raises ScanError."""
    report = Part(value, file)
    if isinstance(value, list):  # before schema 2
        for result in report.items():
            yield from _trivy_result(
                result, Target(image=_image(result["Target"].line()) or NAMELESS), None
            )
        return
    seen = values.moment(report["CreatedAt"].line())
    if "ClusterName" in value:
        for section in ("Resources", "Vulnerabilities", "Findings"):
            for one in report[section].items():
                target = Target(namespace=one["Namespace"].line(), workload=one["Name"].line())
                for result in one["Results"].items():
                    yield from _trivy_result(result, target, seen)
        return
    name = report["ArtifactName"].line() or NAMELESS
    of_image = report["ArtifactType"].line() in ("container_image", "")
    target = Target(image=name) if of_image else Target(values.address(name), (name,), name)
    for result in report["Results"].items():
        yield from _trivy_result(result, target, seen)


def _image(target: str) -> str:
    """`alpine:3.18 (alpine 3.18.2)` without what is told about it."""
    return target.partition(" (")[0]


def _trivy_result(result: Part, target: Target, seen: int | None) -> Iterator[Found]:
    for one in result["Vulnerabilities"].items():
        package = _Package(
            one["PkgName"].line(60), one["InstalledVersion"].line(40), one["FixedVersion"].line(80)
        )
        cvss = one["CVSS"].entries()
        best = one["SeveritySource"].line(40)
        sources = sorted(cvss, key=lambda name: (name != best, name != "nvd", name))
        number = values.first_score(
            cvss[source][key].value for source in sources for key in _TRIVY_SCORES
        )
        rating = values.rated(_WORDS.get(one["Severity"].line(20).lower()), number)
        title = one["Title"].line()
        yield _found(target, one["VulnerabilityID"], package, title, rating, seen=seen)


def read_grype(value: Any, file: str) -> Iterator[Found]:
    """Findings in file order. Raises ScanError."""
    report = Part(value, file)
    source = report["source"]
    target = _grype_target(source["type"].line(20), source["target"])
    seen = values.moment(report["descriptor"]["timestamp"].line(60))
    for match in report["matches"].items():
        one, artifact = match["vulnerability"], match["artifact"]
        ratings = [
            (rating["version"].line(10), rating["metrics"]["baseScore"].value)
            for rating in one["cvss"].items()
        ]
        number = values.first_score(score for _, score in sorted(ratings, key=_newest))
        rating = values.rated(_WORDS.get(one["severity"].line(20).lower()), number)
        fixed = ", ".join(version.line(40) for version in one["fix"]["versions"].items())
        name, version = artifact["name"].line(60), artifact["version"].line(40)
        package = _Package(name, version, fixed[:80])
        related = [other["id"].line(40) for other in match["relatedVulnerabilities"].items()]
        title = one["description"].line()
        yield _found(target, one["id"], package, title, rating, related, seen)


def _newest(rating: tuple[str, Any]) -> tuple[int, ...]:
    return tuple(-int(part) for part in rating[0].split(".") if part.isdecimal())


def _grype_target(kind: str, target: Part) -> Target:
    """An image; or a folder or host, which Grype names by its path."""
    told = target if isinstance(target.value, str) else target["userInput"]
    name = told.line() or NAMELESS  # lists of packages have no name
    return Target(image=name) if kind in ("image", "") else Target(names=(name,), image=name)


@dataclass(frozen=True, slots=True)
class _Package:
    """What is installed, and which version of it is better."""

    name: str
    version: str
    fixed: str


def _found(
    target: Target,
    told: Part,
    package: _Package,
    title: str,
    rating: tuple[float, Severity],
    related: Iterable[str] = (),
    seen: int | None = None,
) -> Found:
    name = told.line(40)
    if not name:
        raise told.wrong("needs an id")
    return Found(
        target,
        None,
        None,
        id=values.line(f"{name} {package.name}"),
        title=values.line(f"{package.name} {package.version}: {title or name}"),
        score=rating[0],
        severity=rating[1],
        cves=values.cves((name, *related)),
        fix=values.line(f"{package.name} {package.fixed}") if package.fixed else "",
        seen_us=seen,
    )
