"""Drafting: the user's policy and inventory as a history of frozen values."""

from collections.abc import Collection, Iterable, Mapping

from workbench import inventory as hosts
from workbench import policy as rules
from workbench.model.errors import FileChanged, InputError
from workbench.model.policy import (
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    Rule,
    Segment,
    ServiceGroup,
)
from workbench.model.simulation import Suggestion
from workbench.model.site import Host, Inventory
from workbench.model.text import plural
from workbench.session.history import Draft, History, Step
from workbench.session.workspace import Workspace


class Drafting:
    """Every edit makes a new draft; nothing reaches the disk before `save`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.saved = Draft(workspace.policy, workspace.inventory)
        """What is on disk, as far as we know."""
        self._history = History((Step(self.saved),))

    @property
    def present(self) -> Draft:
        return self._history.present.draft

    @property
    def past(self) -> Draft | None:
        """The draft before the last edit, None at the beginning."""
        past = self._history.past
        return past.draft if past else None

    @property
    def last_edit(self) -> str:
        """What the last edit was, in words; empty at the beginning."""
        return self._history.present.label

    @property
    def policy(self) -> Policy:
        return self.present.policy

    @property
    def inventory(self) -> Inventory:
        return self.present.inventory

    @property
    def changed(self) -> bool:
        """Whether `save` would write anything."""
        return self.present != self.saved

    # ── rules ──────────────────────────────────────────────────────────────────────────────

    def put_rule(self, rule: Rule, *, replaces: str | None = None) -> None:
        """Add a rule, or put it in the place of another. Raises PolicyError."""
        label = f"rule {rule.id} {'edited' if replaces else 'added'}"
        self._policy(rules.put_rule(self.policy, rule, replaces=replaces), label)

    def remove_rule(self, rule_id: str) -> None:
        self._policy(rules.remove_rule(self.policy, rule_id), f"rule {rule_id} removed")

    def duplicate_rule(self, rule_id: str) -> str:
        """Copy a rule behind itself; the id of the copy."""
        edited = rules.duplicate_rule(self.policy, rule_id)
        [copy] = {rule.id for rule in edited.rules} - {rule.id for rule in self.policy.rules}
        self._policy(edited, f"rule {rule_id} duplicated")
        return copy

    def accept(self, suggestion: Suggestion, rule_ids: Collection[str]) -> None:
        """Take these proposed rules, and the segments and protections they came with.

        Raises InputError when the draft is another one by now: its edits would be lost.
        """
        if self.policy is not suggestion.of:
            raise InputError("the draft was edited since: ask again")
        wanted = {proposal.rule.id for proposal in suggestion.proposals} & set(rule_ids)
        wanted_or_had = wanted | {rule.id for rule in self.policy.rules}
        kept = tuple(rule for rule in suggestion.policy.rules if rule.id in wanted_or_had)
        used = {name for rule in kept for name in (*rule.clients, *rule.servers)}
        had = {segment.name for segment in self.policy.segments}
        segments = tuple(one for one in suggestion.policy.segments if one.name in used | had)
        names = {segment.name for segment in segments}
        protect = tuple(one for one in suggestion.policy.protect if one.segment in names)
        edited = rules.replace_parts(
            suggestion.policy, rules=kept, segments=segments, protect=protect
        )
        self._policy(edited, f"{plural(len(wanted), 'proposed rule')} accepted")

    # ── the rest of the policy ─────────────────────────────────────────────────────────────

    def put_segment(self, segment: Segment, *, replaces: str | None = None) -> None:
        """Add, edit or rename a segment; a rename follows it into the rules."""
        edited = rules.put_segment(self.policy, segment, replaces=replaces)
        self._policy(edited, f"segment {segment.name} {'edited' if replaces else 'added'}")

    def remove_segment(self, name: str) -> None:
        self._policy(rules.remove_segment(self.policy, name), f"segment {name} removed")

    def put_protection(self, protection: Protection) -> None:
        edited = rules.put_protection(self.policy, protection)
        self._policy(edited, f"segment {protection.segment} protected")

    def remove_protection(self, segment: str) -> None:
        edited = rules.remove_protection(self.policy, segment)
        self._policy(edited, f"segment {segment} no longer protected")

    def put_services(self, group: ServiceGroup, *, replaces: str | None = None) -> None:
        edited = rules.put_services(self.policy, group, replaces=replaces)
        self._policy(edited, f"service {group.name} {'edited' if replaces else 'added'}")

    def remove_services(self, name: str) -> None:
        self._policy(rules.remove_services(self.policy, name), f"service {name} removed")

    def put_guardrail(self, guardrail: Guardrail, *, replaces: str | None = None) -> None:
        edited = rules.put_guardrail(self.policy, guardrail, replaces=replaces)
        self._policy(edited, f"guardrail {guardrail.id} {'edited' if replaces else 'added'}")

    def put_guardrails(self, guardrails: Iterable[Guardrail], label: str) -> None:
        """Add several as one edit. Raises PolicyError."""
        edited = self.policy
        for guardrail in guardrails:
            edited = rules.put_guardrail(edited, guardrail)
        self._policy(edited, label)

    def remove_guardrail(self, guardrail_id: str) -> None:
        edited = rules.remove_guardrail(self.policy, guardrail_id)
        self._policy(edited, f"guardrail {guardrail_id} removed")

    def put_exclusion(self, exclusion: Exclusion, *, replaces: str | None = None) -> None:
        edited = rules.put_exclusion(self.policy, exclusion, replaces=replaces)
        self._policy(edited, f"exclusion {exclusion.id} {'edited' if replaces else 'added'}")

    def remove_exclusion(self, exclusion_id: str) -> None:
        edited = rules.remove_exclusion(self.policy, exclusion_id)
        self._policy(edited, f"exclusion {exclusion_id} removed")

    def put_policy_text(self, text: str, source: str = "policy") -> None:
        """Replace the whole policy by YAML. Raises PolicyError with the line."""
        self._policy(rules.load_policy(text, source), f"policy read from {source}")

    def put_policy(self, policy: Policy, label: str) -> None:
        """A whole policy, checked already, as one edit."""
        self._policy(policy, label)

    def policy_text(self) -> str:
        """The draft as YAML."""
        return rules.dump_policy(self.policy)

    # ── hosts ──────────────────────────────────────────────────────────────────────────────

    def label_hosts(self, addresses: Collection[int], labels: Mapping[str, str | None]) -> None:
        """Set labels on hosts; None takes a label away."""
        edited = hosts.set_labels(self.inventory, addresses, labels)
        told = ", ".join(
            key if value is None else f"{key}={value}" for key, value in labels.items()
        )
        count = len({edited.by_address[address].name for address in addresses})
        self._inventory(edited, f"{told} on {plural(count, 'host')}")

    def rename_host(self, address: int, name: str) -> None:
        known = self.inventory.by_address.get(address)
        if any(host.name == name and host is not known for host in self.inventory.hosts):
            raise InputError(f"another host is called {name!r} already")
        edited = hosts.rename_host(self.inventory, address, name)
        self._inventory(edited, f"host named {name}")

    def merge_hosts(self, found: tuple[Host, ...], source: str) -> None:
        """Take in hosts that were imported from elsewhere."""
        self._inventory(
            hosts.merge(self.inventory, found), f"{plural(len(found), 'host')} from {source}"
        )

    # ── history ────────────────────────────────────────────────────────────────────────────

    def undo(self) -> str | None:
        """Step back; what was undone in words, None when there is nothing."""
        was = self._history
        if was.past is None:
            return None
        self._history = History(was.steps, was.at - 1)
        return was.present.label

    def redo(self) -> str | None:
        """Step forward; what was redone in words, None when there is nothing."""
        was = self._history
        if was.future is None:
            return None
        self._history = History(was.steps, was.at + 1)
        return was.future.label

    def save(self) -> None:
        """Write the draft. Raises FileChanged, and writes nothing, if the files moved under us."""
        if self._workspace.changed_on_disk:
            raise FileChanged(
                f"{self._workspace.folder}: policy.yaml or inventory.yaml changed on disk since "
                "they were read; nothing was saved. Reload from disk (ctrl+p) takes theirs, and "
                "undo brings yours back"
            )
        self._workspace.save(self.policy, self.inventory)
        self.saved = self.present

    def reload(self) -> None:
        """Take what is on disk as a new draft; undo brings the old one back."""
        self._workspace.read()
        self.saved = Draft(self._workspace.policy, self._workspace.inventory)
        self._push(self.saved, "reloaded from disk")

    def _policy(self, edited: Policy, label: str) -> None:
        self._push(Draft(edited, self.inventory), label)

    def _inventory(self, edited: Inventory, label: str) -> None:
        self._push(Draft(self.policy, edited), label)

    def _push(self, draft: Draft, label: str) -> None:
        if draft != self.present:
            self._history = self._history.pushed(draft, label)
