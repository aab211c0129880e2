"""Files for other machines: preview, difference to the last export, proof, and then the pen."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import InputError, WorkbenchError
from workbench.model.rendered import Rendered, Verification
from workbench.model.simulation import Simulation
from workbench.model.text import plural
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.base import WorkScreen
from workbench.tui.screens.only import Only, OnlyScreen, advised
from workbench.tui.widgets.codeview import CodeView

Parts = list[tuple[str, str]]


class ExportScreen(WorkScreen):
    """Target and certificate on the left, text on the right; w writes once the proof is green."""

    TAB = "export"
    AUTO_FOCUS = "CodeView"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "target", "target", id="export.target", tooltip="nftables, Kubernetes, …"),
        Binding("o", "only", "only", id="export.only",
                tooltip="Protect only some segments in this export"),
        Binding("tab", "file(1)", "next file", id="export.file", tooltip="When there are several"),
        Binding("d", "diff", "diff", id="export.diff", tooltip="Against the last export"),
        Binding("v", "verify", "verify", id="export.verify",
                tooltip="Read the files back and judge all traffic by them"),
        Binding("w", "write", "write", id="export.write",
                tooltip="Into the workspace's exports folder; only when proven"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._targets: tuple[tuple[str, str], ...] = ()
        self._at = 0
        self._file = 0
        self._only: Only = ()
        self._diff = False
        self._rendered: Rendered | None = None
        self._of: tuple[str, Only, Simulation | None] = ("", (), None)
        """Target, segments and judged traffic that the files are of."""
        self._last: Mapping[str, str] = {}
        self._refusal = ""
        self._certificate: Verification | None = None
        self._folder = ""
        """Where these very files were written."""

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="export-row"):
            with VerticalScroll(id="export-side"):
                yield Static(id="export-text")
            with Vertical(id="export-main"):
                yield CodeView(id="code")

    # ── loading ────────────────────────────────────────────────────────────────────────────

    def load(self) -> None:
        session = self.opened
        if self._targets:
            self._preview()
        else:
            self.ask("preview", lambda: session.exports.targets(), self._know)

    def _know(self, targets: Mapping[str, str]) -> None:
        self._targets = tuple(targets.items())
        self._preview()

    def _preview(self) -> None:
        session, target, only = self.opened, self._targets[self._at][0], self._only

        def question() -> tuple[Rendered, Mapping[str, str], Simulation]:
            now = session.simulation
            return session.exports.preview(target, only), session.exports.last(target), now

        self.ask("preview", question, self._show, self._refuse)

    def _show(self, answer: tuple[Rendered, Mapping[str, str], Simulation]) -> None:
        """What was proven stays so as long as files, draft and traffic are the same."""
        rendered, self._last, now = answer
        target, only, before = self._of
        same = (rendered.target, self._only) == (target, only) and now is before
        if not same or self._rendered is None or rendered.files != self._rendered.files:
            self._rendered, self._of = rendered, (rendered.target, self._only, now)
            self._certificate, self._folder = None, ""
        self._refusal = ""
        self._draw()

    def _refuse(self, error: WorkbenchError) -> None:
        self._rendered, self._refusal = None, str(error)
        self._certificate, self._folder = None, ""
        self._draw()

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def _draw(self) -> None:
        view, names = self.query_one(CodeView), self._names
        if not names or self._rendered is None:
            view.border_title = "nothing to show"
            view.show(())
        else:
            self._file %= len(names)
            name = names[self._file]
            new, old = self._rendered.files.get(name, ""), self._last.get(name, "")
            which = f"{name}  {self._file + 1}/{len(names)}"
            view.border_title = Content(
                f"{which}  changes since the last export" if self._diff else which
            )
            if self._diff:
                view.show(diff(old, new), diff=True)
            else:
                view.show(new.splitlines())
        spans = ((text, CLASS_STYLES[tone]) for text, tone in self._side())
        self.query_one("#export-text", Static).update(Content.assemble(*spans))
        self.refresh_bindings()

    @property
    def _names(self) -> tuple[str, ...]:
        if self._rendered is None:
            return ()
        return tuple(self._rendered.files)

    def _side(self) -> Parts:
        parts: Parts = [("target\n", "dim")]
        for at, (name, told) in enumerate(self._targets):
            here = at == self._at
            parts.append((f"{'▶' if here else ' '} {name}\n", "accent" if here else ""))
            if here:
                parts.append((f"  {told}\n", "dim"))
        if self._only:
            parts += [("\nonly\n", "dim"), (f"{' '.join(self._only)}\n", "warn")]
        if self._refusal:
            why, _, part = self._refusal.partition("; export with --only ")
            parts += [("\nrefused\n", "blocked"), (f"{why}\n", "")]
            if part:
                parts.append((f"\npress o to export only {part.replace(',', ', ')}\n", "accent"))
            return parts
        parts += [("\nproof\n", "dim"), *certificate_parts(self._certificate)]
        if self._folder:
            parts.append((f"✓ written to {self._folder}\n", "allowed"))
        elif self._certificate and self._certificate.proven:
            parts.append(("press w to write\n", "accent"))
        if self._rendered and self._rendered.notes:
            parts.append(("\nworth knowing\n", "dim"))
            parts += [(f"– {note}\n", "") for note in self._rendered.notes]
        return parts

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`next file` where there are several."""
        return super().check_action(action, parameters) and (
            action != "file" or len(self._names) > 1
        )

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def action_target(self) -> None:
        if self._targets:
            self._at, self._file, self._only = (self._at + 1) % len(self._targets), 0, ()
            self.load()

    def action_only(self) -> None:
        names = [one.segment for one in self.opened.policy.protect]

        def chosen(only: Only) -> None:
            self._only = only
            self.load()

        self.deeper(OnlyScreen(self._only or advised(self._refusal), names, chosen))

    def action_file(self, by: int) -> None:
        self._file += by
        self._draw()

    def action_diff(self) -> None:
        self._diff = not self._diff
        self._draw()

    def action_verify(self) -> None:
        rendered, session, only = self._rendered, self.opened, self._only
        if rendered is None:
            self.notify("nothing to verify: o exports a part, t another target", markup=False)
            return

        def done(found: Verification) -> None:
            if rendered is self._rendered:
                self._certificate = found
                self._draw()
            else:
                self.notify("verified what was shown before: v verifies this", markup=False)

        self.bench.long_work(
            lambda tell, stopped: session.exports.check(
                rendered, only, progress=tell, cancelled=stopped
            ),
            done,
        )

    def action_write(self) -> None:
        session, proven, found, only = self.opened, self._rendered, self._certificate, self._only
        if found is None or proven is None:
            told = (
                "nothing to write" if proven is None else "not proven yet: v verifies these files"
            )
            self.notify(told, markup=False)
            return
        if not found.proven:
            self.notify("not written: the files and the policy differ", severity="error")
            return

        def write() -> tuple[Path, ...]:
            rendered = session.exports.preview(proven.target, only)
            if rendered.files != proven.files:
                raise InputError("the draft has changed since the proof: v verifies it again")
            folder = session.exports.default_folder(proven.target)
            return session.exports.put(rendered, folder, only)

        self.ask("write", write, self._written)

    def _written(self, paths: tuple[Path, ...]) -> None:
        self._folder = str(paths[0].parent)
        self.notify(f"wrote {plural(len(paths), 'file')}", markup=False)
        self._last = self._rendered.files if self._rendered else {}
        self._draw()


