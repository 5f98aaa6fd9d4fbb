"""Tiny random models of real families with real tokenizers, made in a second: the mechanics are those of large ones."""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedTokenizerFast, set_seed

WORDS = (
    "hey how are you doing today? I am good, thanks! what about you? haha yeah\nthat is so nice 😀 see you later "
    "do you want to get food? sure, when? at 7 or 8 maybe. ok cool 🎉 it's raining again, don't forget your umbrella"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Refuses a system message and a conversation that the assistant opens, as several families do.
STRICT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '[' + message['role'] + '] ' + message['content'] + ' ' }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)
# Writes something into the last turn of the assistant only, as reasoning models do.
LAST_TURN_DIFFERS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if loop.last and message['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEMPLATES = {"chatml": CHATML, "strict": STRICT, "last_turn_differs": LAST_TURN_DIFFERS, "none": None}


def tiny_tokenizer(template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """A byte-level BPE of some 400 tokens with ChatML's special ones."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS] * 5, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>" if template is None else "<|im_end|>",
        additional_special_tokens=special,
    )
    fast.chat_template = template
    return fast


def save_tiny_model(folder: Path, template: str | None = CHATML, positions: int = 512, spread: float = 0.02) -> Path:
    """A random Llama (with a chat template) or GPT-2 (without) of some 40,000 parameters.

    ``spread``: their standard deviation; from 0.2 on, some tokens are far likelier than others.
    """
    set_seed(0)
    tokenizer = tiny_tokenizer(template)
    common = {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id}
    common |= {"initializer_range": spread}
    if template is None:
        config = GPT2Config(n_positions=positions, n_embd=32, n_layer=2, n_head=2, **common)
    else:
        config = LlamaConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=positions,
            **common,
        )
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
