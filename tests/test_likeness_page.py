"""likeness.html: whole, escaped, from nowhere else, and without a word of a message where that is wanted."""

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from likeness_results import about, everything, result, style

from selfchatbot.likeness.measures.base import SpeakerMeasure
from selfchatbot.likeness.measures.registry import MEASURES
from selfchatbot.likeness.report.examples import spread
from selfchatbot.likeness.report.page import Example, write_page
from selfchatbot.likeness.result import LIKENESS_FILE, Likeness, load
from selfchatbot.likeness.run import history
from selfchatbot.likeness.run.contexts import Context, TrainingTexts
from selfchatbot.likeness.run.inputs import EvaluationData, Inputs
from selfchatbot.likeness.run.judging import Judged, Reading
from selfchatbot.likeness.speakers import Speaker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TRAP = "<img src=x onerror=\"document.title='trapped'\"><script>document.title='trapped'</script>&amp; '\"{{ 7 * 7 }}"
EXAMPLE = Example(message=f"hey\nhow {TRAP}", replies={"model": f"fine {TRAP}", "base": "", "me": "good\nu?"})
VOID = ("meta", "img", "br", "link", "input")


class Elements(HTMLParser):
    """What is in a page: elements, attributes and text; fails where elements don't close in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        self.text += text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "likeness.html"


def test_it_needs_nothing_from_elsewhere_and_runs_nothing(path: Path) -> None:
    write_page(path, result(), [], [EXAMPLE], [EXAMPLE])
    page = Elements(path)
    assert not {"script", "img", "link", "iframe", "object", "svg", "base", "form", "a"} & set(page.names)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert "url(" not in page.text and "@import" not in page.text
    policy = [value for tag, _, value in page.attributes if tag == "meta" and "default-src" in value]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert list(path.parent.iterdir()) == [path]


def test_words_stay_text(path: Path) -> None:
    write_page(path, result(run={"dataset": TRAP, "model": TRAP}, parameters={"note": TRAP}), [], [EXAMPLE], [EXAMPLE])
    assert Elements(path).text.count(TRAP) == 8


def test_a_browser_opens_it(path: Path, browser: "Browser") -> None:
    made = result()
    write_page(path, made, [made, result(run={"finished": "2026-11-25T10:00:00"})], [EXAMPLE], [EXAMPLE])
    wrong: list[str] = []
    for width in (360, 1200):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: request.url == path.as_uri() or wrong.append(request.url))
        page.goto(path.as_uri())
        assert page.title() == "Is it me? Dataset_1_Zoë"
        assert page.get_by_text(f"fine {TRAP}").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") == width
        table = page.get_by_role("table", name="Area under the ROC curve")
        assert not table.is_visible()
        page.get_by_role("heading", name="Told apart").click()
        assert table.is_visible()
        how = page.get_by_text("How this is measured").first
        how.click()
        assert page.get_by_text("no better than a coin").is_visible()
        page.close()
    assert not wrong


def test_it_fits_a_screen_and_opens_on_demand(path: Path, browser: "Browser") -> None:
    """All but the examples is short; what is opened has whole words, and the newest run needs no scrolling sideways."""
    made = everything()
    runs = [result(run={"finished": f"2026-11-2{day}T10:00:00"}) for day in range(3)]
    write_page(path, made, [*runs, made])
    for width, screens in ((390, 2.5), (1200, 2)):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollHeight") < screens * 800
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        words = page.locator(".bars tbody th").evaluate_all(
            # A word is whole where the text has as many lines when it may break anywhere as when it may not.
            """(heads) => heads.filter((head) => {
                const range = document.createRange();
                const words = head.firstChild.data.matchAll(/\\S+/g);
                return [...words].some(({ 0: word, index }) => {
                    range.setStart(head.firstChild, index);
                    range.setEnd(head.firstChild, index + word.length);
                    return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
                });
            }).map((head) => head.textContent)"""
        )
        assert words == []
        runs_table = page.get_by_role("table", name="Every evaluation of this dataset")
        faults = runs_table.get_by_role("row", name="faults").get_by_role("cell").first
        assert faults.evaluate("(cell) => cell.getBoundingClientRect().right <= innerWidth")
        assert faults.inner_text() == "0 of 200"
        table = page.get_by_role("table", name="Replies with a fault")
        assert table.evaluate("(table) => table.scrollWidth <= table.parentElement.clientWidth")
        page.close()


def test_without_examples_no_word_of_a_message_is_in_it(path: Path) -> None:
    made = result(run={"validation": ()})
    write_page(path, made, [made, made])
    content = path.read_text(encoding="utf-8")
    assert "Side by side" not in content and "worst misses" not in content
    write_page(path, made, [made, made], [EXAMPLE], [EXAMPLE])
    with_examples = path.read_text(encoding="utf-8")
    assert "Side by side" in with_examples and "worst misses" in with_examples
    for words in ("how &lt;img", "fine &lt;img", "good", "u?"):
        assert f"<q>{words}" in with_examples
        assert f"<q>{words}" not in content
    assert "<q>" not in content


def test_the_sense_of_each_reply_stands_beside_it(path: Path) -> None:
    """Where the judge read; the contacts' beside the message."""
    contexts = [Context([{"role": "user", "content": f"hey {number}"}], f"hi {number}", number) for number in range(60)]
    answers: dict[Speaker, list[str]] = {
        speaker: [f"{speaker} {number}" for number in range(60)] for speaker in ("me", "model", "base", "control")
    }
    data = EvaluationData(path.parent, contexts, TrainingTexts([], []), [], [], 0)
    inputs = Inputs(data, answers, {}, [])
    places = list(range(1, 60, 2))
    scores = {"me": 0.0, "model": -9.5, "base": -100, "control": 9.5}
    readings = {name: [Reading(number + shift, 0, 1) for number in range(30)] for name, shift in scores.items()}
    shown = spread(inputs, Judged("judge", places, readings))
    assert len(shown) == 12 and shown[0].replies["model"] == "model 1"
    assert shown[6].sense == {"me": 42, "model": 10, "base": 0, "control": 73}
    write_page(path, result(), [], shown)
    text = Elements(path).text
    assert "the model sense 10" in text and "the base model sense 0" in text and "somebody sense 73" in text
    assert "Sense is what the judge thinks" in text
    without = spread(inputs, None)
    assert without[0].replies["model"] == "model 0" and not any(example.sense for example in without)
    write_page(path, result(), [], without)
    assert "the judge thinks" not in Elements(path).text