def diff(old: str, new: str) -> list[str]:
    """Unified, without the header; a line that says so when nothing differs."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    return lines or ["  no difference to the last export"]


def certificate_parts(found: Verification | None) -> Parts:
    """What was judged, and every difference."""
    if found is None:
        return [("not verified: press v\n", "uncertain")]
    parts: Parts = [("✓ proven equal\n", "allowed") if found.proven else ("✗ differs\n", "blocked")]
    parts.append(
        (
            f"{plural(found.judged, 'conversation')} judged\n"
            f"{plural(found.probes, 'boundary probe')}\n",
            "",
        )
    )
    if found.skipped:
        parts.append((f"{found.skipped:,} skipped: never policy\n", "dim"))
    tones = {"passed": "allowed", "failed": "blocked"}
    for check in found.checks:
        parts.append((f"{check.name}: ", ""))
        parts.append((f"{check.state}", tones.get(check.state, "uncertain")))
        parts.append((f" {check.detail}\n" if check.detail else "\n", "dim"))
    for one in found.mismatches[:20]:
        parts.append((f"✗ {one.conversation}\n", "blocked"))
        parts.append((f"  policy {one.expected}, files {one.found}\n", ""))
    if len(found.mismatches) > 20:
        parts.append((f"… {len(found.mismatches) - 20:,} more\n", "dim"))
    return parts
