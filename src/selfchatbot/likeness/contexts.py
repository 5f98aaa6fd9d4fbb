"""What is answered: contexts of the test split, and the replies of those who need no model to answer them."""

from dataclasses import dataclass

from selfchatbot.likeness.result import Speaker
from selfchatbot.messages import ChatMessages


@dataclass(frozen=True, slots=True)
class Context:
    """A place in a test conversation at which I answered."""

    messages: ChatMessages
    """All before my reply, perhaps with a system message first; ends with a turn of the others."""
    reply: str
    """What I really wrote."""
    conversation: int
    """Number of its line in test.jsonl, from 1: replies of one conversation are resampled and held out together."""
    contact: str
    """Whom I answered, as the line names them; may be empty."""


Answers = dict[Speaker, list[str]]
"""The replies of each speaker, as long as the list of contexts and in its order.

``me`` is ``[context.reply ...]``. The control's reply at a place is the contact's own turn before mine there: of the
same conversation, so that one list of conversations serves all speakers.
"""
