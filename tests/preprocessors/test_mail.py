"""Email: every mailbox in mail/ gives what the .json beside it says, and so do written ones."""

import tracemalloc
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import examples
from export_cases import DAMAGE, NAMES, cases, check_case, check_damaged, error_of, read, text
from hypothesis import given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import Preprocessors
from selfchatbot.preprocessors.mail import Email
from selfchatbot.preprocessors.mail.text import unwrapped, written

EXPORTS = Path(__file__).parent / "mail"
FILES = sorted(EXPORTS.rglob("*.mbox"))
FIRST = "From - Mon Mar  4 20:00:00 2024\n"
START = datetime(2024, 3, 4, 20)


def mail(sender: str, to: str, body: str, minutes: int = 0, **headers: str) -> str:
    lines = {"From": sender, "To": to, "Date": format_datetime(START + timedelta(minutes=minutes)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in lines.items())
    return f"{FIRST}{head}\n{body}\n\n"


ASKED = mail("moss@b.example", "me@a.example", "secret?", Message_ID="<1@b>", Delivered_To="me@a.example")
ANSWERED = mail("me@a.example", "moss@b.example", "secret!", 300, Message_ID="<2@a>", In_Reply_To="<1@b>")


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_mailboxes_give_what_was_written(case: str) -> None:
    check_case(Email(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["email"] is Email
    assert all(Email.recognises(path, path.read_bytes()[:65536]) for path in FILES)
    assert not Email.recognises(Path("notes.txt"), b"From here on it was fun.\nSo: go")


def test_the_mailbox_of_apple_mail_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Sent.mbox").mkdir()
    (tmp_path / "Sent.mbox" / "mbox").write_text(ASKED + ANSWERED)
    (tmp_path / "Sent.mbox" / "table_of_contents").write_bytes(b"\0")
    assert len(read(Email(), tmp_path)[0]) == 2


@pytest.mark.parametrize("parameters", [{}, {"username": "me@a.example"}, {"username": "Me", "aliases": ("ME2@c.d",)}])
def test_i_am_one_person_with_several_addresses(tmp_path: Path, parameters: dict) -> None:
    other = mail("Me <me2@c.d>", "moss@b.example", "from home", 400, Message_ID="<3@c>", X_Gmail_Labels="Sent")
    named = ANSWERED.replace("From: me@a.example", "From: Me <me@a.example>")
    more = mail("moss@b.example", "me2@c.d", "fine", 401, Message_ID="<4@b>", Delivered_To="me2@c.d")
    (tmp_path / "a.mbox").write_text(ASKED + named + other + more)
    messages, files = read(reader := Email(**parameters), tmp_path)
    list(reader.read(tmp_path))
    mine = [one.content for one in messages if one.author == files[0].me]
    if parameters == {"username": "me@a.example"}:
        assert mine == ["secret!"]
    else:
        assert mine == ["secret!", "from home"]
        assert {one.chat for one in messages} == {"moss@b.example"}
    assert not parameters or reader.is_me("Me")


def test_who_never_got_mail_from_me_and_what_programs_send_is_left_out(tmp_path: Path) -> None:
    shop = mail("shop@c.example", "me@a.example", "buy", Delivered_To="me@a.example")
    away = mail("moss@b.example", "me@a.example", "I am away", 1, Auto_Submitted="auto-replied")
    (tmp_path / "a.mbox").write_text(ASKED + shop + away + ANSWERED)
    assert [one.content for one in read(Email(), tmp_path)[0]] == ["secret?", "secret!"]


def test_mail_in_two_mailboxes_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_text(ASKED + ANSWERED)
    (tmp_path / "b.mbox").write_text(ANSWERED)
    assert [(one.id, one.reply_to) for one in read(Email(), tmp_path)[0]] == [("<1@b>", None), ("<2@a>", "<1@b>")]


@pytest.mark.parametrize(
    ("body", "subject", "expected"),
    [
        ("yes\n\nAm 04.03.2024 um 12:20 schrieb Moss:\n> hi\n> you", "Re: x", "yes"),
        ("> hi\n\nyes\n\n> and?\nno", "x", "yes\n\nno"),
        ("I like these:\n> a", "x", "I like these:"),
        ("2024年3月4日(月) 12:20 Moss <m@b.c>:\n\n> hi\nはい", "x", "はい"),
        ("yes\n-- \nMe\nStreet 1", "x", "yes"),
        ("a -- b\n--\nc", "x", "a -- b\n--\nc"),
        ("ok\n\n-----Ursprüngliche Nachricht-----\nVon: A\nAn: B\nBetreff: Termin\n\nwann?", "AW: Termin", "ok"),
        ("ok\n\n*From:* A <a@b.c>\n*To:* B\n*Subject:* Date\n\nwhen?", "RE: Date", "ok"),
        ("plan:\nMonday: swim\nTuesday: run\nFriday: rest", "Sport", "plan:\nMonday: swim\nTuesday: run\nFriday: rest"),
        ("look\n\nBegin forwarded message:\n\nFrom: A\n\nx", "x", "look"),
        ("ok\n\nGet Outlook for iOS", "x", "ok"),
        ("ok\n\nSent from my iPhone\n\n> On 5 Mar 2024, at 10:00, Ana <a@b.c> wrote:\n> \n> when?", "x", "ok"),
        ("I was\nSent from my old school to the new one on Monday morning by the head.", "x", None),
    ],
)
def test_quotes_and_signatures_are_known_by_their_form(body: str, subject: str, expected: str | None) -> None:
    assert written(body, subject) == (body if expected is None else expected)
    assert written(body.replace("\n", "\r\n"), subject) == (body if expected is None else expected)


@pytest.mark.parametrize(
    "signature",
    [
        "Von meinem iPhone gesendet",
        "Gesendet von meinem Samsung Galaxy Smartphone.",
        "Envoyé de mon iPad",
        "Envoyé depuis mon smartphone Samsung Galaxy.",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Enviado do meu iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Verzonden vanaf mijn Galaxy",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone’a",
        "Wysłane z iPada",
        "Odesláno z iPhonu",
        "Отправлено с iPhone",
        "Надіслано з iPhone",
        "Trimis de pe iPhone-ul meu",
        "iPhone'umdan gönderildi",
        "iPad'imden gönderildi",
        "Đã gửi từ iPhone của tôi",
        "נשלח מה-iPhone שלי",
        "나의 iPhone에서 보냄",
        "iPhoneから送信",
        "发自我的iPhone",
        "發自我的 iPhone",
        "從我的 iPhone 傳送",
    ],
)
def test_what_a_phone_signs_with_is_left_out_in_its_language(signature: str) -> None:
    assert written(f"yes\n\n{signature}", "x") == "yes"
    assert written(f"yes\n\n{signature}\n\nOn 5 Mar 2024, Ana <a@b.c> wrote:\n> when?", "x") == "yes"
    assert written(signature, "x") == ""
    for typed in (f"yes,\n{signature}", f"yes\n\n{signature} und müde", f"yes\n\n{signature}\n\nMoss"):
        assert written(typed, "x") == typed


@pytest.mark.parametrize(
    "typed",
    [
        "Enviado desde mi pueblo",
        "Von meinem Vater gesendet",
        "Inviato da Ana",
        "Envoyé de mon iPhone tout neuf",
        f"iPhone{'-A' * 99}!",
    ],
)
def test_what_only_begins_like_a_signature_was_typed(typed: str) -> None:
    assert written(f"yes\n\n{typed}", "x") == f"yes\n\n{typed}"


def test_flowing_lines_are_one_line() -> None:
    assert unwrapped("a \nb\n c\n-- \nd", False) == "a b\nc\n-- \nd"
    assert unwrapped("a \nb", True) == "ab"
    assert unwrapped("> a \nb \n> c", False) == "> a \nb \n> c"


@settings(max_examples=examples(60))
@given(
    said=st.lists(st.tuples(st.booleans(), text("From here 10:00 2024", ">From a", "-- x")), min_size=1, max_size=6),
    name=NAMES,
)
def test_any_exchange_comes_back_mail_for_mail(said: list[tuple[bool, str]], name: str) -> None:
    written_mails, expected = [ANSWERED], []
    for number, (mine, typed) in enumerate(said):
        one = EmailMessage()
        # Quotes are tested above. Blanks at the end of lines mean nothing, and nobody types control characters.
        visible = "".join(character for character in typed if character.isprintable() or character == "\n")
        lines = [line.rstrip() for line in visible.split("\n") if not line.startswith(">")]
        body = "\n".join(lines).strip()
        if not body:
            continue
        one["From"], one["To"] = ("me@a.example", "moss@b.example") if mine else ("moss@b.example", "me@a.example")
        if not mine:
            one.replace_header("From", f'"{name}" <moss@b.example>')
            one["Delivered-To"] = "me@a.example"
        time = START + timedelta(hours=9 + number)
        one["Date"], one["Subject"], one["Message-ID"] = format_datetime(time), "Ünique", f"<x{number}@b>"
        one.set_content(body)
        written_mails.append(FIRST + one.as_bytes().decode().replace("\nFrom ", "\n>From ") + "\n")
        expected.append((time, mine, body))
    with TemporaryDirectory() as temporary:
        Path(temporary, "a.mbox").write_text("".join(written_mails), encoding="utf-8", newline="\n")
        messages, _ = read(Email(username="me@a.example"), Path(temporary))
    found = [(one.timestamp, one.author == "me@a.example", one.content) for one in messages][1:]
    assert found == expected


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(Email(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


@pytest.mark.parametrize("content", ["secret", "\n\nFrom me to you\n", "From: a@b.c\n\nsecret"])
def test_what_is_no_mailbox_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.mbox").write_text(content, encoding="utf-8")
    error = error_of(Email(), tmp_path)
    assert "a.mbox: no mbox" in error
    assert "secret" not in error


def test_memory_does_not_grow_with_files_in_the_mail(tmp_path: Path) -> None:
    line = "A" * 76 + "\n"
    parts = (
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="xyz"\n\n--xyz\nContent-Type: text/plain\n\nsee\n'
    )
    head = ANSWERED.partition("\n\n")[0]
    with (tmp_path / "a.mbox").open("w", encoding="utf-8") as file:
        file.write(ASKED)
        for _ in range(2):
            file.write(f"{head}\n{parts}--xyz\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n")
            file.writelines(line for _ in range(200_000))
            file.write("--xyz--\n\n")
    tracemalloc.start()
    try:
        assert [one.content for one in Email().read(tmp_path)] == ["secret?", "see"]
        assert tracemalloc.get_traced_memory()[1] < 12 * 2**20  # the file has 30 MiB
    finally:
        tracemalloc.stop()
