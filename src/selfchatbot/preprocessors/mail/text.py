"""What somebody wrote in an email: its text without what the program put around it.

Only what has an exact form is left out:

- lines that begin with ``>`` (RFC 3676), and what introduces them: up to three lines right above that end in a colon
  and hold a time, a year or an address, in any language;
- what follows a block of headers, in any language: three or more lines as ``From: Ana``, one of which repeats the
  subject, and the line of dashes or underscores above;
- what follows "---------- Forwarded message ---------" and "Begin forwarded message:";
- the signature, behind a line ``-- `` (RFC 3676), and what phones sign with, "Sent from my iPhone" (`device`), where no
  more than a quote follows.

Forms: github/email_reply_parser, and its descendants mailstrip and mail-parser-reply.
"""

import re

from selfchatbot.preprocessors.mail.device import is_signature

HEADER = re.compile(r"[*]?[^\s:>][^:\n]{0,30}:[*]?(?: |\xa0|$).*")
LINE = re.compile(r"[-_*\s]{5,}|-{2,} ?[^-\n]{3,60} ?-{2,}")
FORWARDED = re.compile(r"-{2,} ?Forwarded message ?-{2,}|Begin forwarded message:", re.IGNORECASE)
INTRODUCES = re.compile(r"\d{1,2}[:.]\d\d\b|\b(?:19|20)\d\d\b|\S@\S")
ANSWER = re.compile(r"(?:\w{1,4}(?:\[\d+\])?: ?)+", re.IGNORECASE)
SIGNATURE = "-- "
INTRODUCTION_LINES = 3


def written(text: str, subject: str) -> str:
    """``text`` without quotes, signature and forwarded messages."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end = next((number for number, line in enumerate(lines) if _ends(lines, number, line, subject)), len(lines))
    kept: list[str] = []
    for line in lines[:end]:
        if line.startswith(">"):
            if kept and kept[-1] != ">":
                _drop_introduction(kept)
                kept.append(">")
        elif not kept or kept[-1] != ">" or line.strip():
            kept.append(line)
    while kept and kept[-1].strip() in ("", ">"):
        kept.pop()
    if kept and is_signature(kept):
        kept.pop()
    return "\n".join(line.rstrip() for line in kept if line != ">").strip()


def unwrapped(text: str, deletes_space: bool) -> str:
    """``format=flowed`` (RFC 3676): lines that end in a space go on in the next one."""
    lines: list[str] = []
    flows = False
    for line in text.replace("\r\n", "\n").split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        if flows and not depth and lines:
            lines[-1] += line.removeprefix(" ")
        else:
            lines.append(line if depth else line.removeprefix(" "))
        flows = line.endswith(" ") and line != SIGNATURE and not depth
        if flows and deletes_space:
            lines[-1] = lines[-1][:-1]
    return "\n".join(lines)


def _ends(lines: list[str], number: int, line: str, subject: str) -> bool:
    """Whether what somebody wrote ends before this line."""
    if line == SIGNATURE or FORWARDED.fullmatch(line.strip()):
        return True
    if not line.strip() or not (LINE.fullmatch(line) or HEADER.fullmatch(line)):
        return False
    block = number + 1 if LINE.fullmatch(line) else number
    while block < min(len(lines), number + 3) and not lines[block].strip():
        block += 1
    headers = []
    while block < len(lines) and HEADER.fullmatch(lines[block]):
        headers.append(lines[block].replace("*", "").partition(":")[2].strip())
        block += 1
    return len(headers) >= 3 and any(header and _bare(header) == _bare(subject) for header in headers)


def _bare(subject: str) -> str:
    """A subject without "Re: ", whose language may differ."""
    return " ".join(ANSWER.sub("", subject, count=1).split()).casefold()


def _drop_introduction(kept: list[str]) -> None:
    """Take off the lines at the end that introduce a quote."""
    last = len(kept)
    while last and not kept[last - 1].strip():
        last -= 1
    if not last or not kept[last - 1].rstrip().endswith((":", "：")):
        return
    for first in range(last - 1, max(-1, last - 1 - INTRODUCTION_LINES), -1):
        if not kept[first].strip() or kept[first] == ">":
            return
        if INTRODUCES.search(" ".join(kept[first:last])) and (first == 0 or not kept[first - 1].strip()):
            del kept[first:]
            return
