"""The three parameters.json, typed once: every field with its unit, range and default stands here and nowhere else."""

import difflib
import json
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from selfchatbot.atomic import atomic_files
from selfchatbot.errors import ParametersError

FILE_NAME = "parameters.json"
WRITTEN_NAME = ".parameters.written.json"
BROKEN_JSON = re.compile(r"<string>:(\d+) (.*) at column (\d+)", re.DOTALL)

TypeFineTune = Annotated[
    Literal["lora", "qlora", "fine_tune"],
    BeforeValidator(lambda value: "fine_tune" if value == "finetune" else value),
]


class Parameters(BaseModel):
    """What every parameters.json has in common: exact types, no unknown key, no NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True, protected_namespaces=())


class TrainingOptions(Parameters):
    """How the model is trained, whatever the model."""

    epochs: float = Field(3.0, gt=0, le=1000, description="How often every reply of yours is trained.")
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="Peak of the schedule. Default: 5e-4 for lora and qlora, 5e-5 for fine_tune."
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=4096,
        description="Full windows (`max_length` tokens each) in one step; short conversations fill up.",
    )
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    lora_r: int = Field(16, ge=1, le=1024, description="Rank of the adapters (lora, qlora).")
    lora_alpha: int = Field(32, ge=1, le=4096, description="Scale of the adapters: their output counts alpha / r.")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="Dropout in front of the adapters.")
    gradient_checkpointing: bool = Field(
        False, description="Less memory, about a third slower: keep no activations, compute them again."
    )
    evaluations_per_epoch: int = Field(2, ge=1, le=1000, description="Validations in each epoch.")
    early_stopping_patience: int = Field(4, ge=1, description="Stop after so many validations without a better loss.")
    checkpoint_minutes: float = Field(
        5.0, gt=0, description="An unfinished run is saved so often; the same command then goes on where it stopped."
    )
    choose_sampling: bool = Field(
        True,
        description="After training, choose `temperature` and `repetition_penalty` so that replies look like yours: "
        "about a minute on a laptop.",
    )
    seed: int = Field(42, ge=0, lt=2**32, description="Same seed, same machine: same losses.")


class RedactOptions(Parameters):
    """What is replaced by a placeholder of its kind, in everything that preprocess writes."""

    payment_cards: bool = Field(True, description="Card numbers with a right check digit: `[card]`.")
    ibans: bool = Field(True, description="Bank account numbers with right check digits: `[IBAN]`.")
    passwords: bool = Field(
        True, description="What follows a word for password, PIN or key, in 30 languages: `[password]`."
    )
    access_tokens: bool = Field(True, description="API keys, bearer tokens, private keys: `[token]`.")
    one_time_codes: bool = Field(True, description="Digits beside a word for code, PIN or TAN: `[code]`.")
    emails: bool = Field(False, description="E-mail addresses: `[email]`.")
    phone_numbers: bool = Field(False, description="Phone numbers that could be dialled: `[phone]`.")
    phone_region: str | None = Field(
        None,
        description='Country whose numbers are written without `+`, as two capitals: `"DE"`, `"US"`.',
    )
    links: bool = Field(False, description="Links to the web: `[link]`.")
    street_addresses: bool = Field(
        False, description="Street and number, as far as it is told by its words: `[address]`."
    )
    words: tuple[str, ...] = Field(
        (), strict=False, description="Words and names of your own, whole and without regard to case: `[private]`."
    )

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, region: str | None) -> str | None:
        if region is not None:
            import phonenumbers

            if region not in phonenumbers.SUPPORTED_REGIONS:
                raise ValueError('a country as two capitals, such as "DE" or "US"')
        return region


class DateRange(Parameters):
    """Days, both included; a missing end is open."""

    model_config = ConfigDict(validate_by_name=True)

    first: date | None = Field(None, alias="from", strict=False, description="First day, `YYYY-MM-DD`.")
    last: date | None = Field(None, alias="to", strict=False, description="Last day, `YYYY-MM-DD`.")

    @model_validator(mode="after")
    def _forward(self) -> "DateRange":
        if self.first and self.last and self.first > self.last:
            raise ValueError('a day "from" that is not after "to"')
        return self


class ExcludeOptions(Parameters):
    """What never enters: the right of others to be left out."""

    contacts: tuple[str, ...] = Field(
        (),
        strict=False,
        description="People, by a name they have in an export or in `contacts`: neither their words nor their names "
        "are written anywhere, nor what you answered to them directly.",
    )
    chats: tuple[str, ...] = Field((), strict=False, description="Chats, by name; `*` stands for anything.")
    dates: tuple[DateRange, ...] = Field(
        (), strict=False, description='Days: `{"from": "2020-01-01", "to": "2020-06-30"}`; one end may be missing.'
    )


class RawParameters(Parameters):
    """``selfChatBot_raw/Dataset_<ID>_<Name>/parameters.json``: yours to write."""

    model: str = Field(
        min_length=1,
        description="Name on the Hugging Face hub, a local folder, a `.gguf` file, or `SmolLM2-135M-Instruct`.",
    )
    type_fine_tune: TypeFineTune = Field("lora", description="`lora`, `qlora` (4-bit base model) or `fine_tune` (all).")
    max_length: int = Field(
        1024, ge=32, le=1_000_000, description="Longest window in tokens; cut to what the model can take."
    )
    preprocessor_data: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="One entry per format folder: who you are there."
    )
    conversation_gap_minutes: float = Field(60.0, gt=0, description="A silence of so many minutes ends a conversation.")
    context_turns: int = Field(
        10,
        ge=1,
        le=10_000,
        description="In groups: of what the others say before a reply of yours, so many turns of one person are kept.",
    )
    contacts: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description='People with several names, in one app or in many: `{"Ana": ["ana.92", "Ana Maria"]}`.',
    )
    redact: RedactOptions = Field(
        default_factory=RedactOptions, description="Optional: what is replaced by a placeholder, see below."
    )
    exclude: ExcludeOptions = Field(
        default_factory=ExcludeOptions, description="Optional: people, chats and days that never enter, see below."
    )
    validation_fraction: float = Field(
        0.1, gt=0, le=0.4, description="Share of your replies kept for validation: the newest before the test ones."
    )
    test_fraction: float = Field(
        0.1, ge=0, le=0.4, description="Share of your replies kept for the test: the newest of all."
    )
    training: TrainingOptions = Field(
        default_factory=TrainingOptions,
        description="Optional: other start values for the training parameters below.",
    )

    @field_validator("contacts", mode="before")
    @classmethod
    def _lists_of_names(cls, contacts: object) -> object:
        """JSON knows no tuples."""
        if not isinstance(contacts, dict):
            return contacts
        return {name: tuple(names) if isinstance(names, list) else names for name, names in contacts.items()}


class TrainingParameters(TrainingOptions):
    """``selfChatBot_preprocessed/.../parameters.json``: written by preprocess, yours to edit."""

    LORA_ONLY: ClassVar[tuple[str, ...]] = ("lora_r", "lora_alpha", "lora_dropout")

    model: str = Field(min_length=1, description="From the raw folder's parameters.json.")
    type_fine_tune: TypeFineTune = Field("lora", description="From the raw folder's parameters.json.")
    max_length: int = Field(1024, ge=32, le=1_000_000, description="From the raw folder's parameters.json.")

    @classmethod
    def start_values(cls, raw: RawParameters) -> dict[str, Any]:
        """What preprocess writes for ``raw``: its three fields, then the defaults of its method."""
        options = raw.training.model_dump()
        if options["learning_rate"] is None:
            options["learning_rate"] = default_learning_rate(raw.type_fine_tune)
        if raw.type_fine_tune == "fine_tune":
            options = {key: value for key, value in options.items() if key not in cls.LORA_ONLY}
        return {
            "model": raw.model,
            "type_fine_tune": raw.type_fine_tune,
            "max_length": raw.max_length,
            **options,
        }


class GenerationParameters(Parameters):
    """``selfChatBot_results/.../parameters.json``: written by train, yours to edit."""

    model: str = Field(min_length=1, description="From the training parameters.")
    max_length: int = Field(
        1024, ge=32, le=1_000_000, description="From the training parameters: prompt and reply fit into it."
    )
    temperature: float = Field(
        0.8, ge=0, le=10, description="Higher is livelier; 0 always takes the likeliest next token."
    )
    top_p: float = Field(0.95, gt=0, le=1, description="Sample among the likeliest tokens of this total probability.")
    top_k: int = Field(0, ge=0, description="Sample among so many likeliest tokens; 0: no limit.")
    repetition_penalty: float = Field(1.1, ge=0.5, le=10, description="Above 1: said tokens become less likely.")
    num_return_sequences: int = Field(
        3,
        ge=1,
        le=64,
        description="How many answers `-t prompt` prints; a session says the likeliest of so many, as a whole.",
    )
    max_new_tokens: int = Field(128, ge=1, le=100_000, description="Longest reply in tokens.")
    seed: int | None = Field(None, ge=0, lt=2**32, description="A number makes replies repeatable.")

    @classmethod
    def start_values(cls, model: str, max_length: int) -> dict[str, Any]:
        """What train writes for a model trained with windows of ``max_length`` tokens."""
        return cls(model=model, max_length=max_length).model_dump()


P = TypeVar("P", bound=BaseModel)


def default_learning_rate(type_fine_tune: str) -> float:
    """LoRA wants about ten times the rate of full fine-tuning (Schulman et al. 2025, "LoRA Without Regret")."""
    return 5e-5 if type_fine_tune == "fine_tune" else 5e-4


def read_parameters(path: Path, kind: type[P]) -> P:
    """Read and validate one parameters.json. Raises ParametersError: file, line or key, found, allowed."""
    return validate(kind, read_json(path), str(path))


def validate(kind: type[P], values: object, place: str) -> P:
    """``values`` as ``kind``; ``place`` (a file, or a file and a key) begins the error message."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ParametersError(f"{place}: {_explain(error, kind)}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that may hold comments, trailing commas and a byte order mark.

    Raises ParametersError for a missing, undecodable or broken file, and for a duplicate key.
    """
    # json5 reads what people write into settings files; it is slow, so it never reads anything but these.
    import json5

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ParametersError(f"{path} is not there: write one, the README shows a sample to copy") from None
    except UnicodeDecodeError as error:
        raise ParametersError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except OSError as error:
        raise ParametersError(f"{path} can't be read: {error.strerror}") from error
    try:
        values = json5.loads(text, allow_duplicate_keys=False)
    except (ValueError, RecursionError) as error:
        reason = BROKEN_JSON.sub(r"line \1, column \3: \2", str(error)).replace("\n", "\\n")
        raise ParametersError(f"{path} is not valid JSON: {reason}") from error
    if not isinstance(values, dict):
        raise ParametersError(f"{path}: expected an object {{...}}, found {_shown(values)}")
    return values


def hand_over(directory: Path, computed: dict[str, Any]) -> None:
    """Write ``computed`` as the parameters.json of the next stage without losing what the user edited there."""
    texts = handed_over(directory, computed)
    with atomic_files(*texts) as partials:
        for partial, text in zip(partials, texts.values(), strict=True):
            partial.write_text(text, encoding="utf-8", newline="\n")


def handed_over(directory: Path, computed: dict[str, Any]) -> dict[Path, str]:
    """The files that `hand_over` writes, for those who write others together with them.

    A hidden file beside parameters.json remembers what was written last: a value that differs from that was edited and
    stays, any other follows its source. The file is left alone, comments and all, when nothing in it changes.

    Raises ParametersError where the user broke the file.
    """
    path = directory / FILE_NAME
    record = directory / WRITTEN_NAME
    existing = read_json(path) if path.exists() else {}
    written = _written(record)
    edited = {key: value for key, value in existing.items() if key not in written or value != written[key]}
    merged = {**computed, **edited}
    texts = {}
    if merged != existing:
        texts[path] = _dump(merged)
    if computed != written:
        texts[record] = _dump(computed)
    return texts


def _written(record: Path) -> dict[str, Any]:
    """What was written last. Where nobody knows, every value counts as edited: better that than to lose one."""
    try:
        values = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def table(kind: type[BaseModel]) -> str:
    """The fields of ``kind`` as a Markdown table, for the README."""
    lines = ["| field | default | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "required" if field.is_required() else _shown_default(default)
        lines.append(f"| `{name}` | {shown} | {field.description} |")
    return "\n".join(lines)


def _shown_default(default: object) -> str:
    if default is None or isinstance(default, BaseModel) or default == {}:
        return ""
    return f"`{json.dumps(default)}`"


def _dump(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _explain(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first thing that is wrong, for a reader who doesn't know pydantic."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f'key "{key}" is missing'
    if first["type"] == "extra_forbidden":
        known = _fields_at(kind, first["loc"][:-1])
        name = str(first["loc"][-1])
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
        return f'unknown key "{key}": {hint}'
    message = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    message = message.replace("a valid tuple", "a list [...]")
    return f'key "{key}": found {_shown(first["input"])}, expected {message}'


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):  # an item of a list, whose kind is that of the list
            continue
        field = kind.model_fields.get(part)
        annotation = field.annotation if field else None
        kinds = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
        models = [one for one in kinds if issubclass(one, BaseModel)]
        if not models:
            return []
        kind = models[0]
    return [field.alias or name for name, field in kind.model_fields.items()]
