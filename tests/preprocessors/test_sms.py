"""SMS: every export in sms/ gives what the .json beside it says, and so does what hypothesis writes."""

import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import pytest
from conftest import examples
from export_cases import DAMAGE, cases, check_case, check_damaged, error_of, read, text
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfchatbot.preprocessors import ExportFile, Preprocessors
from selfchatbot.preprocessors.sms import SMS

EXPORTS = Path(__file__).parent / "sms"
FILES = sorted(EXPORTS.rglob("sms*.xml"))
PEOPLE = {"+4915112345678": "Anna", "5550001": "Jürgen (Arbeit)", "+819012345678": "花子 🦊", "AMAZON": ""}
"""Names by address; one is not in the address book."""
HEAD = "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n"
XML_TEXT = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn"))


@pytest.mark.parametrize("case", cases(EXPORTS))
def test_exports_give_what_was_typed(case: str) -> None:
    check_case(SMS(), EXPORTS, case)


def test_it_is_registered_and_recognises_its_own() -> None:
    assert Preprocessors["sms"] is SMS
    for path in FILES:
        assert SMS.recognises(path, path.read_bytes()[:65536]), path
    assert not SMS.recognises(Path("feed.xml"), b"<rss></rss>")


def test_i_am_known_before_the_first_message() -> None:
    files: list[ExportFile] = []
    next(SMS().read(EXPORTS / "english", files))
    assert files[0].me == "Me"


class Sent(NamedTuple):
    """A message: SMS with one other, or MMS with one or more."""

    seconds: int
    mine: bool
    others: tuple[str, ...]
    sender: int
    text: str
    mms: bool


SENT = st.builds(
    Sent,
    seconds=st.integers(1, 10**6),
    mine=st.booleans(),
    others=st.lists(st.sampled_from(sorted(PEOPLE)), min_size=1, max_size=3, unique=True).map(tuple),
    sender=st.integers(0, 2),
    # The app itself writes null where there is no text.
    text=text('say data="x"', "a < b & c > d", "&#55357;", "it's null", "😀👍🏽", alphabet=XML_TEXT).filter(
        lambda written: written != "null"
    ),
    mms=st.booleans(),
)


def attribute(value: str) -> str:
    """In quotes; what is beyond 16 bits as the numbers of two surrogates, as the app does, and line ends as numbers."""
    halves = []
    for character in quoteattr(value, {"\n": "&#10;", "\t": "&#9;"}):
        units = character.encode("utf-16-be")
        if len(units) == 4:
            halves += [f"&#{int.from_bytes(units[:2], 'big')};", f"&#{int.from_bytes(units[2:], 'big')};"]
        else:
            halves.append(character)
    return "".join(halves)


def element(sent: Sent, milliseconds: int) -> str:
    names = attribute(", ".join(PEOPLE[other] or "(Unknown)" for other in sent.others))
    box = 2 if sent.mine else 1
    if not sent.mms:
        name = attribute(PEOPLE[sent.others[0]] or "(Unknown)")
        return (
            f'  <sms protocol="0" address="{sent.others[0]}" date="{milliseconds}" type="{box}" subject="null" '
            f'body={attribute(sent.text)} toa="null" readable_date="x" contact_name={name} />\n'
        )
    sender = "insert-address-token" if sent.mine else sent.others[sent.sender % len(sent.others)]
    return (
        f'  <mms date="{milliseconds}" msg_box="{box}" address="{"~".join(sent.others)}" contact_name={names}>\n'
        '    <parts>\n      <part seq="-1" ct="application/smil" text="&lt;smil&gt;" />\n'
        f'      <part seq="0" ct="image/png" text="null" data="{"iVBORw0KGgo" * 200}" />\n'
        f'      <part seq="0" ct="text/plain" text={attribute(sent.text)} />\n    </parts>\n'
        f'    <addrs>\n      <addr address="{sender}" type="137" charset="106" />\n    </addrs>\n  </mms>\n'
    )


@settings(max_examples=examples(60))
@given(sent=st.lists(SENT, min_size=1, max_size=10))
@example([Sent(1, False, ("5550001",), 0, "😀" * 40_000, False)])
def test_any_backup_comes_back_message_for_message(sent: list[Sent]) -> None:
    start = datetime(2019, 12, 31, 23, 59)
    written, expected = [], []
    time = start
    known = {other for one in sent for other in (one.others if one.mms else one.others[:1]) if PEOPLE[other]}
    for one in sent:
        time += timedelta(seconds=one.seconds)
        milliseconds = (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)
        written.append((one.mms, element(one, milliseconds)))
        others = one.others if one.mms else one.others[:1]
        shown = {other: PEOPLE[other] if other in known else other for other in others}
        sender = "Me" if one.mine else shown[others[one.sender % len(others)]]
        expected.append((", ".join(sorted(shown.values())), time, sender, one.text))
    with TemporaryDirectory() as temporary:
        # SMS stand before MMS, and the newest may be first.
        written.reverse()
        body = "".join(xml for _, xml in sorted(written, key=lambda pair: pair[0]))
        document = f'{HEAD}<smses count="{len(sent)}" backup_set="a">\n{body}</smses>'
        Path(temporary, "sms.xml").write_text(document, encoding="utf-8", newline="\n")
        messages, files = read(SMS(), Path(temporary))
    assert sorted((one.chat, one.timestamp, one.author, one.content) for one in messages) == sorted(expected)
    assert [(one.chat, one.timestamp) for one in messages] == sorted((one.chat, one.timestamp) for one in messages)
    assert {one.chat: one.group for one in files} == {chat: ", " in chat for chat, *_ in expected}
    assert not any(one.notes for one in files)


