"""WhatsApp: what the app itself writes."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_whatsapp import LRM, read, write


def test_who_i_am(tmp_path: Path) -> None:
    # The name of a file can't hold all that a contact's name can.
    path = write(tmp_path, "WhatsApp Chat with A_B.txt", "1/13/20, 10:00 - A/B: x", "1/13/20, 10:01 - Me: y")
    assert read(path)[1][0].me == "Me"
    folder = tmp_path / "WhatsApp Chat - Eve"
    folder.mkdir()
    path = write(
        folder,
        "_chat.txt",
        f"[13/01/20, 10:00:00] Eve: {LRM}Messages and calls are end-to-end encrypted.",
        f"[13/01/20, 10:00:01] Tom: {LRM}You deleted this message.",
        "[13/01/20, 10:00:02] Eve: You deleted this message",
        "[13/01/20, 10:00:03] Eve: I saw it",
    )
    messages, files = read(path)
    assert (files[0].me, files[0].chat) == ("Tom", "Eve")
    assert [content for *_, content in messages] == ["You deleted this message", "I saw it"]
    # Two people who both deleted something say nothing about who made the export.
    path = write(
        tmp_path,
        "WhatsApp Chat with Family.txt",
        *(f"1/{day}/20, 10:00 - {name}: You deleted this message" for day, name in ((13, "Ann"), (14, "Bob"))),
        "1/15/20, 10:00 - Ann: x",
    )
    assert read(path)[1][0].me is None


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("<Multimedia omitido>", ""),
        ("<Médias omis>", ""),
        ("<Media omessi>\nil menù", "il menù"),
        ("imagen omitida", ""),
        ("Dit bericht is verwijderd", ""),
        ("Данное сообщение удалено", ""),
        ("نص <تم تعديل هذه الرسالة>", "نص"),
        ("あとで <このメッセージは編集されました>", "あとで"),
        ("나중에 <이 메시지는 수정되었습니다.>", "나중에"),
        ("以后 <此消息已编辑>", "以后"),
        ("以後 <已編輯此訊息>", "以後"),
        ("बाद में <इस मैसेज को एडिट किया गया>", "बाद में"),
        ("تم حذف هذه الرسالة", ""),
        ("STK-20200115-WA0001.webp (dosya ekli)", ""),
        ("AUD-20200115-WA0001.opus (in a language of the future)", ""),
        ("Ann Lee.vcf (bestand bijgevoegd)", ""),
        ("<attached: 00000012-PHOTO-2020-01-15-14-22-56.jpg>", ""),
        ("look <pièce jointe : 00000012-PHOTO-2020-01-15-14-22-56.jpg>", "look"),
        ("The Pub (12 High St): https://foursquare.com/v/4b0588", ""),
        ("This message was deleted by admin Ann.", ""),
        ("You received a view once message. For added privacy, you can only open it on your phone.", ""),
        ("@\u2068Bob\u2069 are you there?", "@Bob are you there?"),
        ("Missed voice call, Tap to call back", ""),
        ("<Videonotiz weggelassen>", ""),
        ("<Message à vue unique omis>", ""),
        ("Contract.pdf • 2 pages document omitted", ""),
        (" \u200eLocation: https://maps.google.com/?q=51.48,-0.09", ""),
        # The sentence about the timer is known, whatever the one before it says, and before 2023 it was another one.
        (
            "You turned on disappearing messages. All new messages will disappear from this chat 7 days after they're "
            "sent. Tap to change.",
            "",
        ),
        (
            "Ana activó los mensajes temporales. Los mensajes nuevos desaparecerán de este chat después de 7 días de "
            "haber sido enviados, a menos que se use la opción para conservarlos.",
            "",
        ),
        # One letter with a dot below as two characters, the other as one.
        ("মিডিয়া বাদ দেওয়া হয়েছে", ""),
        ("Apel vocal ratat", ""),
        ("Plan-B (file attached)\nPlan-B", ""),
        # What people write themselves stays.
        ("missed voice call from you, why?", "missed voice call from you, why?"),
        ("live location shared, see?", "live location shared, see?"),
        ("A turned off the light", "A turned off the light"),
        ("My phone turned off disappearing messages.", "My phone turned off disappearing messages."),
        ("View once video omitted ist nur ein Beispiel", "View once video omitted ist nur ein Beispiel"),
        ("<omitted>", "<omitted>"),
        ("a report <media omitted> as an example", "a report <media omitted> as an example"),
        ("thanks (file attached)", "thanks (file attached)"),
        ("ROADMAP:\nNext release\nITEM: Feature A", "ROADMAP:\nNext release\nITEM: Feature A"),
        ("\u200fمرحبا", "\u200fمرحبا"),
        ("report.pdf", "report.pdf"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("読んで <編集中>", "読んで <編集中>"),
        ("null and void", "null and void"),
        ("the media omitted it", "the media omitted it"),
        ("so: https://maps.google.com/?q=Paris", "so: https://maps.google.com/?q=Paris"),
        ("{Attachments} https://a.b/c", "{Attachments} https://a.b/c"),
        ("line\u2028separator\x0band\x85more", "line\u2028separator\x0band\x85more"),
    ],
)
def test_what_the_app_writes_is_left_out(tmp_path: Path, text: str, typed: str) -> None:
    path = write(tmp_path, "WhatsApp Chat with B.txt", f"1/13/20, 10:00 - A: {text}", "1/13/20, 10:01 - B: end")
    assert [content for *_, content in read(path)[0]] == [*([typed] if typed else []), "end"]


@dataclass
class Dialect:
    date: str
    """With every field that strftime knows, and {h} for the hour that counts to 12."""
    open: str
    close: str
    mark: str
    seconds: bool
    omitted: str
    deleted: str
    edited: str
    newline: str = "\n"


DIALECTS = [
    Dialect(
        "{m}/{d}/%y, {h}:%M\u202f%p",
        "",
        " - ",
        "",
        False,
        "<Media omitted>",
        "This message was deleted",
        "This message was edited",
    ),
    Dialect(
        "%d/%m/%Y, %H:%M",
        "",
        " - ",
        "",
        False,
        "<Multimedia omitido>",
        "Se eliminó este mensaje.",
        "Se editó este mensaje.",
    ),
    Dialect(
        "%d.%m.%y, %H:%M",
        "",
        " - ",
        "",
        False,
        "<Medien ausgeschlossen>",
        "Diese Nachricht wurde gelöscht.",
        "Diese Nachricht wurde bearbeitet.",
    ),
    Dialect(
        "%Y/%m/%d %H:%M",
        "",
        " - ",
        "",
        False,
        "<メディアなし>",
        "このメッセージは削除されました。",
        "This message was edited",
    ),
    Dialect(
        "[%d.%m.%y, %H:%M:%S",
        "",
        "] ",
        LRM,
        True,
        "Bild weggelassen",
        "Diese Nachricht wurde gelöscht.",
        "Diese Nachricht wurde bearbeitet",
        "\r\n",
    ),
    Dialect(
        "[%d/%m/%Y, %H.%M.%S",
        "",
        "] ",
        LRM,
        True,
        "gambar tidak disertakan",
        "Pesan ini dihapus.",
        "Pesan ini diedit",
        "\r\n",
    ),
    Dialect(
        "[{m}/{d}/%y, {h}:%M:%S %p",
        "",
        "] ",
        LRM,
        True,
        "words of no language at all",
        "gone and away",
        "other words",
        "\r\n",
    ),
]

# An app's user can't type what ends a line or what only an app writes.
letters = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u200e\u200f\u2068\u2069")

in_names = letters.filter(lambda letter: letter not in '"“”„«»「」『』\u00a0\u202f\ufeff\u202a\u202b\u202c\u202d\u202e')

names = st.text(in_names, min_size=1, max_size=12).filter(
    lambda name: name == name.strip() and ": " not in name and name[0] != "~" and name[-1] != ":"
)

words = st.text(st.one_of(letters, st.sampled_from("\n :<>-[]/,.0123456789")), min_size=1, max_size=60)

kinds = st.sampled_from(["text"] * 6 + ["omitted", "deleted", "edited"])


def is_typed(text: str) -> bool:
    """Whether a person could have sent this and the export shows it as it is: apps trim what is sent."""
    return text == text.strip() and bool(text) and text != "null" and not text.endswith((">", ")"))


@st.composite
def chats(draw: st.DrawFn) -> tuple[Dialect, list[tuple[datetime, str, str, str]]]:
    dialect = draw(st.sampled_from(DIALECTS))
    people = draw(st.lists(names, min_size=2, max_size=4, unique_by=lambda name: name.casefold()))
    time = datetime(2021, 12, 25, 10, 0)
    messages = []
    for kind, text, step in draw(
        st.lists(st.tuples(kinds, words.filter(is_typed), st.integers(0, 200_000)), min_size=1, max_size=12)
    ):
        time += timedelta(seconds=step)
        messages.append((time, draw(st.sampled_from(people)), kind, text))
    return dialect, messages


def written(dialect: Dialect, messages: list[tuple[datetime, str, str, str]]) -> str:
    lines = []
    for time, author, kind, text in messages:
        date = time.strftime(dialect.date).format(m=time.month, d=time.day, h=time.hour % 12 or 12)
        lead = dialect.mark if kind == "omitted" else ""
        body = {
            "text": text,
            "omitted": dialect.mark + dialect.omitted,
            "deleted": dialect.mark + dialect.deleted,
            "edited": f"{text} {dialect.mark}<{dialect.edited}>",
        }[kind]
        lines.append(f"{lead}{date}{dialect.close}{author}: {body}")
    return dialect.newline.join(lines) + dialect.newline


def test_a_mark_in_another_line_than_the_first(tmp_path: Path) -> None:
    path = tmp_path / "WhatsApp Chat with Somebody.txt"
    path.write_bytes(f"[12/25/21, 10:00:00 AM] ana: one\r\ntwo {LRM}<other words>\r\n".encode())
    found, _ = read(path)
    assert [text for *_, text in found] == ["one\ntwo"]


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(chat=chats())
def test_any_chat_comes_back_message_for_message(
    tmp_path_factory: pytest.TempPathFactory, chat: tuple[Dialect, list[tuple[datetime, str, str, str]]]
) -> None:
    dialect, messages = chat
    folder = tmp_path_factory.mktemp("chat")
    path = folder / "WhatsApp Chat with Somebody.txt"
    path.write_bytes(written(dialect, messages).encode())
    order = "mdy" if "{m}" in dialect.date else "ymd" if "%Y/" in dialect.date else "dmy"
    found, files = read(path, date_order=order)
    shutil.rmtree(folder)
    expected = [
        (
            "Somebody",
            (time if dialect.seconds else time.replace(second=0)).isoformat(),
            author,
            text,
        )
        for time, author, kind, text in messages
        if kind in ("text", "edited")
    ]
    assert found == expected
    assert files[0].messages == len(messages)