def test_it_says_figures_in_words_and_explains_them(path: Path) -> None:
    mine, its = style(0.02, full_stop=0.03, characters=80), style(0.1, full_stop=0.41, characters=60)
    its["full_stop"] = its["full_stop"].model_copy(update={"distance": about(0.5)})
    write_page(path, result(me={"style": mine}, model={"style": its}, run={"training_replies": 400}))
    text = Elements(path).text
    for said in (
        "Its wording is closer to yours than your friends' is; still told apart in 6 of 10 guesses",
        "0.60 (.57–.63)",
        "you end 3 % of messages with a full stop, the model 41 %",
        "you write 80.0 characters a reply, the model 60.0",
        "more chats help more than any setting",
        "log P(reply | context) − log P(reply | no context)",
    ):
        assert said in text
    assert text.index("full stop, the model 41 %") < text.index("characters a reply")
    assert "25.0" in text  # times chance: 0.5 / 0.02


def test_every_measure_has_its_section_and_explains_itself(path: Path) -> None:
    made = everything()
    write_page(path, made, [made, made])
    text = Elements(path).text
    found = [measure for measure in MEASURES if made.findings(measure)]
    assert len(found) >= 10
    for measure in found:
        assert f"\n  {measure.explanation.title}\n" in text, measure.key
        assert measure.explanation.fools in text
        if isinstance(measure, SpeakerMeasure) and measure.column:
            assert measure.column.label in text


@pytest.mark.parametrize(
    "made",
    [
        result(without=("base", "control")),
        result(without=("me", "base", "control")),
        result(without=("model",)),
        result(model={"auc": None, "authorship": None, "fitting": None, "copying": None, "leaks": None}),
        result(me={"auc": about(0.35, 0.2)}),
    ],
)
def test_what_was_not_measured_is_left_out(path: Path, made: Likeness) -> None:
    write_page(path, made)
    assert "None" not in Elements(path).text


def test_only_differences_beyond_chance_are_named(path: Path) -> None:
    write_page(path, result(model={"style": style(0.02)}))
    assert "Nothing differs by more than chance" in Elements(path).text
    # Chance goes up to 0.03 there.
    mine, its = style(0.02), {**style(0.029), "question": style(0.04)["question"]}
    write_page(path, result(me={"style": mine}, model={"style": its}))
    text = Elements(path).text
    assert text.count(", the model 10 %") == text.count("you ask (?) in 10 % of messages, the model 10 %") == 1


def test_every_table_has_a_caption_and_heads(path: Path) -> None:
    write_page(path, result(), [result(), result()])
    page = Elements(path)
    assert page.names["table"] == page.names["caption"] == page.names["thead"] > 8
    assert page.names["th"] == sum(1 for tag, name, _ in page.attributes if (tag, name) == ("th", "scope"))


def test_runs_are_kept_by_time_and_compared(tmp_path: Path, path: Path) -> None:
    aucs = (0.7, 0.65, 0.6)
    for hour, auc in zip((9, 10, 11), aucs, strict=True):
        finished = {"finished": f"2026-11-24T{hour:02d}:00:00", "contexts": 10 * hour, "training_replies": 7 * hour}
        history.keep(result(run=finished, parameters={"temperature": hour / 10}, model={"auc": about(auc)}), tmp_path)
    kept = history.runs(tmp_path)
    assert [run.speakers["model"].auc for run in kept] == [about(auc) for auc in aucs]
    assert load(tmp_path / LIKENESS_FILE) == kept[-1]
    write_page(path, kept[-1], kept)
    text = Elements(path).text
    assert "Runs of this dataset" in text
    for said in (
        "2026-11-24 09:00, best",
        "0.70 (.67–.73)",
        "temperature",
        "1.1",
        "contexts",
        "110",
        "training_replies",
        "77",
    ):
        assert said in text
    # What was the same in all is no column.
    assert text.count("repetition_penalty") == 1
    write_page(path, kept[-1], kept[-1:])
    assert "Runs of this dataset" not in Elements(path).text


def test_a_run_of_another_version_is_left_out(tmp_path: Path) -> None:
    history.keep(result(), tmp_path)
    later = result().model_dump_json().replace('"schema_version":1', '"schema_version":2')
    (tmp_path / "likeness" / "2025-01-01T00-00-00.json").write_text(later, encoding="utf-8")
    assert len(history.runs(tmp_path)) == 1


def test_a_page_that_can_not_be_written_leaves_the_old_one(path: Path) -> None:
    write_page(path, result(), [], [EXAMPLE])
    before = path.read_bytes()
    broken: dict[Speaker, str] = {"model": None}  # type: ignore[dict-item]
    with pytest.raises(AttributeError):
        write_page(path, result(), [], [Example(message="hey", replies=broken)])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
