from email import message_from_bytes
from email.policy import SMTP

from hypothesis import given
from hypothesis import strategies as st
from notification.adapters.mail import as_rfc5322
from notification.domain import texts
from notification.domain.texts import Message, Submission
from notification.domain.vocabulary import Lane, Topic

printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=200)


@given(printable, printable)
def test_whatever_the_title_the_mail_is_sound_and_says_what_was_meant(title, text):
    raw = as_rfc5322(
        Message(to="ana@e01.test", subject=title, text=text),
        Submission("n1.email", "n1", Topic.DOCUMENT, Lane.TRANSACTIONAL),
        sender="no-reply@rossio.test",
    )
    assert b"\x00" not in raw
    assert raw.count(b"\n") == raw.count(b"\r") == raw.count(b"\r\n")
    mail = message_from_bytes(raw, policy=SMTP)
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Message-ID", "Auto-Submitted", "Rossio-Topic", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"].addresses[0].addr_spec == "ana@e01.test"
    assert mail.get_content().split() == text.split()


def test_an_internationalised_address_stays_one():
    raw = as_rfc5322(
        Message(to="josé@saúde.test", subject="Guia", text="x"),
        Submission("n1.email", "n1", Topic.PRESCRIPTION, Lane.TRANSACTIONAL),
        sender="no-reply@rossio.test",
    )
    assert "\r\nTo: josé@saúde.test\r\n".encode() in raw


def test_texts_are_in_the_reader_s_language_or_portuguese():
    titles = texts.document_shared("Escala.pdf")
    assert texts.in_locale(titles, "en-GB") == "Shared with you: Escala.pdf"
    assert texts.in_locale(titles, "") == texts.in_locale(titles, "fr") == "Foi partilhado consigo: Escala.pdf"
    assert texts.as_mail("a@b", "T", "en").text.startswith("T\n\nYou find")


def test_a_mail_that_may_be_ended_says_how_and_has_both_forms():
    message = Message(to="a@e01.test", subject="Consulta", text="Olá", html="<p>Olá</p>")
    submission = Submission("n1.email", "n1", Topic.SERVICE, Lane.BULK, unsubscribe="https://r.test/unsubscribe/n1.x")
    mail = message_from_bytes(as_rfc5322(message, submission, sender="no-reply@rossio.test"), policy=SMTP)
    assert mail["List-Unsubscribe"] == "<https://r.test/unsubscribe/n1.x>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
