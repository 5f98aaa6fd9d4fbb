"""Replaces card numbers, passwords and other private data, which are not style, with placeholders such as ``[card]``.

A conversation is searched as a whole, because the answer to "what's the password?" is another message. Cheap checks
come first; the exact patterns and the libraries that verify numbers only see what passes them.
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
"""Stands between turns. It counts as white space in patterns."""
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
"""In the order of the search: a token may be given as a password, or be part of a link."""
RULES = {rule.kind: rule for module in (tokens, passwords, numbers, codes, contacts) for rule in module.RULES}
THREE_DIGITS = re.compile(r"\d{3}")
MAX_CACHED_NAMES = 10_000


class Redactor:
    """Replaces what ``options`` select, and ``excluded_names``: those of excluded people."""

    def __init__(self, options: RedactOptions, excluded_names: Iterable[str] = ()) -> None:
        self.counts: Counter[str] = Counter()
        """Number of replacements of each kind."""
        rules = {kind: rule for kind, rule in RULES.items() if getattr(options, kind)}
        if options.phone_numbers:
            rules["phone_numbers"] = contacts.phone_numbers(options.phone_region)
        for kind, listed in (("words", options.words), ("excluded_names", tuple(excluded_names))):
            if listed:
                rules[kind] = contacts.words(kind, listed, joined=kind == "excluded_names")
        self._rules = [rules[kind] for kind in PLACEHOLDERS if kind in rules]
        self._names: dict[str, str] = {}

    def text(self, text: str) -> str:
        """``text`` with placeholders. Replacements are counted."""
        text, found = self._redacted(text)
        self.counts.update(found)
        return text

    def name(self, name: str) -> str:
        """The name of a chat or contact, which is often a phone number. Replacements are not counted."""
        if name not in self._names:
            if len(self._names) == MAX_CACHED_NAMES:
                self._names.clear()
            self._names[name], _ = self._redacted(name)
        return self._names[name]

    def conversation(self, conversation: Conversation) -> Conversation:
        """A conversation with placeholders in turns and names."""
        chat, contact = self.name(conversation.chat), self.name(conversation.contact)
        contents = [turn.content for turn in conversation.turns]
        joined = SEPARATOR.join(contents)
        redacted, found = self._redacted(joined)
        if redacted is joined and chat == conversation.chat and contact == conversation.contact:
            return conversation
        parts = redacted.split(SEPARATOR)
        if len(parts) == len(contents):
            self.counts.update(found)
        else:  # a message contains a separator
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
        has_digits = THREE_DIGITS.search(low) is not None
        found: dict[str, int] = {}
        for rule in self._rules:
            if (has_digits or not rule.needs_digits) and rule.quick(low) and (spans := list(rule.find(text, low))):
                text = replace_spans(text, spans, PLACEHOLDERS[rule.kind])
                low = lower(text)
                found[rule.kind] = len(spans)
        return text, found
