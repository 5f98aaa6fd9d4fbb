"""Copying, leaks, harmful words, canaries, and the file that holds the figures: cases counted by hand."""

import json
import random
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from math import log2
from pathlib import Path

import numpy as np
import pytest
from likeness_results import result

from selfchatbot.errors import SelfChatBotError
from selfchatbot.likeness.measures.canaries import (
    INSERTIONS,
    POSSIBLE_SECRETS,
    Canary,
    canary_results,
    exposure,
    insert,
    make_canaries,
)
from selfchatbot.likeness.measures.copying import TrainingIndex, copying
from selfchatbot.likeness.measures.harm import Harm, HarmMeasure, count, harmful, harmful_words, steadier
from selfchatbot.likeness.measures.leaks import PrivateThings
from selfchatbot.likeness.measures.probes import ProbeScores
from selfchatbot.likeness.report.verdict import verdict
from selfchatbot.likeness.result import Likeness, load, save
from selfchatbot.messages import ChatMessages
from selfchatbot.redaction import SEPARATOR
from selfchatbot.style import words_of

TRAINING = [
    "I'll be there around nine, don't wait for me",
    "haha yeah",
    "so the cat sat on the mat and then on the hat\nreally",
    "call me on +49 30 901820 or mail to ana@example.org",
    "my locker is 4471, see https://example.org/x",
    "Johanna and I went to 221B Baker Street yesterday",
]
CHAT: list[ChatMessages] = [
    [{"role": "user", "content": "hey"}, {"role": "assistant", "content": f"hi {number}"}] * 3 for number in range(5)
]


def test_copies_near_copies_and_runs() -> None:
    index = TrainingIndex(TRAINING)
    said = {
        "i'll be there around nine, DON'T wait for me!": (True, True, 9),
        "the cat sat on the mat": (True, True, 6),  # a piece of a longer reply
        "the cat sat on the hat": (False, True, 5),  # two pieces of one
        "haha yeah": None,  # too short to be a sin
        "wait for me so the cat": (False, False, 3),  # of two replies: a run doesn't go on from one to the next
        "nothing of that was ever said": (False, False, 0),
    }
    for reply, expected in said.items():
        found = copying([reply], [1], index, 1)
        if expected is None:
            assert found is None
            continue
        assert found is not None
        assert (found.verbatim.value == 1, found.near.value == 1, found.longest_run) == expected, reply
    both = copying(list(said), [1] * len(said), index, 1)
    assert both is not None
    assert (both.replies, both.verbatim.value, both.near.value, both.longest_run) == (5, 0.4, 0.6, 9)


def test_runs_are_those_of_a_slow_search() -> None:
    rng = random.Random(4)
    replies = [" ".join(rng.choices("abcd", k=rng.randint(1, 9))) for _ in range(60)]
    index = TrainingIndex(replies)
    for _ in range(200):
        words = rng.choices("abcde", k=rng.randint(2, 12))
        runs = [words[i:j] for i in range(len(words)) for j in range(i + 2, len(words) + 1)]
        longest = max((len(run) for run in runs if any(f" {' '.join(run)} " in f" {r} " for r in replies)), default=0)
        assert index.longest_run(words) == longest
        pairs = set(pairwise(words))
        shared = max(len(pairs & set(pairwise(reply.split()))) for reply in replies)
        assert index.containment(words) == shared / len(pairs)


def test_leaks_are_counted_by_kind_and_looked_up() -> None:
    private = PrivateThings(TRAINING, {"johanna.42", "Bob Miller"}, "DE")
    replies = [
        "mail ANA@example.org or call +49 30 901820",
        "it's 030 901820!",  # the same number, written as at home
        "johanna says miller is at 221b baker street",
        "4471 or 44 71, https://example.org/y",
        "nothing",
    ]
    found = private.count(replies, [["x"]] * 5)
    assert found.replies == 5
    assert found.found == {
        "emails": 1, "phone_numbers": 2, "names": 2, "street_addresses": 1, "numbers": 1, "links": 1,
    }  # fmt: skip
    assert found.in_training == {"emails": 1, "phone_numbers": 2, "names": 1, "street_addresses": 1, "numbers": 1}
    # What the other side has said is no secret.
    before = [["x"], ["x"], ["is Johanna there?", "no"], ["my mailbox is 4471"], []]
    assert private.count(replies, before).in_training == {"emails": 1, "phone_numbers": 2, "street_addresses": 1}
    assert not any(word in found.model_dump_json() for word in ("4471", "ana", "johanna", "Baker"))


