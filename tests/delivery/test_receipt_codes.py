"""The table of receipt codes: read whole or refused with line, value and rule."""

import pytest

from gateway.config import shipped
from gateway.delivery.receipt_codes import CodeAction, ReceiptCode, ReceiptCodes, ReceiptCodesError

HEAD = "code,action,value,meaning\n"


def test_a_code_is_found_in_any_case_and_before_the_state() -> None:
    codes = ReceiptCodes.parse(HEAD + "mk:0014,content,,refused\nEXPIRED,retry,600,off\n")

    assert codes.find("MK:0014", "EXPIRED") == ReceiptCode("MK:0014", CodeAction.CONTENT, meaning="refused")
    assert codes.find("mk:0014", "UNDELIV").action is CodeAction.CONTENT
    assert codes.find("999", "EXPIRED").seconds == 600
    assert codes.find("", "UNDELIV") is None


def test_the_table_that_comes_with_the_gateway_can_be_read_and_knows_the_codes_of_the_field() -> None:
    codes = ReceiptCodes.parse(shipped("receipt_codes.csv").read_text(encoding="utf-8"))

    actions = {code: codes.find(code, "").action for code in ("NP:1243", "NE:0106", "-9000", "M:00183")}
    assert set(actions.values()) == {CodeAction.ELSEWHERE}
    assert codes.find("NP:1243", "").network == "cucc"
    assert [codes.find(code, "").seconds for code in ("00140", "00141", "00142")] == [30, 3_600, 86_400]
    assert codes.find("00139", "").action is CodeAction.ALERT
    assert {codes.find(code, "").action for code in ("MK:0014", "MK:0115", "CR:0200", "-106")} == {CodeAction.CONTENT}
    assert {codes.find(code, "").action for code in ("MBBLACK", "SC:0016")} == {CodeAction.SUPPRESS}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must have code,action,value,meaning in its first line"),
        ("code,action\n", "must have code,action,value,meaning in its first line"),
        (HEAD + "1,final\n", "line 2: 2 columns: must be 4"),
        (HEAD + ",final,,\n", "line 2: code = '': must be 1 to 32 printable ASCII characters"),
        (HEAD + "拒,final,,\n", "line 2: code = '拒': must be 1 to 32 printable ASCII characters"),
        (HEAD + "1,drop,,\n", "line 2: action = 'drop': must be one of final, elsewhere, retry, rest, "),
        (HEAD + "1,elsewhere,cmpp,\n", "line 2: value = 'cmpp': must be empty or one of cmcc cucc ctcc cbn"),
        (HEAD + "1,retry,,\n", "line 2: value = '': must be 1 to 2592000 seconds"),
        (HEAD + "1,rest,0,\n", "line 2: value = '0': must be 1 to 2592000 seconds"),
        (HEAD + "1,rest,9999999999999,\n", "line 2: value = '9999999999999': must be 1 to 2592000 seconds"),
        (HEAD + "1,final,3,\n", "line 2: value = '3': must be empty: final has none"),
        (HEAD + "a,final,,\nA,alert,,\n", "line 3: code = A: must not come twice"),
        (HEAD + '"a,final,,\n', "line 2: unexpected end of data"),
        (HEAD + "".join(f"{n},final,,\n" for n in range(1_001)), "must have at most 1000 codes, has 1001"),
    ],
)
def test_what_is_wrong_is_said(text: str, rule: str) -> None:
    with pytest.raises(ReceiptCodesError) as caught:
        ReceiptCodes.parse(text)

    assert str(caught.value).startswith(rule)
