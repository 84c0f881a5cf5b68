"""Use case: what a template would say."""

from collections.abc import Mapping
from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Templates
from notification.application.templates import readable
from notification.domain.linter import SmsReport, SmsRules, lint
from notification.domain.template import Rendered


@dataclass(frozen=True, slots=True)
class PreviewTemplate:
    templates: Templates
    sms_rules: SmsRules

    async def __call__(
        self, caller: Caller, name: str, version: int, values: Mapping[str, str], locale: str
    ) -> tuple[Rendered, SmsReport]:
        """What it says, and what its SMS takes; raises NotFound, and Invalid for a value that is none."""
        template = await readable(self.templates, caller.entity_id, name, version)
        said = template.render(values, locale)
        return said, lint(said.sms, self.sms_rules)
