"""The sample batch is what it says it is: enough, varied, on all networks, within the rules, and rightly expected."""

import datetime
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.account import Account
from gateway.message import MessageId
from gateway.numbers import InvalidNumber, Network, NumberPlan, normalise
from gateway.policy.candidate import Candidate, Draft
from gateway.policy.cap_settings import DEFAULT_CAPS
from gateway.policy.caps import SECRET_BYTES, CapsStage, Tags
from gateway.policy.charges import Charges
from gateway.policy.content import ContentStage
from gateway.policy.number import NumberStage
from gateway.policy.opt_out_text import OptOutTextStage
from gateway.policy.otp import OtpStage
from gateway.policy.pipeline import Pipeline
from gateway.policy.settings import ContentSettings
from gateway.policy.signature import SignatureStage
from gateway.policy.symbols import SymbolStage
from gateway.text import count_parts
from loadtest.sample import read_sample, requests_of

CONFIG = Path(__file__).parents[1] / "config"
BATCH_PATH = CONFIG / "demo" / "messages.jsonl"
SIGNATURE = "【阳光物业】"
YEAR = 2026  # of every date in the batch
MAXIMUM_CHARACTERS = 500
# What the simulator makes of the last four digits, where that is not `delivered`.
SPECIAL_STATUS = {
    "0001": "failed",
    "0002": "failed",
    "0003": "failed",
    "0004": "failed",
    "0005": "unknown",
    "0010": "failed",
}
SPECIAL_DELIVERED = {"0000", "0007", "0008", "0009", "0011", "0012", "0013", "0014"}

Entry = dict[str, Any]


def read_batch() -> list[Entry]:
    lines = BATCH_PATH.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


BATCH = read_batch()
SENT = [entry for entry in BATCH if entry["expect"]["status"] != "refused"]
REFUSED = [entry for entry in BATCH if entry["expect"]["status"] == "refused"]


def sent_text(entry: Entry) -> str:
    """Return the text as it leaves, signature in front."""
    text: str = entry["message"]["text"]
    return text if text.startswith("【") else SIGNATURE + text


def of_category(category: str) -> list[Entry]:
    return [entry for entry in SENT if entry["message"].get("category", "notification") == category]


def test_the_batch_has_at_least_320_messages_to_send_and_a_handful_to_refuse():
    assert len(SENT) >= 320
    assert 5 <= len(REFUSED) <= 20


def test_every_entry_has_a_message_an_expectation_and_a_note():
    allowed = {"to", "text", "category", "urgent", "signature", "valid_for_seconds", "client_ref", "batch"}
    for entry in BATCH:
        assert set(entry) == {"message", "expect", "note"}
        assert {"to", "text", "client_ref"} <= set(entry["message"]) <= allowed
        assert entry["note"]
    for entry in SENT:
        assert set(entry["expect"]) == {"status", "parts"}
    for entry in REFUSED:
        assert set(entry["expect"]) == {"status", "code"}


def test_everyone_is_written_to_once_under_a_ref_of_their_own():
    assert len({normalise(entry["message"]["to"]) for entry in SENT}) == len(SENT)
    assert len({entry["message"]["client_ref"] for entry in BATCH}) == len(BATCH)
    assert all(len(entry["message"]["client_ref"]) <= 64 for entry in BATCH)
    assert all(len(entry["message"].get("batch", "")) <= 64 for entry in BATCH)


def test_all_four_networks_are_written_to():
    plan = NumberPlan.parse((CONFIG / "number_plan.csv").read_text(encoding="utf-8"))
    networks = Counter(plan.lookup(normalise(entry["message"]["to"])).network for entry in SENT)
    assert set(networks) == {Network.CMCC, Network.CUCC, Network.CTCC, Network.CBN}
    assert min(networks.values()) >= 20


def test_numbers_are_spelt_as_people_spell_them():
    spellings = {re.sub(r"\d", "9", entry["message"]["to"]) for entry in SENT}
    assert {"99999999999", "+9999999999999", "999-9999-9999", "999 9999 9999"} <= spellings


def test_only_numbers_with_a_special_ending_end_otherwise_than_delivered():
    endings = {normalise(entry["message"]["to"]).e164[-4:]: entry["expect"]["status"] for entry in SENT}
    assert {ending: status for ending, status in endings.items() if status != "delivered"} == SPECIAL_STATUS
    assert {ending for ending in endings if ending < "0100"} == set(SPECIAL_STATUS) | SPECIAL_DELIVERED


def test_every_message_to_send_keeps_the_content_rules():
    for entry in SENT:
        text, ref = sent_text(entry), entry["message"]["client_ref"]
        assert len(text) <= MAXIMUM_CHARACTERS, ref
        assert text.startswith(SIGNATURE), ref
        assert text.removeprefix(SIGNATURE).strip() == text.removeprefix(SIGNATURE), ref
        assert text.count("【") == text.count("】") == 1, ref
        assert not re.search(r"[★√※→●☞✓¥￥&\x00-\x1f]|\^_\^|https?:|www\.", text), ref


def test_codes_keep_the_rules_of_otp():
    for entry in of_category("otp"):
        text, ref = entry["message"]["text"], entry["message"]["client_ref"]
        assert "验证码" in text, ref
        assert re.search(r"(?<!\d)\d{4,6}(?!\d)", text), ref
        assert re.search("(?<!\\d)(5|10)分钟", text), ref
        assert not re.search("电话|拨打|微信|优惠", text), ref


