"""A conversation at the terminal: you are the other person, the model is you."""

import sys
from collections.abc import Callable

from selfchatbot.messages import ChatMessages
from selfchatbot.player import Player

EXIT = "exit"


def session(player: Player) -> None:
    """A conversation until ``exit``, Ctrl-D or Ctrl-C at the prompt; Ctrl-C during a reply stops that reply."""
    ask = _asker()
    messages: ChatMessages = []
    print(f'Say something; "{EXIT}" ends the conversation.')
    while True:
        try:
            said = ask().strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if said == EXIT:
            return
        if not said:
            continue
        messages.append({"role": "user", "content": said})
        reply = ""
        try:
            for piece in player.stream(messages):
                reply += piece
                print(piece, end="", flush=True)
        except KeyboardInterrupt:
            print(" ...", end="")
        print(flush=True)
        if reply:
            messages.append({"role": "assistant", "content": reply})
        else:
            messages.pop()


def _asker() -> Callable[[], str]:
    """How to read a line: with editing and history at a terminal, plainly from a pipe."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return lambda: input("> ")
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession("> ")
    return session.prompt