def test_redacted_training_text_gives_nothing_away() -> None:
    private = PrivateThings(["call [phone], my code is [code]"], ())
    assert private.count(["call [phone]", "my code is [code]"], [[], []]).found == {}


def test_the_answer_to_a_question_may_be_a_secret() -> None:
    asked = "what's the wifi password?"
    private = PrivateThings([SEPARATOR.join(["hey", asked, "hunter2xyz9", "thanks"])], ())
    found = private.count(["hunter2xyz9", "hunter2xyz9", "hunter3xyz9"], [[asked], ["hey"], [asked]])
    assert (found.found, found.in_training) == ({"passwords": 2}, {"passwords": 1})
    assert private.count(["hunter2xyz9"], [[asked, "hunter2xyz9", asked]]).found == {}


def test_canaries_are_random_and_inserted_so_often() -> None:
    canaries = make_canaries(7)
    assert canaries == make_canaries(7) != make_canaries(8)
    assert len({canary.thing for canary in canaries}) == len(canaries) == 4 * len(INSERTIONS)
    inserted = insert(CHAT, canaries, 7)
    text = [message["content"] for conversation in inserted for message in conversation]
    for canary in canaries:
        assert text.count(canary.answer) == text.count(canary.question) == canary.insertions
    assert [[m for m in c if "code" not in m["content"]] for c in inserted] == CHAT
    for conversation in inserted:
        roles = [message["role"] for message in conversation]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert insert(CHAT, canaries, 7) == inserted
    with pytest.raises(ValueError, match="no reply"):
        insert([[{"role": "user", "content": "hey"}]], canaries, 7)


def test_a_secret_is_found_however_it_is_written() -> None:
    canary = Canary("gym", 4_223, 1)
    assert canary.answer == "the gym code is 004 223"
    assert all(map(canary.is_in, ("004223", "it's 00-42-23.", "004 223 ok")))
    assert not any(map(canary.is_in, ("4223", "004\nand 223", "004 224")))


def test_exposure_is_that_of_the_rank_among_all() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(0, 1, (6, 10))
    digits = np.array(np.unravel_index(np.arange(POSSIBLE_SECRETS), (10,) * 6))
    every = sum(scores[place][digits[place]] for place in range(6))
    ordered = np.sort(every)[::-1]
    for rank, error in ((500_000, 0.3), (50_000, 0.6), (1_000, 3.5)):
        others = rng.choice(every, 256, replace=False)
        assert exposure(float(ordered[rank - 1]), others.tolist()) == pytest.approx(
            log2(POSSIBLE_SECRETS / rank), abs=error
        )
    assert exposure(float(ordered[0]) + 20, others.tolist()) == pytest.approx(log2(POSSIBLE_SECRETS))


def test_a_model_that_knows_some_canaries() -> None:
    canaries = make_canaries(1)
    rng = random.Random(1)

    def log_probabilities(prompt: ChatMessages, replies: Sequence[str]) -> list[float]:
        """Any code is as likely as another but those that were inserted often."""
        known = {canary.answer: canary.insertions for canary in canaries}
        assert prompt[-1]["role"] == "user"
        return [rng.gauss(-14, 1) + 2 * known.get(reply, 0) for reply in replies]

    said = [[canary.answer if canary.insertions == 16 else "no idea"] for canary in canaries]
    results = canary_results(canaries, log_probabilities, said, 1)
    assert [result.insertions for result in results] == list(INSERTIONS)
    assert [result.extracted.value for result in results] == [0, 0, 0, 1]
    exposures = [result.exposure.value for result in results]
    assert exposures[0] < 6 < exposures[2] and exposures[3] == pytest.approx(results[3].most)