def test_only_marketing_ends_with_the_opt_out_text():
    for entry in SENT:
        text, ref = entry["message"]["text"], entry["message"]["client_ref"]
        is_marketing = entry["message"].get("category") == "marketing"
        assert text.endswith("拒收请回复R") == is_marketing, ref
        assert not re.search("退订|TD|拒收(?!请回复R$)", text), ref


def test_every_message_to_send_makes_the_parts_expected():
    for entry in SENT:
        assert count_parts(sent_text(entry)) == entry["expect"]["parts"], entry["message"]["client_ref"]


def test_every_date_falls_on_its_weekday():
    for entry in SENT:
        for month, day, weekday in re.findall(r"(\d+)月(\d+)日（?周([一二三四五六日])", entry["message"]["text"]):
            assert "一二三四五六日"[datetime.date(YEAR, int(month), int(day)).weekday()] == weekday


def test_the_batch_has_what_a_property_company_sends():
    kinds = Counter(entry["note"].split(":")[0] for entry in SENT)
    assert min(kinds[kind] for kind in ("water", "power", "lift", "fee", "code", "parcel", "parking", "event")) >= 10
    fees = Counter(entry["note"] for entry in SENT)
    assert min(fees[f"fee: {tone}"] for tone in ("about to fall due", "overdue", "last notice")) >= 20
    assert len(of_category("otp")) >= 40
    assert len(of_category("marketing")) >= 10


def test_the_batch_has_messages_of_one_two_and_three_parts_and_one_with_an_emoji():
    parts = Counter(entry["expect"]["parts"] for entry in SENT)
    assert set(parts) == {1, 2, 3}
    assert min(parts.values()) >= 5
    assert any(ord(character) > 0xFFFF for entry in SENT for character in entry["message"]["text"])


def test_most_texts_leave_the_signature_out_and_some_carry_it():
    carried = sum(entry["message"]["text"].startswith(SIGNATURE) for entry in SENT)
    assert 20 <= carried <= len(SENT) // 4


def test_texts_differ():
    most_common = Counter(entry["message"]["text"] for entry in SENT).most_common(1)
    assert most_common[0][1] <= 5
    assert len({sent_text(entry) for entry in SENT}) >= 240


def refused_texts(code: str) -> list[str]:
    texts = [entry["message"]["text"] for entry in REFUSED if entry["expect"]["code"] == code]
    assert texts, code
    return texts


def test_every_refusal_that_a_sender_meets_is_in_the_batch():
    assert {entry["expect"]["code"] for entry in REFUSED} == {
        "invalid_number",
        "invalid_text",
        "too_long",
        "signature_invalid",
        "signature_not_registered",
        "otp_keyword_missing",
        "otp_url",
        "forbidden_symbol",
        "frequency_cap",
    }
    assert all(len(SIGNATURE + text) > MAXIMUM_CHARACTERS for text in refused_texts("too_long"))
    assert all(not text.strip() or "\x00" in text or "退订" in text for text in refused_texts("invalid_text"))
    assert all(not text.startswith(SIGNATURE) for text in refused_texts("signature_not_registered"))
    assert any(text.count("【") == 2 for text in refused_texts("signature_invalid"))


def test_only_those_refused_for_their_number_have_a_wrong_one():
    for entry in REFUSED:
        if entry["expect"]["code"] == "invalid_number":
            with pytest.raises(InvalidNumber):
                normalise(entry["message"]["to"])
        else:
            assert normalise(entry["message"]["to"]).mainland


def test_policy_decides_each_message_as_expected():
    plan = NumberPlan.parse((CONFIG / "number_plan.csv").read_text(encoding="utf-8"))
    settings = ContentSettings()
    pipeline = Pipeline(
        [NumberStage(plan), SignatureStage(), OptOutTextStage(settings.opt_out_text), ContentStage()],
        [OtpStage(settings.otp_keywords), SymbolStage(settings.refused_symbols, settings.tagged_symbols)],
        [
            CapsStage(
                DEFAULT_CAPS, Charges(salt=0, shards=7), Tags(bytes(SECRET_BYTES)), clock=lambda: 1_800_000_000_000
            )
        ],
    )
    account = Account(name="demo", signatures=("阳光物业",))
    for number, entry in enumerate(BATCH, 1):
        draft = msgspec.convert(entry["message"], Draft)
        candidate = Candidate(draft, account, draft.text)
        refusal = pipeline.decide(candidate, now=0.0)
        assert (refusal and refusal.reason) == entry["expect"].get("code"), draft.client_ref
        if refusal is None:
            assert (candidate.text, candidate.parts) == (sent_text(entry), entry["expect"]["parts"])
            candidate.id = MessageId(number)
            pipeline.commit(candidate, now=0.0)


def test_what_a_cap_refuses_is_in_one_request_with_what_it_is_too_many_after():
    """Requests are under way at the same time: between two of them, nobody knows which is decided first."""
    together = [{entry.ref for entry in request.entries} for request in requests_of(read_sample(BATCH_PATH))]
    numbers = Counter(entry["message"]["to"] for entry in BATCH)
    for entry in REFUSED:
        if entry["expect"]["code"] == "frequency_cap":
            to = entry["message"]["to"]
            refs = {other["message"]["client_ref"] for other in BATCH if other["message"]["to"] == to}
            assert numbers[to] == len(refs) == 2
            assert any(refs <= request for request in together)
