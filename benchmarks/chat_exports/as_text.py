"""Exports that are text, tables or XML: pieces of the file, in order."""

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from chat_exports.chat import CHAT, ME, RULE, Chat, days


def discord_txt(chat: Chat) -> Iterator[str]:
    yield f"{RULE}\nGuild: Direct Messages\nChannel: {CHAT}\n{RULE}\n\n"
    for time, author, text in chat:
        hour = f"{time.hour % 12 or 12}:{time.minute:02} {'AP'[time.hour > 11]}M"
        yield f"[{time.month}/{time.day}/{time.year} {hour}] {author}\n{text}\n\n\n"
    yield f"{RULE}\nExported {len(chat):,} message(s)\n{RULE}\n"


def discord_csv(chat: Chat) -> Iterator[str]:
    yield "AuthorID,Author,Date,Content,Attachments,Reactions\n"
    for time, author, text in chat:
        quoted = text.replace('"', '""')
        yield f'"{chat.people[author]}","{author}","{time.isoformat()}.0000000+00:00","{quoted}","",""\n'


def whatsapp(chat: Chat) -> Iterator[str]:
    """Android, en-GB."""
    for time, author, text in chat:
        yield f"{time:%d/%m/%Y, %H:%M} - {author}: {text}\n"


def signal_md(chat: Chat) -> Iterator[str]:
    for time, author, text in chat:
        yield f"[{time:%Y-%m-%d %H:%M:%S}] {'Me' if author == ME else author}: {text}  \n\n"


def imessage(chat: Chat) -> Iterator[str]:
    for time, author, text in chat:
        clock = f"{time.hour % 12 or 12:>2}:{time:%M:%S %p}"
        yield f"{time:%b %d, %Y} {clock}\n{'Me' if author == ME else author}\n{text}\n\n"


def sms(chat: Chat) -> Iterator[str]:
    """What I write goes to whoever wrote last."""
    yield f"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n<smses count=\"{len(chat)}\" backup_set=\"a\">\n"
    other = next(sent.author for sent in chat if sent.author != ME)
    for time, author, text in chat:
        other = other if author == ME else author
        yield (
            f'  <sms protocol="0" address="+1555000{chat.people[other]}" date="{int(time.timestamp() * 1000)}" '
            f'type="{2 if author == ME else 1}" subject="null" body={quoteattr(text, {chr(10): "&#10;"})} toa="null" '
            'sc_toa="null" service_center="null" read="1" status="-1" locked="0" date_sent="0" sub_id="-1" '
            f'readable_date="{time:%b %d, %Y} {time:%H:%M:%S}" contact_name="{other}" />\n'
        )
    yield "</smses>"


def line(chat: Chat) -> Iterator[str]:
    yield f"[LINE] {CHAT}のトーク履歴\n保存日時：2026/01/01 12:00\n"
    for day, messages in days(chat):
        yield f"\n{day:%Y/%m/%d}({'月火水木金土日'[day.weekday()]})\n"
        for time, author, text in messages:
            several = '"{}"'.format(text.replace('"', '""')) if "\n" in text else text
            yield f"{time:%H:%M}\t{author}\t{several}\n"


def kakaotalk(chat: Chat) -> Iterator[str]:
    """Android, Korean."""
    yield f"\ufeff{CHAT} 님과 카카오톡 대화\n저장한 날짜 : 2026년 1월 1일 오후 1:33\n\n"
    for day, messages in days(chat):
        date = f"{day.year}년 {day.month}월 {day.day}일"
        yield f"\n{date} 오전 12:00\n"
        for time, author, text in messages:
            half = "오후" if time.hour > 11 else "오전"
            yield f"{date} {half} {time.hour % 12 or 12}:{time:%M}, {author} : {text}\n"


def irc(chat: Chat) -> Iterator[str]:
    """Irssi."""
    begun = False
    for day, messages in days(chat):
        yield f"--- Day changed {day:%a %b %d %Y}\n" if begun else f"--- Log opened {day:%a %b %d 00:00:00 %Y}\n"
        begun = True
        for time, author, text in messages:
            yield "".join(f"{time:%H:%M} < {author}> {part}\n" for part in text.split("\n"))
