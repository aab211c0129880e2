"""Exporting: preview, write, read back, prove."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workbench import analysis, export, policy, verify
from workbench.model.errors import InputError
from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Check, Rendered, Verification
from workbench.model.text import and_more
from workbench.model.traffic import Stop, Tell
from workbench.session.exports import Exported, read_export, write_export
from workbench.session.site import Drafted


class Exporting:
    """The draft as files for other machines, and the proof that they mean the same."""

    def __init__(self, site: Drafted, folder: Path) -> None:
        self._site = site
        self._folder = folder

    def targets(self) -> Mapping[str, str]:
        """Target name → one line about it."""
        return {name: target.description for name, target in export.EXPORTERS.items()}

    def default_folder(self, target: str) -> Path:
        """Where the TUI writes: one folder a target, inside the workspace."""
        return self._folder / target

    def preview(self, target: str, only: tuple[str, ...] = ()) -> Rendered:
        """The files as they would be written. Raises InputError, UnsupportedPolicy."""
        resolved = self._restricted(only)
        rendered = export.render(target, resolved, self._site.inventory)
        return replace(rendered, notes=(*self._warnings(resolved), *rendered.notes))

    def _warnings(self, resolved: ResolvedPolicy) -> Iterator[str]:
        """What the draft promises and no exported file can keep."""
        whole = self._site.policy
        here = {rule.id for rule in resolved.rules}
        ending = [
            f"{rule.id} ({rule.expires})"
            for rule in whole.rules
            if rule.id in here and rule.expires
        ]
        if ending:
            yield (
                f"{and_more(ending, 5)}: the last day ends a rule in the policy, not in the files;"
                " export again after it."
            )
        broken = [one.id for one in analysis.check(self._site.resolve(whole))]
        if broken:
            yield f"The draft breaks {and_more(broken, 5)}: see workbench check."

    def write(
        self, target: str, folder: Path | None = None, only: tuple[str, ...] = ()
    ) -> tuple[Path, ...]:
        """Render and write; the paths written, the manifest last."""
        return self.put(self.preview(target, only), folder or self.default_folder(target), only)

    def put(self, rendered: Rendered, folder: Path, only: tuple[str, ...] = ()) -> tuple[Path, ...]:
        """Write what was previewed; the paths written, the manifest last."""
        return write_export(rendered, folder, only)

    def last(self, target: str) -> Mapping[str, str]:
        """The files last written to the default folder; empty when there are none."""
        try:
            return read_export(self.default_folder(target)).files
        except InputError:
            return {}

    def check(
        self,
        rendered: Rendered,
        only: tuple[str, ...] = (),
        *,
        kernel: bool = True,
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> Verification:
        """Judge files that are not written yet."""
        return verify.verify(
            rendered.target,
            rendered.files,
            self._restricted(only),
            self._site.table,
            self._site.inventory,
            policy.decide,
            kernel=kernel,
            progress=progress,
            cancelled=cancelled,
        )

    def verify(
        self,
        folder: Path,
        *,
        kernel: bool = True,
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> tuple[Verification, tuple[str, ...]]:
        """Judge a folder against the draft; also the files edited since they were written."""
        found = read_export(folder)
        rendered = Rendered(found.target, found.files)
        certificate = self.check(
            rendered, found.only, kernel=kernel, progress=progress, cancelled=cancelled
        )
        checks = (*certificate.checks, *_about(found))
        return replace(certificate, checks=checks), found.edited

    def _restricted(self, only: tuple[str, ...]) -> ResolvedPolicy:
        whole = self._site.policy
        return self._site.resolve(policy.restrict(whole, only) if only else whole)


def _about(found: Exported) -> Iterator[Check]:
    """What the folder itself leaves open."""
    if found.only:
        names = and_more(list(found.only), 5)
        yield Check("the whole policy", "not checked", f"these files protect only {names}")
    if found.strangers:
        names = and_more(list(found.strangers), 5)
        yield Check("nothing else in the folder", "failed", f"not of this export: {names}")
