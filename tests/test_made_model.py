"""The model that the tests talk to says its words whatever it is asked, and rounding can't change that."""

from pathlib import Path

import pytest
import torch
from conftest import WORDS
from made_model import MARGIN

from selfchatbot.messages import ChatMessages
from selfchatbot.models import Machine
from selfchatbot.parameters import GenerationParameters
from selfchatbot.player.checkpoint import load_checkpoint

ASKED = ["hey", "what about you? " * 20, "x" * 300, "x", "😀" * 40, "\n", ""]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_token_is_far_ahead_of_all_others(talker: Path, made_base: Path, dtype: torch.dtype) -> None:
    (best,) = talker.glob("results/*/best")
    loaded = load_checkpoint(best, GenerationParameters(model=str(made_base)), Machine("cpu", dtype))
    tokenizer, model = loaded.tokenizer, loaded.model
    reply = [*tokenizer(WORDS)["input_ids"], tokenizer.eos_token_id]
    chats: list[ChatMessages] = [[{"role": "user", "content": text}] for text in ASKED]
    chats.append(
        [{"role": "system", "content": "You are Zoë."}, *chats[0], {"role": "assistant", "content": WORDS}] * 5
    )
    for chat in chats:
        prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"][-400:]
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1].float()
        best_two = logits.topk(2)
        assert best_two.indices[:, 0].tolist() == reply
        assert (best_two.values[:, 0] - best_two.values[:, 1]).min() > MARGIN, chat
