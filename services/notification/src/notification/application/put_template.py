"""Use case: an author writes a new version of a template."""

from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Templates
from notification.domain.linter import SmsRules, must_be_sendable
from notification.domain.template import Template


@dataclass(frozen=True, slots=True)
class PutTemplate:
    templates: Templates
    sms_rules: SmsRules

    async def __call__(self, caller: Caller, draft: Template, *, request_key: str) -> Template:
        """Takes it in as a draft, and says which version it is; raises Invalid where it could never be sent."""
        draft.must_be_sound()
        for text in draft.texts.values():
            must_be_sendable(text.sms, self.sms_rules)
        return await self.templates.add(draft, caller, request_key)
