"""What is done about the secrets in a publication: asked where a person sits, taken from options elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from carrel.cli.invocation import Invocation, is_interactive
from carrel.core.errors import Unprocessable
from carrel.sharing.secrets import Decision

_SHORTEST_ID = 6

FindingJson = Mapping[str, Any]


def place(finding: FindingJson) -> str:
    """Return where a finding is, in words; cells count from 1."""
    where = finding.get("file") or (f"cell {finding['cell'] + 1}" if finding.get("cell") is not None else "notebook")
    line = f", line {finding['line']}" if finding.get("line") else ""
    return f"{where}, {finding['where']}{line}"


def describe(finding: FindingJson) -> str:
    """Return a finding as a line; the value is masked."""
    guess = "" if finding["strong"] else " (a guess)"
    return f"{str(finding['id'])[:12]}  {finding['kind']}{guess}: {finding['masked']}  {place(finding)}"


class Decider:
    """Decides about findings.

    Parameters
    ----------
    redact_all : bool
        Take every finding out of the copy.
    allowed : sequence of str
        Ids, or beginnings of them, of findings that are no secrets.
    """

    def __init__(self, invocation: Invocation, *, redact_all: bool, allowed: Sequence[str]) -> None:
        short = [text for text in allowed if len(text) < _SHORTEST_ID]
        if short:
            raise click.UsageError(f"{short[0]!r} is too short for the id of a finding: give at least {_SHORTEST_ID} characters.")
        self._invocation = invocation
        self._redact_all = redact_all
        self._unused = set(allowed)
        self._allowed = tuple(allowed)
        self.decisions: dict[str, str] = {}
        self.findings: dict[str, FindingJson] = {}

    def decide(self, findings: Sequence[FindingJson]) -> None:
        """Decide about *findings*.

        Raises
        ------
        carrel.core.errors.Unprocessable
            Somebody has to decide, and nobody can be asked.
        """
        open_ = []
        for finding in findings:
            identity = str(finding["id"])
            self.findings[identity] = finding
            if identity in self.decisions:
                continue
            matching = {text for text in self._allowed if identity.startswith(text)}
            self._unused -= matching
            if matching:
                self.decisions[identity] = Decision.NOT_SECRET.value
            elif self._redact_all:
                self.decisions[identity] = Decision.REDACT.value
            else:
                open_.append(finding)
        if not open_:
            return
        if is_interactive() and not self._invocation.as_json:
            for finding in open_:
                self._ask(finding)
            return
        sure = [finding for finding in open_ if finding["strong"]]
        for finding in open_:
            click.echo("  " + describe(finding), err=True)
        if sure:
            raise Unprocessable(
                f"The notebook holds what looks like {len(sure)} secret{'' if len(sure) == 1 else 's'}, and nothing was published. Add "
                "--redact-all to take them out of the published copy, or --allow ID for what is no secret. A key that was printed should "
                "be revoked.",
                code="secrets_undecided",
                findings=[dict(finding) for finding in sure],
            )
        self._invocation.warn("These guesses are taken out of the published copy. --allow ID keeps one.")
        self.decisions |= {str(finding["id"]): Decision.REDACT.value for finding in open_ if not finding.get("file")}

    def _ask(self, finding: FindingJson) -> None:
        click.echo("\n" + describe(finding), err=True)
        choices = {"r": Decision.REDACT, "n": Decision.NOT_SECRET}
        question = "[r]edact it in the published copy, [n]ot a secret, or [c]ancel"
        if finding["where"] == "output":
            choices["o"] = Decision.REMOVE_OUTPUT
            question = "[r]edact it in the published copy, remove this [o]utput, [n]ot a secret, or [c]ancel"
        answer = click.prompt(question, type=click.Choice([*choices, "c"]), default="r", show_choices=False, err=True)
        if answer == "c":
            raise click.Abort
        self.decisions[str(finding["id"])] = choices[answer].value

    def warn_of_unused(self) -> None:
        """Tell of ids that no finding has."""
        for text in sorted(self._unused):
            self._invocation.warn(f"No finding has the id {text!r}.")

    def to_json(self) -> list[dict[str, Any]]:
        """Return the findings with what was decided; the values are masked."""
        return [{**finding, "decision": self.decisions.get(identity)} for identity, finding in self.findings.items()]
