"""What has to hold for a model family, checked against a second opinion: transformers, or the same in another way."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from model_families.tiny import LENGTH, save_tiny, write_conversations
from selfchatbot.chat_format import IGNORED, ChatFormat
from selfchatbot.errors import SelfChatBotError
from selfchatbot.messages import read_conversations
from selfchatbot.model_families import skeleton
from selfchatbot.models import Machine, load_config, load_model, load_tokenizer
from selfchatbot.parameters import GenerationParameters, TrainingParameters, read_parameters
from selfchatbot.player.checkpoint import load_checkpoint
from selfchatbot.player.engines.protocol import Sampling

CPU = Machine("cpu", torch.float32)
TOLERANCE = 1e-3
"""Nats by which a log-probability may differ."""
REPLY = 16
"""Tokens of a reply."""
FIRST = [{"role": "user", "content": "hey how are you doing today?"}]
SECOND = [
    *FIRST,
    {"role": "assistant", "content": "sure, when?"},
    {"role": "user", "content": "at 7 or 8 maybe, it's raining again"},
]
THIRD = [*SECOND, {"role": "assistant", "content": "ok cool"}, {"role": "user", "content": "see you later"}]


class Wrong(Exception):
    """A check that failed, with what was found."""


class Checks:
    """The checks of one family, in the order in which they build on each other; each returns a note or nothing."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self.base = folder / "model"
        save_tiny(name, self.base)
        skeleton(load_config(str(self.base)))  # refuses what can't work
        self.format = ChatFormat(load_tokenizer(str(self.base)))
        self.generation = GenerationParameters(
            model=str(self.base), max_length=LENGTH, temperature=0.0, max_new_tokens=REPLY
        )

    def estimate(self) -> None:
        from selfchatbot.trainer.memory_estimate import MicroBatch, ModelShape, bytes_needed, trained_count
        from selfchatbot.trainer.model_setup import with_adapters

        parameters = TrainingParameters(model=str(self.base))
        shape = ModelShape(load_config(str(self.base)))
        model = load_model(str(self.base), torch.float32)
        expect("parameters", shape.parameters, sum(parameter.numel() for parameter in model.parameters()), 0)
        adapted = with_adapters(model, parameters)
        trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
        expect("adapters", trained_count(parameters, shape), trained, 0)
        for method in ("lora", "qlora", "fine_tune"):
            options = parameters.model_copy(update={"type_fine_tune": method})
            bytes_needed(options, shape, CPU, MicroBatch(512, 256), False)

    def lora(self) -> str:
        from selfchatbot.trainer.adapter_targets import target_sizes, without_adapters

        self.trained("lora")
        model = skeleton(load_config(str(self.base)))
        names = sorted({name.rpartition(".")[2] for name in target_sizes(model)})
        left = without_adapters(model)
        return ", ".join(names) + (f"; not {left.partition(': ')[2]} ({left.partition('%')[0]} %)" if left else "")

    def gradients(self) -> None:
        """Adapters as they are computed here have the loss and the gradients of peft's own."""
        from peft.tuners.lora import Linear

        from selfchatbot.trainer.adapted_linear import AdaptedLinear
        from selfchatbot.trainer.data import collate
        from selfchatbot.trainer.loss import LabelledLoss
        from selfchatbot.trainer.model_setup import checkpoint_gradients, with_adapters

        windows = self.format.windows(read_conversations(self.folder / "lora" / "validation.jsonl"), LENGTH)
        batch = collate([{"input_ids": window.input_ids, "labels": window.labels} for window in windows])
        found = []
        for ours in (True, False):
            torch.manual_seed(1)
            model = with_adapters(load_model(str(self.base), torch.float32), TrainingParameters(model=str(self.base)))
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter.data = 0.02 * torch.randn_like(parameter)
            for module in model.modules() if not ours else ():
                if isinstance(module, AdaptedLinear):
                    module.__class__ = Linear
            if ours:
                checkpoint_gradients(model)
            loss = LabelledLoss(model.train())(model, batch)
            loss.backward()
            found.append((loss.item(), {name: p.grad for name, p in model.named_parameters() if p.requires_grad}))
        (loss, gradients), (plain_loss, plain) = found
        expect("loss with adapters", loss, plain_loss, 1e-3 * abs(plain_loss))
        for name, gradient in gradients.items():
            if gradient is None or plain[name] is None:
                expect(f"gradient of {name}", gradient, plain[name], 0)
            else:
                difference = (gradient - plain[name]).abs().max().item()
                expect(f"gradient of {name}", difference, 0.0, 2e-3 * max(1e-3, plain[name].abs().max().item()))

    def full(self) -> None:
        self.trained("fine_tune", learning_rate=0.001)

    def qlora(self) -> None:
        self.trained("qlora")

    def trained(self, method: str, **options: object) -> None:
        """Train; the losses that are reported are transformers' own, before training and of the saved model."""
        from selfchatbot.trainer import Trainer

        data = write_conversations(self.folder / method, self.base, type_fine_tune=method, **options)
        output = self.folder / f"results-{method}"
        parameters = read_parameters(data / "parameters.json", TrainingParameters)
        result = Trainer(parameters, data, output, machine=CPU).train()
        lines = (output / "metrics.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        steps = [record["loss"] for record in map(json.loads, lines) if "loss" in record]
        if not steps[-1] < steps[0] or not result.best_loss < result.base_loss:
            raise Wrong(f"the loss does not fall: {result.base_loss:.3f} -> {result.best_loss:.3f}, steps {steps}")
        if method != "qlora":  # 4 bits are not what transformers would load
            expect("base loss", result.base_loss, self.loss(load_model(str(self.base), torch.float32), data), TOLERANCE)
            model = load_checkpoint(output / "best", self.generation, CPU).model
            expect("loss of best/", result.best_loss, self.loss(model, data), TOLERANCE)

    def loss(self, model: Any, data: Path) -> float:
        """One window at a time, all logits, transformers' own loss."""
        total, count = 0.0, 0
        for window in self.format.windows(read_conversations(data / "validation.jsonl"), LENGTH):
            ids, labels = torch.tensor([window.input_ids]), torch.tensor([window.labels])
            with torch.no_grad():
                loss = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
            trained = int(labels.ne(IGNORED).sum())
            total, count = total + loss.item() * trained, count + trained
        return total / count

    def plays(self) -> None:
        """Greedily the same as `generate`."""
        from selfchatbot.player import Player

        self.model = load_checkpoint(self.folder / "results-lora" / "best", self.generation, CPU).model
        prompt, sampling = self.prompt(FIRST), self.sampling()
        ids = torch.tensor([prompt])
        (expected,) = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=REPLY,
            do_sample=False,
            eos_token_id=sampling.end,
            pad_token_id=sampling.end,
            suppress_tokens=sorted(sampling.never) or None,
        )
        expect("greedy reply", self.say(self.engine(), FIRST), expected[len(prompt) :].tolist(), 0)
        Player(self.folder / "results-lora" / "best", self.generation, CPU).reply(FIRST)

    def undo(self) -> None:
        """A second turn, an undone one and another conversation are what a fresh engine says."""
        engine = self.engine()
        for messages in (FIRST, SECOND, THIRD, SECOND, FIRST, [{"role": "user", "content": "see you"}], THIRD):
            expect("reply", self.say(engine, messages), self.say(self.engine(), messages), 0)

    def candidates(self) -> None:
        engine, prompt = self.engine(), self.prompt(FIRST)
        replies: list[list[int]] = []
        for end in (self.format.end, None):  # the second time one of them ends before the others
            sampling = self.sampling(
                temperature=1.0, end=self.format.end if end else replies[0][min(3, len(replies[0]) - 1)]
            )
            drawn: list[list[Any]] = [[], [], []]
            for token in engine.generate(prompt, sampling, 3):
                drawn[token.candidate].append(token)
            for tokens in drawn:
                reply = [token.id for token in tokens]
                near("candidate", [token.log_probability for token in tokens], self.alone(prompt, reply))
                replies.append(reply)
        expected = [sum(self.alone(prompt, reply)) for reply in replies]
        near("given reply", engine.log_probabilities(prompt, replies), expected, 10 * TOLERANCE)
        self.say(engine, FIRST)

    def batch(self) -> None:
        from selfchatbot.player.engines.batch import Batch

        prompts = [self.prompt(messages) for messages in (FIRST, THIRD, SECOND, [{"role": "user", "content": "ok"}])]
        batch = Batch(self.model, prompts)
        for temperature in (0.0, 1.0):
            drawn = batch.replies(self.sampling(temperature=temperature))
            for prompt, candidate in zip(prompts, drawn, strict=True):
                reply = candidate.ids + [self.format.end] * candidate.ended
                near("in a batch", candidate.log_probabilities, self.alone(prompt, reply))

    def export(self) -> None:
        """transformers loads the folder, and its template gives the prompt that was trained."""
        from transformers import AutoModelForCausalLM

        from selfchatbot.export import export

        folder = self.folder / "exported"
        export(self.folder / "results-lora" / "best", folder, self.generation, "rowan")
        words = load_tokenizer(str(folder))
        for messages in (FIRST, SECOND, THIRD):
            rendered = words.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
            expect("rendered prompt", rendered, self.format.prompt(messages, LENGTH), 0)
        ids = torch.tensor([self.prompt(THIRD)])
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        with torch.inference_mode():
            apart = model(ids).logits.log_softmax(-1) - self.model(ids).logits.log_softmax(-1)
        expect("logits of the export", apart.abs().max().item(), 0.0, 0.2)  # it has 16 bits

    def gguf(self) -> None:
        """llama.cpp gives the same log-probabilities, and the same greedy reply unless two tokens are as good."""
        from selfchatbot.player.engines.llamacpp import LlamaCppEngine
        from selfchatbot.player.gguf_cache import checkpoint_gguf

        path = checkpoint_gguf(self.folder / "results-lora" / "best", self.generation, "f32")
        engine = LlamaCppEngine(path, LENGTH, threads=1, exact=True)
        prompt = self.prompt(THIRD)
        with torch.inference_mode():
            expected = self.model(torch.tensor([prompt])).logits[0, -1].float().log_softmax(-1)
        tokens = [self.format.end, *expected.topk(5).indices.tolist(), *range(100, 110)]
        found = [engine.log_probability(prompt, token, self.format.end) for token in tokens]
        near("of llama.cpp", found, expected[tokens].tolist(), 5e-3)
        expect("greedy reply", self.say(engine, FIRST, 1e-2), self.say(self.engine(), FIRST), 0)

    def engine(self) -> Any:
        from selfchatbot.player.engines.transformers import TransformersEngine

        return TransformersEngine(self.model, LENGTH)

    def prompt(self, messages: Any) -> list[int]:
        return self.format.prompt(messages, LENGTH - REPLY)

    def sampling(self, temperature: float = 0.0, end: int | None = None) -> Sampling:
        never = frozenset(self.format.special - {self.format.end})
        return Sampling(temperature, 1.0, 0, 1.0, REPLY, self.format.end if end is None else end, never, seed=0)

    def say(self, engine: Any, messages: Any, tolerance: float = TOLERANCE) -> list[int]:
        """Greedily, compared with a pass without any cache."""
        prompt = self.prompt(messages)
        tokens = list(engine.generate(prompt, self.sampling()))
        reply = [token.id for token in tokens]
        near("reply", [token.log_probability for token in tokens], self.alone(prompt, reply), tolerance)
        return reply

    def alone(self, prompt: list[int], reply: list[int]) -> list[float]:
        """Log-probabilities of the tokens of a reply, from one pass without any cache."""
        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([prompt + reply]), use_cache=False).logits[0].float()
        logits = logits.log_softmax(-1)
        return [logits[len(prompt) - 1 + place, token].item() for place, token in enumerate(reply)]


