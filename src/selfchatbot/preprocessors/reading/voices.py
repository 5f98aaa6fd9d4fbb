"""Voice messages to text, with the optional package faster-whisper."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import Field

from selfchatbot.errors import ParametersError
from selfchatbot.files import write_text
from selfchatbot.preprocessors.base import Preprocessor
from selfchatbot.preprocessors.media import VOICE, by_name, transcript_files
from selfchatbot.preprocessors.reading.archives import walk


class WithVoices(Preprocessor):
    """A format whose exports have voice messages beside them, as files."""

    transcribe: str | None = Field(
        None,
        min_length=1,
        description="A model of faster-whisper, such as `small`, or its folder: voice messages without a transcript "
        "get one.",
    )

    def prepare(self, path: Path, progress: Callable[[str], None]) -> list[str]:
        """Write the transcripts that are missing beside the voice messages, for this run and later ones.

        Raises ParametersError if the package is not installed or the model can't be loaded.
        """
        voices = [voice for voice in walk(path) if by_name(voice.name) == VOICE] if self.transcribe else []
        voices = [voice for voice in voices if not any(text.is_file() for text in transcript_files(voice))]
        if not voices:
            return []
        model = _load(str(self.transcribe), f'key "preprocessor_data.{self.name}.transcribe"')
        failed = 0
        for number, voice in enumerate(voices, 1):
            progress(f"transcribing voice message {number:,} of {len(voices):,} of {self.name}")
            try:
                segments, _ = model.transcribe(str(voice), vad_filter=True)
                said = _joined(segments)
            except (ValueError, RuntimeError, OSError):  # also what PyAV raises for damaged files
                failed += 1
                continue
            write_text(transcript_files(voice)[1], f"{said}\n")
        return [f"{self.name}: {failed:,} voice message(s) can't be transcribed: are they damaged?"] if failed else []


def _load(name: str, place: str) -> Any:
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise ParametersError(
            f'{place}: the package faster-whisper is not installed: pip install ".[voice]" in the folder of selfchatbot'
        ) from None
    try:
        return WhisperModel(name, device="auto", compute_type="default")
    except (ValueError, RuntimeError, OSError) as error:
        raise ParametersError(
            f'{place}: the model "{name}" can\'t be loaded ({type(error).__name__}): give a size such as "small"'
        ) from error


def _joined(segments: Iterable[Any]) -> str:
    """The text of all segments; they are computed while they are taken."""
    return " ".join(segment.text.strip() for segment in segments)
