"""What a bundle's template does so that calls and their results stand in one turn, as FunctionGemma learnt it.

Results come as text, in messages of the role "tool" (`edgekit.calling.calls.result_message`), and calls as the model
wrote them: so the checkpoint's template need not understand what the engine makes of either. An app that hands the
engine its tools gets both as JSON, which is written out first.
"""

from __future__ import annotations

from edgekit.calling.calls import CALL_BEGIN, CALL_END, ESCAPE, RESPONSE_BEGIN, RESPONSE_END
from edgekit.text.template.printer import quoted

AS_TEXT = f"""\
{{%- macro edgekit_value(it) -%}}
  {{%- if it is string -%}}{{{{- {quoted(ESCAPE)} ~ it ~ {quoted(ESCAPE)} -}}}}
  {{%- elif it is boolean -%}}{{{{- 'true' if it else 'false' -}}}}
  {{%- elif it is mapping -%}}
    {{{{- '{{' -}}}}
    {{%- for key, inner in it | dictsort -%}}
      {{{{- key ~ ':' ~ edgekit_value(inner) ~ ('' if loop.last else ',') -}}}}
    {{%- endfor -%}}
    {{{{- '}}' -}}}}
  {{%- elif it is sequence -%}}
    {{{{- '[' -}}}}
    {{%- for inner in it -%}}{{{{- edgekit_value(inner) ~ ('' if loop.last else ',') -}}}}{{%- endfor -%}}
    {{{{- ']' -}}}}
  {{%- else -%}}{{{{- 'null' if it == none else it -}}}}
  {{%- endif -%}}
{{%- endmacro -%}}
{{%- set edgekit_told = namespace(messages=[], text='', parts=[]) -%}}
{{%- for edgekit_message in messages -%}}
  {{%- set edgekit_told.parts = edgekit_message['content'] or [] -%}}
  {{%- if edgekit_message['tool_calls'] or (edgekit_message['role'] == 'tool' and edgekit_told.parts is not string) -%}}
    {{%- set edgekit_told.text = '' -%}}
    {{%- if edgekit_told.parts is string -%}}
      {{%- set edgekit_told.text = edgekit_told.parts -%}}
      {{%- set edgekit_told.parts = [] -%}}
    {{%- endif -%}}
    {{%- for part in edgekit_told.parts -%}}
      {{%- if 'response' in part -%}}
        {{%- set edgekit_told.text = edgekit_told.text ~ '{RESPONSE_BEGIN}response:' ~ part['name']
            ~ (edgekit_value(part['response']) if part['response'] is mapping
               else '{{value:' ~ edgekit_value(part['response']) ~ '}}') ~ '{RESPONSE_END}' -%}}
      {{%- elif 'text' in part -%}}
        {{%- set edgekit_told.text = edgekit_told.text ~ part['text'] -%}}
      {{%- endif -%}}
    {{%- endfor -%}}
    {{%- for call in edgekit_message['tool_calls'] or [] -%}}
      {{%- set edgekit_told.text = edgekit_told.text ~ '{CALL_BEGIN}call:' ~ call['function']['name']
          ~ edgekit_value(call['function']['arguments']) ~ '{CALL_END}' -%}}
    {{%- endfor -%}}
    {{%- set edgekit_told.messages = edgekit_told.messages
        + [{{'role': edgekit_message['role'], 'content': edgekit_told.text}}] -%}}
  {{%- else -%}}
    {{%- set edgekit_told.messages = edgekit_told.messages + [edgekit_message] -%}}
  {{%- endif -%}}
{{%- endfor -%}}
{{%- set messages = edgekit_told.messages -%}}
"""
"""Writes out calls and results that an app with tools of its own leaves as JSON: `tool_calls`, `tool_response`."""

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
