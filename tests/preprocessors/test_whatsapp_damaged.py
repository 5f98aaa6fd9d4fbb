"""WhatsApp: files with damaged bytes are read, or refused in one line."""

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_whatsapp import EXPORTS, read

from selfchatbot.errors import SelfChatBotError


@settings(max_examples=examples(150))
@given(data=st.data())
def test_damaged_files_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(sorted(EXPORTS.rglob("*.txt"))))
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = min(len(content), start + data.draw(st.integers(0, 200)))
        content[start:end] = data.draw(st.one_of(st.binary(max_size=8), st.just(bytes(content[end : end + 40]))))
        if not content:
            break
    path = tmp_path_factory.mktemp("damaged") / source.name
    path.write_bytes(content)
    try:
        for _, time, author, text in read(path)[0]:
            assert time and text and isinstance(author, str)
    except SelfChatBotError as error:
        assert "\n" not in str(error)