@settings(max_examples=examples(150))
@given(file=st.sampled_from(FILES), damage=DAMAGE)
def test_damaged_files_never_give_a_traceback(file: Path, damage: list[tuple[str, float, float, bytes]]) -> None:
    check_damaged(SMS(), EXPORTS / file.relative_to(EXPORTS).parts[0], file, damage)


BOMB = (
    '<!DOCTYPE smses [<!ENTITY a "secret">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + ']>\n<smses count="1"><sms address="1" date="0" type="1" body="&j;" /></smses>'
)
SMS_LINE = '<sms address="1" date="{}" type="1" body="secret" contact_name="null" />'


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (f"{HEAD}{BOMB}", "line 2: a document type"),
        (f'{HEAD}<!DOCTYPE smses SYSTEM "file:///etc/passwd"><smses></smses>', "line 2: a document type"),
        (f'{HEAD}<smses count="1">\n&secret;</smses>', "line 3: no valid XML"),
        (f'{HEAD}<smses count="1">\n<sms body="secret', None),
        (f'{HEAD}<smses count="1">\n<sms body=secret /></smses>', "line 3: no valid XML"),
        (f"{HEAD}<rss><secret /></rss>", "line 2: no <smses>"),
        ("secret", "line 1: no XML with messages"),
        ("", "no XML with messages"),
        (
            f'{HEAD}<smses count="1">\n{SMS_LINE.format("99999999999999999999")}</smses>',
            'line 3: a message whose "date"',
        ),
        (f'{HEAD}<smses count="1">\n{SMS_LINE.format("-99999999999999")}</smses>', 'line 3: a message whose "date"'),
        (f'{HEAD}<smses count="1">\n{SMS_LINE.format("yesterday")}</smses>', 'line 3: a message whose "date"'),
        (f'{HEAD}<smses count="1">\n{SMS_LINE.format("٣")}</smses>', 'line 3: a message whose "date"'),
        (f'{HEAD}<smses count="1">\n<sms type="1" body="secret" /></smses>', 'line 3: a message whose "date"'),
        (f"{HEAD}<smses>{'<a>' * 100_000}", "line 2: elements nested deeper"),
        (f"{HEAD}<smses>\0</smses>", "line 2: no valid XML"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, document: str, found: str | None) -> None:
    (tmp_path / "sms.xml").write_text(document, encoding="utf-8", newline="\n")
    if found is None:
        assert [file.notes for file in read(SMS(), tmp_path)[1]] == [["the backup is cut short: 0 messages were found"]]
        return
    message = error_of(SMS(), tmp_path)
    assert found in message
    assert "sms.xml" in message
    assert "secret" not in message


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    document = f'{HEAD}<smses count="1">{SMS_LINE.format(0)}</smses>'
    (tmp_path / "sms.xml").write_bytes(document.encode("utf-16"))
    assert "UTF-16" in error_of(SMS(), tmp_path)
    (tmp_path / "sms.xml").write_bytes(document.replace("secret", "é").encode("latin-1"))
    assert "line 2: no valid XML" in error_of(SMS(), tmp_path)


def test_an_element_that_never_ends_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "sms.xml").open("w", encoding="utf-8") as file:
        file.write(f'{HEAD}<smses count="1"><sms body="')
        for _ in range(20):
            file.write("hello wörld " * 90_000)
    assert "an element longer than" in error_of(SMS(), tmp_path)


def test_memory_does_not_grow_with_pictures(tmp_path: Path) -> None:
    with (tmp_path / "sms.xml").open("w", encoding="utf-8") as file:
        file.write(f'{HEAD}<smses count="2">')
        for seconds in (1, 2):
            file.write(f'<mms date="{seconds}000" msg_box="1" address="1"><parts><part ct="image/png" data="')
            for _ in range(32):
                file.write("iVBORw0KGgoAAAAN" * 2**16)
            file.write('" /><part ct="text/plain" text="look" /></parts></mms>')
        file.write("</smses>")
    tracemalloc.start()
    messages, _ = read(SMS(), tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [one.content for one in messages] == ["look", "look"]
    assert peak < 16 * 2**20


def test_what_two_backups_share_counts_once(tmp_path: Path) -> None:
    lines = [f'<sms address="555" date="{n}000" type="{1 + n % 2}" body="text {n % 3}" />' for n in range(9)]
    for name, part in (("sms-1", lines[:6]), ("sms-2", lines[3:])):
        document = f'{HEAD}<smses count="{len(part)}">{"".join(part)}</smses>'
        (tmp_path / f"{name}.xml").write_text(document, encoding="utf-8")
    messages, files = read(SMS(), tmp_path)
    assert [one.timestamp.second for one in messages] == list(range(9))
    assert [file.notes for file in files] == [[]]
