"""The paperless prescription: its codes by SMS, the treatment guide by e-mail, and never both in one place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from errors import Invalid

from notification.domain import gsm7, telephone
from notification.domain.texts import Message, in_locale
from notification.domain.vocabulary import Channel

_SMS: Final = {
    "pt": "Receita sem papel {number}. Acesso e dispensa: {access}. Direito de opção: {option}. "
    "Mostre esta mensagem na farmácia.",
    "en": "Paperless prescription {number}. Access: {access}. Option: {option}. Show this message at the pharmacy.",
}
_FILE: Final = "guia-de-tratamento.pdf"
_SUBJECT: Final = {"pt": "Guia de tratamento", "en": "Treatment guide"}
_GUIDE: Final = {
    "pt": "{guide}\n\nOs códigos para levantar os medicamentos seguem por SMS.\n",
    "en": "{guide}\n\nThe codes for the pharmacy come by SMS.\n",
}


@dataclass(frozen=True, slots=True)
class Lengths:
    """How many digits the parts of a prescription have."""

    number: int = 19
    access_code: int = 6
    option_code: int = 4


@dataclass(frozen=True, slots=True)
class Prescription:
    """What a prescriber sends to a citizen. Nothing of it shows in a traceback or a log."""

    number: str = field(repr=False)
    access_code: str = field(repr=False)
    option_code: str = field(repr=False)
    mobile: str = field(repr=False)
    # Empty: no e-mail is sent.
    email: str = field(repr=False)
    guide: str = field(repr=False)
    locale: str
    kind = "prescription"

    def must_be_sendable(self, lengths: Lengths) -> None:
        """Raises Invalid, by the reason, where a part cannot be right."""
        must_have_digits(self.number, lengths.number, "PRESCRIPTION_NUMBER")
        must_have_digits(self.access_code, lengths.access_code, "ACCESS_CODE")
        must_have_digits(self.option_code, lengths.option_code, "OPTION_CODE")
        telephone.must_be_mobile(self.mobile)
        if self.email and not self.guide.strip():
            raise Invalid("an e-mail needs a treatment guide", reason="GUIDE_BLANK")
        if not "".join(self.guide.split()).isprintable():
            raise Invalid("the treatment guide is plain text", reason="GUIDE_MALFORMED")
        # A mail may lie about for years: a guide with a code in it is refused, even by coincidence.
        for code in (self.number, self.access_code, self.option_code):
            if re.search(rf"(?<!\d){code}(?!\d)", self.guide):
                raise Invalid("the treatment guide contains a code of the prescription", reason="GUIDE_HOLDS_CODE")

    def messages(self) -> Mapping[Channel, Message]:
        """What goes out on which channel."""
        mail = {Channel.EMAIL: self.mail()} if self.email else {}
        return {Channel.SMS: self.sms(), **mail}

    def sms(self) -> Message:
        """The codes and nothing about medicines, in one segment of GSM-7."""
        text = gsm7.one_segment(
            in_locale(_SMS, self.locale).format(number=self.number, access=self.access_code, option=self.option_code)
        )
        return Message(to=self.mobile, subject="", text=text)

    def mail(self) -> Message:
        """The treatment guide, without the codes."""
        return Message(
            to=self.email,
            subject=in_locale(_SUBJECT, self.locale),
            text=in_locale(_GUIDE, self.locale).format(guide=self.guide.strip()),
            pdf=_FILE,
        )


def must_have_digits(value: str, digits: int, what: str) -> None:
    """Raises Invalid where a value has not so many digits and nothing else; it is not shown."""
    if not (value.isascii() and value.isdigit() and len(value) == digits):
        name = what.lower().replace("_", " ")
        raise Invalid(f"the {name} has {digits} digits", reason=f"{what}_MALFORMED")
