"""The stage for sensitive words: refused, held or counted, and told in places of what was sent in."""

from gateway.account import Account
from gateway.policy.signature import SignatureStage
from gateway.policy.verdict import Reason
from gateway.policy.words import HOLD, WordStage
from tests.policy.samples import ABROAD, SIGNED, a_candidate
from tests.words.samples import a_lexicon

STAGE = WordStage(
    a_lexicon(
        "[invoices]\n代开发票\n[jobs] review\n刷单返利\n[odd] tag\n天上掉馅饼\n[invoices.usual] allow\n税务局代开发票"
    )
)


def decide(text: str, account: Account = SIGNED, **fields):
    candidate = a_candidate(account, text=text, **fields)
    SignatureStage().decide(candidate, now=0.0)
    return STAGE.decide(candidate, now=0.0), candidate


def test_a_blocked_word_is_refused_with_its_group_and_place():
    refusal, candidate = decide("您好，代開 發票")
    assert refusal is not None
    assert refusal.reason is Reason.SENSITIVE_WORDS
    assert refusal.data == {
        "words": [{"group": "invoices", "word": "代开发票", "length": 5, "in": "text", "position": 3}]
    }
    assert "invoices" in refusal.detail
    assert "invoices" in refusal.chinese
    assert candidate.tags == ("words.invoices",)


def test_the_place_is_that_in_the_text_that_was_sent_in_with_or_without_its_signature():
    for text, position in (("【阳光物业】代开发票", 6), ("代开发票", 0)):
        refusal, candidate = decide(text)
        assert refusal is not None
        assert candidate.text == "【阳光物业】代开发票"
        assert refusal.data["words"][0]["position"] == position


def test_a_word_in_the_signature_is_one_too():
    refusal, _ = decide("您好", Account(name="any"), signature="专业代开发票")
    assert refusal is not None
    assert refusal.data["words"] == [
        {"group": "invoices", "word": "代开发票", "length": 4, "in": "signature", "position": 2}
    ]


def test_the_text_itself_is_not_quoted():
    refusal, _ = decide("联系张三，代*开*发*票")
    assert refusal is not None
    assert "张三" not in repr(refusal)
    assert "代*开" not in repr(refusal)


def test_a_word_to_be_looked_at_holds_the_message():
    refusal, candidate = decide("刷單返利，天上掉馅饼")
    assert (refusal, candidate.hold) == (None, HOLD)
    assert candidate.tags == ("words.jobs", "words.odd")


def test_what_held_it_is_told_in_places_of_what_was_sent_in_with_level_and_manner():
    _, candidate = decide("刷單返利，天上掉馅饼，刷单反利")
    expected = [
        {
            "group": "jobs",
            "word": "刷单返利",
            "in": "text",
            "position": 0,
            "length": 4,
            "level": "review",
            "manner": "plain",
        },
        {
            "group": "odd",
            "word": "天上掉馅饼",
            "in": "text",
            "position": 5,
            "length": 5,
            "level": "tag",
            "manner": "plain",
        },
        {
            "group": "jobs",
            "word": "刷单返利",
            "in": "text",
            "position": 11,
            "length": 4,
            "level": "tag",
            "manner": "sound",
        },
    ]
    assert candidate.noticed == {"words": expected}
    message = a_candidate(text="【阳光物业】刷單返利", signature="阳光物业")
    [line] = STAGE.noticed(message)
    assert (line["word"], line["in"], line["position"]) == ("刷单返利", "text", 6)


def test_words_that_the_account_is_exempt_from_are_not_noticed_either():
    exempt = Account(name="exempt", signatures=("阳光物业",), word_exemptions=frozenset({"jobs"}))
    _, candidate = decide("刷單返利", exempt)
    assert (candidate.noticed, STAGE.noticed(candidate)) == (None, [])


def test_what_is_only_counted_goes():
    refusal, candidate = decide("天上掉馅饼，代kai发票，刷单反利，亻弋开发票")
    assert (refusal, candidate.hold) == (None, "")
    assert candidate.tags == (
        "words.odd",
        "words_by_sound.invoices",
        "words_by_sound.jobs",
        "words_in_pieces.invoices",
    )


def test_a_harmless_text_is_left_as_it_is():
    refusal, candidate = decide("明日停水，请到税务局代开发票")
    assert (refusal, candidate.hold, candidate.tags) == (None, "", ())


def test_an_account_may_be_exempt_from_a_group():
    exempt = Account(name="exempt", signatures=("阳光物业",), word_exemptions=frozenset({"invoices"}))
    assert decide("代开发票", exempt)[0] is None
    refusal, candidate = decide("代开发票，刷单返利", exempt)
    assert (refusal, candidate.hold, candidate.tags) == (None, HOLD, ("words.jobs",))


def test_a_refusal_does_not_grow_with_the_text():
    refusal, _ = decide("代开发票" * 50)
    assert refusal is not None
    assert len(refusal.data["words"]) == 20


def test_words_matter_in_other_countries_too():
    refusal, _ = decide("代开发票", Account(name="any"), to=ABROAD)
    assert refusal is not None


def test_another_lexicon_may_take_its_place():
    stage = WordStage(a_lexicon("别的词语"))
    assert stage.decide(a_candidate(text="代开发票"), now=0.0) is None
    stage.lexicon = a_lexicon("代开发票")
    assert stage.decide(a_candidate(text="代开发票"), now=0.0) is not None
    assert stage.decide(a_candidate(text="代开发票"), now=0.0) is not None
