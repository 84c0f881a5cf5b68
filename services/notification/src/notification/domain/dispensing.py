"""The dispensing notice: a citizen hears that a prescription of theirs was dispensed, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from errors import Invalid

from notification.domain import gsm7, telephone
from notification.domain.prescription import Lengths, must_have_digits
from notification.domain.texts import Message, in_locale
from notification.domain.vocabulary import Channel

_SMS: Final = {
    "pt": "A sua receita terminada em {last} foi dispensada: {pharmacy}. Se não a levantou, ligue 808 24 24 24.",
    "en": "Your prescription ending in {last} was dispensed: {pharmacy}. If it was not you, call 808 24 24 24.",
}
_LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class Dispensing:
    """What a pharmacy's service tells; of the number only its end is said."""

    number: str = field(repr=False)
    mobile: str = field(repr=False)
    pharmacy: str
    locale: str
    kind = "dispensing"

    def must_be_sendable(self, lengths: Lengths) -> None:
        """Raises Invalid, by the reason, where a part cannot be right."""
        must_have_digits(self.number, lengths.number, "PRESCRIPTION_NUMBER")
        telephone.must_be_mobile(self.mobile)
        if not self.pharmacy.strip() or not self.pharmacy.isprintable() or len(self.pharmacy) > _LONGEST_NAME:
            raise Invalid("a pharmacy's name has up to 60 characters in one line", reason="PHARMACY_MALFORMED")

    def messages(self) -> Mapping[Channel, Message]:
        said = in_locale(_SMS, self.locale).format(last=self.number[-4:], pharmacy=self.pharmacy.strip())
        return {Channel.SMS: Message(to=self.mobile, subject="", text=gsm7.one_segment(said))}