COLUMNS = ("estimate", "lora", "gradients", "full", "qlora", "plays", "undo", "candidates", "batch", "export", "gguf")
NEEDS = {"plays": ("lora",)} | dict.fromkeys(COLUMNS[COLUMNS.index("plays") + 1 :], ("lora", "plays"))
"""Checks whose model other checks train and load."""


def check(name: str, columns: tuple[str, ...] = COLUMNS) -> dict[str, str]:
    """Run the checks of one family: "ok" and a note, "refused", "wrong" or "error" and what was found.

    Those that they build on are run too.
    """
    wanted = {*columns, *(needed for column in columns for needed in NEEDS.get(column, ()))}
    with tempfile.TemporaryDirectory() as folder:
        try:
            checks = Checks(name, Path(folder))
        except SelfChatBotError as error:
            return {"refused": str(error)}
        return {column: _outcome(getattr(checks, column)) for column in COLUMNS if column in wanted}


def _outcome(run: Callable[[], str | None]) -> str:
    try:
        return f"ok {run() or ''}".strip()
    except Wrong as error:
        return f"wrong: {error}"
    except Exception as error:  # the others of this family are of interest too
        kind = "refused" if isinstance(error, SelfChatBotError) else f"error: {type(error).__name__}"
        return f"{kind}: {(str(error).strip().split(chr(10)) or [''])[0][:300]}"


def expect(what: str, found: Any, expected: Any, tolerance: float) -> None:
    """Raise Wrong unless both are the same or as near as ``tolerance``."""
    same = abs(found - expected) <= tolerance if isinstance(found, float) else found == expected
    if not same:
        raise Wrong(f"{what}: {found} instead of {expected}")


def near(what: str, found: list[float], expected: list[float], tolerance: float = TOLERANCE) -> None:
    """Raise Wrong unless all log-probabilities are as near as ``tolerance``."""
    worst = max((abs(one - other) for one, other in zip(found, expected, strict=True)), default=0.0)
    if worst > tolerance:
        raise Wrong(f"{what}: log-probabilities {worst:.2g} nats from those without a cache")
