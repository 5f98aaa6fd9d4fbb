"""A model that is made, not trained: it says given words whatever it is asked, on every machine.

What a trained model replies to something it never saw depends on how a processor rounds. Here the weights are set by
hand. The base model is a Llama with one layer and four attention heads: the first looks at the last token, the second
at the token before it, the other two at everything, so that the conversation has a small influence. An adapter on the
output of the attention maps the last two tokens of a reply to the next one, which is more than `MARGIN` nats ahead of
every other token, in bfloat16 too.
"""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tiny_models import tiny_tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, set_seed

MARGIN = 10.0
"""Nats between the next token of the reply and any other token."""
HIDDEN, HEADS, RANK = 128, 4, 32
HEAD = HIDDEN // HEADS
SHARPNESS = 16.0
"""Scale of queries and keys of the heads that look at one token: every other one gets less than e^-20 of the weight."""
STRENGTH = 8.0
"""Length of what the adapter adds to the embedding of the last token, which has length 1.4."""
INFLUENCE = 0.06
"""Standard deviation of the weights through which the conversation changes the logits."""
SPREAD = 20.0
"""Logit of a token when the hidden state points exactly in its direction; otherwise this times the cosine."""


def save_made_base(folder: Path) -> Path:
    """Save the base model: a Llama with a ChatML tokenizer that says nothing in particular."""
    set_seed(0)
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=HEADS,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = AutoModelForCausalLM.from_config(config)
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        embeddings = model.get_input_embeddings().weight
        embeddings.copy_(torch.randn_like(embeddings))
        embeddings[:, 0] = 0
        embeddings.copy_(torch.nn.functional.normalize(embeddings))
        embeddings[:, 0] = 1  # the same for all tokens: queries and keys depend on nothing else
        one = (HIDDEN / 2) ** 0.5  # what the first norm makes of this 1
        attention.q_proj.weight.zero_()
        attention.k_proj.weight.zero_()
        frequencies = 10_000 ** -(torch.arange(HEAD // 2) / (HEAD // 2))
        for head in range(2):
            rows = slice(head * HEAD, (head + 1) * HEAD)
            turned = head * frequencies  # the rotary embedding turns it back at a distance of as many tokens
            attention.q_proj.weight[rows, 0] = SHARPNESS / one * torch.cat([turned.cos(), -turned.sin()])
            attention.k_proj.weight[rows, 0] = SHARPNESS / one * torch.cat([turned * 0 + 1, turned * 0])
        attention.v_proj.weight.normal_(std=HIDDEN**-0.5)
        attention.v_proj.weight[:, 0] = 0
        attention.o_proj.weight.normal_(std=INFLUENCE)
        attention.o_proj.weight[:, : 2 * HEAD] = 0
        output = model.get_output_embeddings().weight
        output.copy_(torch.nn.functional.normalize(torch.randn_like(output)) * SPREAD / HIDDEN**0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_adapter(base: Path, folder: Path, reply: str) -> Path:
    """Save an adapter with which the made model ``base`` says ``reply``.

    Where two tokens in a row occur again, they are followed by the same token as before: such a reply never ends.
    """
    tokenizer = AutoTokenizer.from_pretrained(base)
    question = [{"role": "user", "content": "hey"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True)["input_ids"]
    tokens = [*prompt[-2:], *tokenizer(reply)["input_ids"], tokenizer.eos_token_id]
    following: dict[tuple[int, int], int] = {}
    for former, last, token in zip(tokens, tokens[1:], tokens[2:], strict=False):
        following.setdefault((former, last), token)
    pairs = list(following)
    assert len(pairs) <= RANK, "too many tokens for an adapter of this rank"
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    layer = model.model.layers[0]
    with torch.no_grad():
        values = layer.self_attn.v_proj(layer.input_layernorm(model.get_input_embeddings().weight))
        seen = torch.stack(
            [torch.cat([values[last, :HEAD], values[former, HEAD : 2 * HEAD]]) for former, last in pairs]
        )
        wanted = torch.nn.functional.normalize(
            model.get_output_embeddings().weight[[following[pair] for pair in pairs]]
        )
        change = STRENGTH * wanted.T @ torch.linalg.pinv(seen.T)
        left, scales, right = torch.linalg.svd(change, full_matrices=False)
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=RANK, lora_alpha=RANK)
    adapted = get_peft_model(model, config)
    projection = adapted.base_model.model.model.layers[0].self_attn.o_proj
    with torch.no_grad():
        projection.lora_A["default"].weight.zero_()[:, : 2 * HEAD] = right[:RANK]
        projection.lora_B["default"].weight.copy_(left[:, :RANK] * scales[:RANK])
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink()  # a model card of peft's
    tokenizer.save_pretrained(folder)
    return folder
