"""What a bundle's template does so that calls and their results stand in one turn, as FunctionGemma learnt it.

Results come as text, in messages of the role "tool" (`edgekit.calling.calls.result_message`), and calls as the model
wrote them: so the checkpoint's template need not understand what the engine makes of either.
"""

from __future__ import annotations

from edgekit.calling.calls import CALL_END, RESPONSE_BEGIN, RESPONSE_END
from edgekit.text.template.printer import quoted

ONE_TURN = f"""\
{{%- set edgekit_calls = namespace(messages=[], before='', text='') -%}}
{{%- for edgekit_message in messages -%}}
  {{%- if edgekit_calls.messages and (
      (edgekit_message['role'] == 'tool' and {quoted(RESPONSE_BEGIN)} in (edgekit_message['content'] or ''))
      or (edgekit_calls.before == 'tool' and edgekit_message['role'] in ['assistant', 'model'])) -%}}
    {{%- set edgekit_calls.text = edgekit_calls.messages[-1]['content'] ~ edgekit_message['content'] -%}}
    {{%- set edgekit_calls.messages = edgekit_calls.messages[:-1]
        + [dict(edgekit_calls.messages[-1], content=edgekit_calls.text)] -%}}
  {{%- else -%}}
    {{%- set edgekit_calls.messages = edgekit_calls.messages + [edgekit_message] -%}}
  {{%- endif -%}}
  {{%- set edgekit_calls.before = edgekit_message['role'] -%}}
{{%- endfor -%}}
{{%- set messages = edgekit_calls.messages -%}}
"""
"""Puts results, and what is said behind them, into the message of the call."""


def open_turn(end: str, after: str) -> str:
    """Write the prompt with the turn left open behind a call and behind results.

    end, after: what the template writes behind a turn of the model's. Behind a call stands <start_function_response>,
    with which the model ended it.
    """
    cut = f"edgekit_prompt[:-{len(after)}]" if after else "edgekit_prompt"
    lines = [
        "{%- set edgekit_ends = messages and not add_generation_prompt "
        "and messages[-1]['role'] in ['assistant', 'model'] -%}",
        f"{{%- set edgekit_prompt = {cut} if edgekit_ends else edgekit_prompt -%}}",
    ]
    spelled = RESPONSE_BEGIN  # in the text, where an untrained model wrote it letter by letter
    for old, new in (
        (f"{CALL_END}{spelled}{end}{after}", CALL_END + RESPONSE_BEGIN),
        (f"{CALL_END}{spelled}{end}", CALL_END + RESPONSE_BEGIN),
        (f"{spelled}{RESPONSE_BEGIN}", RESPONSE_BEGIN),
        (f"{CALL_END}{end}{after}", CALL_END + RESPONSE_BEGIN),
        (f"{CALL_END}{end}", CALL_END + RESPONSE_BEGIN),
        (f"{RESPONSE_END}{end}{after}", RESPONSE_END),
        (f"{RESPONSE_END}{end}", RESPONSE_END),
        (f"{RESPONSE_END}<start_of_turn>model\n", RESPONSE_END),
    ):
        lines.append(f"{{%- set edgekit_prompt = edgekit_prompt | replace({quoted(old)}, {quoted(new)}) -%}}")
    return "\n".join([*lines, "{{- edgekit_prompt -}}", ""])
