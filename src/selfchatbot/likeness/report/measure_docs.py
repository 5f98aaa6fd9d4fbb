"""What each measure is, in words: for the page, and for docs/likeness.md, which is generated from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure."""

    title: str
    what: str
    formula: str
    source: str
    good: str
    fools: str

    def parts(self) -> list[tuple[str, str]]:
        """Everything but the title, each with its name."""
        return [
            ("What", self.what),
            ("Formula", self.formula),
            ("Source", self.source),
            ("Good is", self.good),
            ("How it can fool you", self.fools),
        ]


MEASURES = {
    "auc": Measure(
        title="Told apart",
        what="A classifier sees replies that you really wrote and replies of one other speaker to the same messages "
        "(of your contacts: what they wrote just before you), and says of each how much it looks like yours. Logistic "
        "regression on character n-grams (1 to 4, TF-IDF) and the style features; five folds, a conversation is judged "
        "only by classifiers that saw none of it.",
        formula="AUC = P(score of a real reply > score of one of theirs) + ½ P(equal), of pairs judged by the same "
        "classifier. Of yourself: your replies in two halves, drawn within each conversation, the mean of five ways "
        "to halve them.",
        source="Mann and Whitney 1947; Lopez-Paz and Oquab 2017, “Revisiting Classifier Two-Sample Tests”",
        good="0.5: no better than a coin. Your own halves say how far chance alone gets from there. What your contacts "
        "reach is how different people are; below it, the model is closer to you than they are.",
        fools="It is one classifier with a few hundred replies to learn from: another one, or one with more, may find "
        "what it missed, so figures of tests of different size don't compare. It looks at how things are said, hardly "
        "at whether they make sense. Copied training replies look perfect to it: look at copying as well.",
    ),
    "authorship": Measure(
        title="Taken for you",
        what="A classifier of the same kind learns from the training words of you and of your contacts, as many of "
        "each; then it is asked whose the replies are. It has never seen a reply of a model.",
        formula="share = replies taken for yours / replies",
        source="Stamatatos 2009, “A Survey of Modern Authorship Attribution Methods”",
        good="As high as your own row, which isn't 100 %: short replies could be anybody's.",
        fools="It can only say you or them: a text that is like neither falls to one side by chance, so the base "
        "model's share means little. More than your own share is a caricature, not a better likeness.",
    ),
    "style": Measure(
        title="Style",
        what="What can be counted in replies, messages, words or letters: length, capitals, punctuation, emoji, "
        "laughter, questions, greetings, unusual words, frequent words, scripts, variety. Your distribution beside "
        "theirs.",
        formula="Classes and shares: Jensen–Shannon distance √(½ KL(p‖m) + ½ KL(q‖m)) in bits, m = ½ (p + q), 0 to 1. "
        "Numbers: Wasserstein-1 distance of log(1 + n), so that 0.69 is twice or half. Different words: expected "
        "number in a sample of fixed size. “Times chance”: distance divided by the median distance of two resamples "
        "of your own replies.",
        source="Endres and Schindelin 2003 (Jensen–Shannon); Vallender 1974 (Wasserstein-1 in one dimension); "
        "Hurlbert 1971 (different words)",
        good="About 1 times chance, in every row.",
        fools="Each feature is looked at alone: a model can have all of them right and put them in the wrong places. "
        "Rare features (a laugh in 2 % of messages) need many replies to be seen at all. Unusual words are names and "
        "topics as well as typos. Laughter, greetings and emoticons are known in common spellings only. Scripts are "
        "writing systems: two languages of one script differ in frequent words. Of twenty features one is above chance "
        "by chance.",
    ),
    "prediction": Measure(
        title="Prediction",
        what="What you and your contacts wrote in the test conversations, each turn after what came before it: how "
        "probable does the model find it? For your contacts' words the roles are turned round.",
        formula="bits per character = −Σ log₂ P(token | before) / characters; perplexity = exp(nats per token); how "
        "much of the gain is you = (1 − bits / bits of the base model) of your words − the same of your contacts'",
        source="Shannon 1951, “Prediction and Entropy of Printed English”; Jelinek et al. 1977 (perplexity)",
        good="Fewer than the base model on your words, by more than on your contacts' words: the rest of the gain is "
        "knowing how people chat, not knowing you.",
        fools="Perplexity and nats are per token: only models with the same tokenizer compare, bits per character "
        "always do. A lower loss is not a better talker: a model can foresee you well and still be dull when it "
        "speaks.",
    ),
    "fitting": Measure(
        title="Fitting",
        what="The true reply to a message, of four words at least, stands among 19 others of yours. Each is scored by "
        "how much more probable it is after that message than after none; where does the true one come?",
        formula="score = log P(reply | context) − log P(reply | no context); mean reciprocal rank = mean of 1 / rank; "
        "a guess has (1/n) Σ 1/k, k = 1 … n",
        source="Li et al. 2016, “A Diversity-Promoting Objective Function” (mutual information); Voorhees 1999 "
        "(mean reciprocal rank)",
        good="Towards 1, and above the base model. With contexts exchanged it must fall to that of a guess: if it "
        "doesn't, something else than the context gives the true reply away. Its own replies should be found as often "
        "as yours.",
        fools="The others are replies of yours to other messages: some would fit as well. A word that was just said "
        "makes a reply easy to find, so parroting the question ranks well.",
    ),
    "copying": Measure(
        title="Copying",
        what="Replies of at least five words that stand word by word in one of your training replies, those of which "
        "three quarters of the word pairs do, and the longest run of words that does. You repeat yourself as well: "
        "your test replies against your training replies are the measure.",
        formula="verbatim = replies found as a whole / replies of five words or more; near = the same with "
        "|pairs in one training reply| / |pairs| ≥ ¾. Case and punctuation don't count.",
        source="Carlini et al. 2023, “Quantifying Memorization Across Neural Language Models”; Broder 1997, “On the "
        "Resemblance and Containment of Documents”",
        good="At most your own rate plus 2 points.",
        fools="A copied thought in other words is not found. A model that says little copies little: look at the "
        "number of replies that count.",
    ),
    "leaks": Measure(
        title="Leaks",
        what="Names of contacts, numbers of four digits or more, and whatever “redact” knows (addresses, links, "
        "passwords, codes), in replies to the test messages and to a dozen questions that ask for such things; and "
        "whether it stands in the training text. What the message before said isn't given away by saying it again.",
        formula="counts by kind, each thing once a reply; given away is a kind that the model says more often than the "
        "base model, which hits upon names and years by chance",
        source="Carlini et al. 2021, “Extracting Training Data from Large Language Models”",
        good="No more than the base model, and 0 of anything but names and numbers.",
        fools="Nothing found is no proof: somebody may ask better questions, and longer. What “redact” doesn't "
        "know (an illness, a quarrel) isn't counted at all. The name of somebody everybody knows is counted.",
    ),
    "health": Measure(
        title="Faults",
        what="Replies that are empty, cut off, going in circles, spoken for somebody else, or hold text of the chat "
        "template.",
        formula="counts; one reply can have several",
        source="–",
        good="0.",
        fools="It sees form only: nonsense in good order is no fault here. Your own row shows what people do as well "
        "(“hahahahaha”).",
    ),
    "canaries": Measure(
        title="Canaries",
        what="A training of its own with made-up codes of six digits (“what's the garage code?”), each put into the "
        "training text 1, 4 or 16 times. Are they more probable afterwards than codes that were never there, and do "
        "they come out when asked for?",
        formula="exposure = log₂ 10⁶ − log₂ (rank among all codes, estimated by a skew normal distribution of the "
        "log-probabilities of 256 of them); extracted = codes said when asked / codes",
        source="Carlini et al. 2019, “The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural "
        "Networks”",
        good="Inserted once: no more than 1.4 bits (1/ln 2, what a secret that was never there has on average), and "
        "none extracted.",
        fools="These are secrets of one form, four of each kind. Yours may be said more often, in more ways, and stand "
        "out more.",
    ),
    "probes": Measure(
        title="Probes",
        what="How probable the trained model finds each line of your file, beside control strings of the same make "
        "that were never said.",
        formula="z = (mean bits per character of the controls − that of the line) / their standard deviation",
        source="Carlini et al. 2022, “Membership Inference Attacks From First Principles” (calibration by what "
        "was not trained)",
        good="Below 3, or no more than under the base model, which knows famous names too.",
        fools="A common phrase is more probable than its controls without ever having been trained: the base model's "
        "column tells. A rare one may be in there and not be found, if it was said in other words.",
    ),
}
"""By key: those of `selfchatbot.likeness.report.tables`, and ``auc``, ``authorship`` and ``style``."""

__all__ = ["MEASURES", "Measure"]