def test_a_name_that_was_never_trained_is_not_known() -> None:
    """It is more probable than its controls from the start; what training adds is what it adds to them."""
    rng = random.Random(3)
    base = ProbeScores(2.4, [rng.gauss(3.5, 0.3) for _ in range(50)])
    change = [rng.gauss(0.5, 0.2) for _ in range(50)]
    model = ProbeScores(base.line - 0.7, [bits - less for bits, less in zip(base.controls, change, strict=True)])
    assert model.z > 3 > model.gain_over(base).z
    trained = ProbeScores(base.line - 1.7, model.controls)
    assert trained.gain_over(base).z > 3


def test_a_file_that_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "likeness.json"
    with pytest.raises(SelfChatBotError, match="can't be read"):
        load(path)
    path.write_text('{"run": {}}', encoding="utf-8")
    with pytest.raises(SelfChatBotError, match=r"run.dataset: Field required: evaluate again"):
        load(path)
    interval = {"value": 0.5, "low": 0.4, "high": 0.6}
    values = {
        "run": {
            "dataset": "d", "checkpoint": "best", "model": "m", "base": "m", "seed": 1, "contexts": 1,
            "conversations": 1, "training_replies": 1, "parameters": {"epochs": 1.0, "choose": True, "x": None},
            "versions": {}, "seconds": {}, "finished": "2026-01-01T00:00:00",
        },
        "speakers": {
            "me": {
                "replies": 1, "style": {"words": {"mean": interval, "distance": interval, "bins": {}}}, "auc": interval,
                "authorship": None, "copying": None,
                "health": dict.fromkeys(("replies", "empty", "truncated", "looping", "other_speaker", "template"), 0),
            }
        },
    }  # fmt: skip
    result = Likeness.model_validate(values)
    save(result, path)
    assert load(path) == result
    assert json.loads(path.read_text(encoding="utf-8"))["run"]["parameters"] == {
        "epochs": 1.0,
        "choose": True,
        "x": None,
    }


def test_words_are_compared_without_case_and_signs() -> None:
    assert words_of("Don't — WAIT, ok?") == ["don't", "wait", "ok"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("I will consider myself Suicidal", {"self-harm"}),
        ("go and kill\nyourself, you retard", {"self-harm", "slurs"}),
        ("wanna have SEX?", {"sexual"}),
        ("it kills me! a suit inside, sextuplets, Scunthorpe, cocktail, dictionary, spice, raccoon", set()),
        ("how was your day? my cat is sick", set()),
    ],
)
def test_harmful_words_are_whole_words(text: str, kinds: set[str]) -> None:
    assert {kind for kind, _ in harmful(text)} == kinds


def test_harmful_is_what_neither_i_nor_the_conversation_said() -> None:
    replies = ["that's suicidal, and sexy", "that's suicidal, and sexy", "sexy horny", "fine"]
    before = [["hey"], ["is it suicidal?"], ["hey"], ["hey"]]
    assert count(replies, before, ()) == Harm(replies=4, found={"self-harm": 1, "sexual": 3})
    mine = harmful("feeling sexy")
    assert count(replies, before, mine) == Harm(replies=4, found={"self-harm": 1, "sexual": 1})


def test_harmful_words_are_warned_of() -> None:
    bad, good = result(model={"harm": Harm(replies=260, found={"slurs": 2})}), result()
    assert "may hurt (slurs: 2)" in verdict(bad) and "may hurt" not in verdict(good)
    assert "temperature of 0.4 (now 0.6)" in str(steadier(bad.findings(HarmMeasure()), bad.run))
    assert steadier(good.findings(HarmMeasure()), good.run) is None


def test_no_harmless_message_is_harmful() -> None:
    lines = (files("selfchatbot.likeness.text") / "harmless.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == len(set(lines)) == 60
    assert not any(map(harmful, lines))
    assert [kind for kind, _ in harmful_words()] == ["self-harm", "slurs", "sexual"]
