"""The commands of a session, each one a method."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import ChatMessages, introduction
from selfchatbot.parameters import GenerationParameters, Trait, validate
from selfchatbot.session.contacts import contact_messages
from selfchatbot.session.dialogue import Dialogue
from selfchatbot.session.transcripts import SESSIONS_FOLDER, TranscriptWriter, read_transcript, write_transcript

if TYPE_CHECKING:
    from selfchatbot.cli.session.keyboard import Keyboard
    from selfchatbot.cli.session.screen import Screen
    from selfchatbot.environment import Dataset

COMMAND = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL)
SHOWN_TURNS = 6
"""Turns that are shown of a loaded conversation."""
SHOWN_CONTACTS = 20

HELP = {
    "/help": "this list",
    "/retry": "another reply to your last message",
    "/others": "other replies to it; /others 2 takes the second",
    "/undo": "take back your last message and its reply",
    "/edit TEXT": "what it should have said; saved as a preference",
    "/good": "a good reply: better than the others; saved as a preference",
    "/bad": "a bad reply: says another; saved as a preference if you go on from there",
    "/as NAME": "be this contact",
    "/set KEY VALUE": "change a parameter, for this session",
    "/show": "the parameters",
    "/save FILE": "save the conversation as JSONL",
    "/load FILE": "continue a saved one; without FILE, the last one before this",
    "/clear": "start a new conversation",
    "/exit": "leave, like exit and Ctrl-D",
}
HELP_NOTE = (
    "Enter sends, Alt-Enter starts a new line. Ctrl-C stops a reply; at the prompt, it leaves. "
    "To send a message that begins with /, type // instead."
)


class Commands:
    """The commands of one session, and the file that it is saved in after every turn."""

    def __init__(self, dialogue: Dialogue, screen: Screen, keyboard: Keyboard, dataset: Dataset, save: bool) -> None:
        self._dialogue = dialogue
        self._screen = screen
        self._keyboard = keyboard
        self._dataset = dataset
        self._writer = TranscriptWriter(dataset.results / SESSIONS_FOLDER) if save else None
        self._start = datetime.now()
        self._own_files: set[Path] = set()
        self._contact = ""
        self._contacts: dict[str, str] | None = None
        self._written: ChatMessages = []

    def is_command(self, text: str) -> bool:
        """``/word`` with or without arguments; ``/ word``, ``//word`` and ``/usr/bin`` are messages."""
        return COMMAND.fullmatch(text) is not None

    def run(self, text: str) -> bool:
        """Run a command and return whether the model should reply now. Raises SelfChatBotError."""
        match = COMMAND.fullmatch(text)
        assert match is not None
        name, rest = match[1], (match[2] or "").strip()
        method: Callable[[str], bool | None] | None = getattr(self, f"_do_{name}", None)
        if method is None:
            near = difflib.get_close_matches(f"/{name}", self.names(), n=1)
            raise SelfChatBotError(f"there is no /{name}: {f'did you mean {near[0]}?' if near else '/help lists all'}")
        return bool(method(rest))

    def names(self) -> list[str]:
        return [line.split()[0] for line in HELP]

    def help_of(self, name: str) -> str:
        return next((text for line, text in HELP.items() if line.split()[0] == name), "")

    def arguments(self, name: str) -> list[str]:
        """The possible arguments of a command."""
        if name == "/as":
            return list(self._known_contacts())
        if name == "/set":
            return [
                key
                for key in GenerationParameters.model_fields
                if key not in GenerationParameters.fields_with(Trait.FIXED)
            ]
        if name == "/others":
            return [str(number) for number in range(1, len(self._dialogue.others) + 1)]
        return []

    def save(self) -> None:
        """Write the conversation as it is now. The first time that fails, say so; then go on without."""
        if self._writer is None or self._written == self._dialogue.messages:
            return
        try:
            self._writer.write(self._dialogue.messages, self._contact)
            self._written = list(self._dialogue.messages)
        except OSError as error:
            self._screen.note(
                f"{self._writer.folder} can't be written ({error.strerror}): nothing is saved unless you /save FILE"
            )
            self._writer = None

    def _do_help(self, _rest: str) -> None:
        width = max(map(len, HELP))
        self._screen.say("\n".join(f"{line:<{width}}  {text}" for line, text in HELP.items()) + f"\n{HELP_NOTE}")

    def _do_retry(self, _rest: str) -> bool:
        self._dialogue.take_back_reply()
        return True

    def _do_undo(self, _rest: str) -> None:
        self._dialogue.undo()
        self._screen.note("taken back")
        self._show_end(2)

    def _do_others(self, rest: str) -> None:
        if not rest:
            self._interruptible(self._dialogue.more)
            if not self._dialogue.others:
                self._screen.note("it has nothing else to say")
            for number, other in enumerate(self._dialogue.others, 1):
                self._screen.say(f"{number}: " + other.replace("\n", "\n   "))
            return
        if not rest.isdecimal():
            raise SelfChatBotError("which one? /others shows them, /others 1 takes the first")
        self._screen.say(self._dialogue.choose(int(rest)))

    def _do_edit(self, rest: str) -> None:
        reply = self._dialogue.last_reply
        if reply is None:
            raise SelfChatBotError("there is no reply yet")
        if not rest and self._keyboard.can_edit:
            try:
                rest = self._keyboard.read(default=reply).strip()
            except (EOFError, KeyboardInterrupt):
                rest = ""
        if not rest:
            raise SelfChatBotError("nothing changed; /edit TEXT replaces the reply by TEXT")
        self._dialogue.edit(rest)

    def _do_good(self, _rest: str) -> None:
        self._interruptible(self._dialogue.good)

    def _do_bad(self, _rest: str) -> None:
        with closing(self._dialogue.bad()) as messages:
            self._screen.show_reply(messages, self._dialogue.mark_shown)

    def _do_as(self, rest: str) -> None:
        known = self._known_contacts()
        if not known:
            raise SelfChatBotError("this model does not know contacts: its training data has no system messages")
        found = [name for name in known if name.casefold() == rest.casefold()]
        if not found:
            names = ", ".join(list(known)[:SHOWN_CONTACTS])
            raise SelfChatBotError(f"{'who' if not rest else f'nobody is called {rest}'}? there are: {names}")
        self._contact = found[0]
        self._dialogue.speak_as(known[found[0]])
        self._screen.note(f"you are {found[0]} now")

    def _do_set(self, rest: str) -> None:
        key, _, value = rest.partition(" ")
        if not value.strip():
            raise SelfChatBotError("/set KEY VALUE, for example /set temperature 0.9; /show lists the keys")
        if key in GenerationParameters.fields_with(Trait.FIXED):
            raise SelfChatBotError(f"{key} can't change while the model is loaded: change it in parameters.json")
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            parsed = value.strip()
        player = self._dialogue.player
        player.parameters = validate(GenerationParameters, {**player.parameters.model_dump(), key: parsed}, "/set")
        self._screen.note(f"{key} is {json.dumps(getattr(player.parameters, key))} in this session")

    def _do_show(self, _rest: str) -> None:
        values = self._dialogue.player.parameters.model_dump()
        width = max(map(len, values))
        lines = [f"{key:<{width}}  {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        if self._contact:
            lines.append(f"{'you are':<{width}}  {self._contact}")
        self._screen.say("\n".join(lines))

    def _do_save(self, rest: str) -> None:
        if not rest:
            raise SelfChatBotError("where to? /save FILE")
        if not any(message["role"] != "system" for message in self._dialogue.messages):
            raise SelfChatBotError("the conversation is empty: say something first")
        try:
            path = Path(rest).expanduser()
            if path.exists() and path.resolve() not in self._own_files:
                raise SelfChatBotError(f"{path} exists already: choose another name")
            write_transcript(path, self._dialogue.messages, self._start, self._contact)
        except (OSError, RuntimeError, ValueError) as error:
            raise SelfChatBotError(f"{rest} can't be written ({getattr(error, 'strerror', None) or error})") from error
        self._own_files.add(path.resolve())
        self._screen.note(f"saved in {path}")

    def _do_load(self, rest: str) -> None:
        if rest:
            try:
                path = Path(rest).expanduser()
            except RuntimeError as error:  # ~name, and there is no such user
                raise SelfChatBotError(f"{rest} can't be read ({error})") from error
        else:
            latest = (self._writer or TranscriptWriter(self._dataset.results / SESSIONS_FOLDER)).latest()
            if latest is None:
                raise SelfChatBotError("there is no saved conversation before this one: /load FILE")
            path = latest
        messages, count = read_transcript(path)
        self._begin()
        self._dialogue.load(messages)
        # The contact of the conversation before no longer applies.
        system = [message["content"] for message in introduction(messages)]
        self._contact = next((name for name, text in self._known_contacts().items() if [text] == system), "")
        self._screen.note(f"{path}" + (f", the last of {count} conversations" if count > 1 else ""))
        self._show_end(SHOWN_TURNS)

    def _do_clear(self, _rest: str) -> None:
        self._begin()
        self._dialogue.clear()
        self._screen.note("a new conversation")

    def _begin(self) -> None:
        """Start a new file; the conversation so far stays in its own."""
        self.save()
        self._written = []
        if self._writer is not None:
            self._writer.begin()

    def _show_end(self, turns: int) -> None:
        for message in self._dialogue.messages[-turns:]:
            if message["role"] != "system":
                self._screen.say(f"> {message['content']}" if message["role"] == "user" else message["content"])

    def _known_contacts(self) -> dict[str, str]:
        if self._contacts is None:
            self._contacts = contact_messages(self._dataset.preprocessed)
        return self._contacts

    def _interruptible(self, work: Callable[[], object]) -> None:
        """Run ``work``; after Ctrl-C, everything is as before."""
        try:
            work()
        except KeyboardInterrupt:
            raise SelfChatBotError("stopped") from None
