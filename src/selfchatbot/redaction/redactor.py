"""What is never style: card numbers, passwords and their like, replaced by a placeholder that says what was there.

A conversation is looked at as a whole, because the answer to "what's the password?" is another message. Cheap looks
come first; the exact patterns, and the libraries that check numbers, are for what these let through.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from selfchatbot.messages import Conversation
from selfchatbot.parameters import RedactOptions
from selfchatbot.redaction import codes, contacts, numbers, passwords, tokens
from selfchatbot.redaction.rule import lower, replace_spans

SEPARATOR = "\x1e"
"""Between turns. It counts as white space in patterns."""
PLACEHOLDERS = {
    "access_tokens": "[token]",
    "passwords": "[password]",
    "ibans": "[IBAN]",
    "payment_cards": "[card]",
    "one_time_codes": "[code]",
    "links": "[link]",
    "emails": "[email]",
    "phone_numbers": "[phone]",
    "street_addresses": "[address]",
    "words": "[private]",
    "excluded_names": "[name]",
}
"""In the order in which they are looked for: a token may stand where a password is announced, and in a link."""
RULES = {rule.kind: rule for module in (tokens, passwords, numbers, codes, contacts) for rule in module.RULES}
DIGITS = re.compile(r"\d{3}")
REMEMBERED_NAMES = 10_000


class Redactor:
    """Replaces what ``options`` name; ``excluded_names`` are those of people who are to be left out."""

    def __init__(self, options: RedactOptions, excluded_names: Iterable[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        """How many of each kind were replaced."""
        rules = {kind: rule for kind, rule in RULES.items() if getattr(options, kind)}
        if options.phone_numbers:
            rules["phone_numbers"] = contacts.phone_numbers(options.phone_region)
        for kind, given in (("words", options.words), ("excluded_names", tuple(excluded_names))):
            if given:
                rules[kind] = contacts.words(kind, given)
        self._rules = [rules[kind] for kind in PLACEHOLDERS if kind in rules]
        self._names: dict[str, str] = {}

    def text(self, text: str) -> str:
        """``text`` with placeholders; what was replaced is counted."""
        text, found = self._redacted(text)
        self.counts.update(found)
        return text

    def name(self, name: str) -> str:
        """The name of a chat or contact, which is often a phone number; nothing is counted."""
        if name not in self._names:
            if len(self._names) == REMEMBERED_NAMES:
                self._names.clear()
            self._names[name], _ = self._redacted(name)
        return self._names[name]

    def conversation(self, conversation: Conversation) -> Conversation:
        """A conversation whose turns and names hold placeholders."""
        chat, contact = self.name(conversation.chat), self.name(conversation.contact)
        contents = [turn.content for turn in conversation.turns]
        joined = SEPARATOR.join(contents)
        redacted, found = self._redacted(joined)
        if redacted is joined and chat == conversation.chat and contact == conversation.contact:
            return conversation
        parts = redacted.split(SEPARATOR)
        if len(parts) == len(contents):
            self.counts.update(found)
        else:  # somebody sent a separator
            parts = [self.text(content) for content in contents]
        turns = zip(conversation.turns, parts, strict=True)
        return replace(
            conversation,
            turns=tuple(replace(turn, content=content) for turn, content in turns),
            chat=chat,
            contact=contact,
        )

    def _redacted(self, text: str) -> tuple[str, dict[str, int]]:
        low = lower(text)
        digits = DIGITS.search(low) is not None
        found: dict[str, int] = {}
        for rule in self._rules:
            if (digits or not rule.digits) and rule.quick(low) and (spans := list(rule.find(text, low))):
                text = replace_spans(text, spans, PLACEHOLDERS[rule.kind])
                low = lower(text)
                found[rule.kind] = len(spans)
        return text, found
