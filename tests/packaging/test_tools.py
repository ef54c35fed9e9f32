"""What packages say of a bundle's tools: Kotlin's names, and what the Gallery has of them."""

from edgekit.calling.tools import Calling, parse_tools, read_tools
from edgekit.packaging.kotlin.tools import tools_interface
from edgekit.packaging.targets.gallery.actions import differences, joins, note
from tests.fixtures.calling import MOBILE_ACTIONS

TOOLS = read_tools(MOBILE_ACTIONS)


def test_each_tool_is_a_typed_function() -> None:
    text = tools_interface(Calling("function_gemma", "auto", TOOLS))
    assert "public interface Tools {" in text
    assert "suspend fun createCalendarEvent(datetime: String, title: String): Map<String, Any?>" in text
    assert "phoneNumber: String? = null" in text
    assert '"show_map" -> showMap(query = arguments["query"] as String)' in text


def test_names_that_would_become_one_are_told_apart() -> None:
    tools = parse_tools(
        [{"name": "a_b"}, {"name": "aB"}, {"name": "call"}, {"name": "fun"}], where="tools.json"
    )
    text = tools_interface(Calling("json", "auto", tools))
    for name, function in (("a_b", "aB"), ("aB", "aB2"), ("call", "call2"), ("fun", "`fun`")):
        assert f"suspend fun {function}()" in text and f'"{name}" -> {function}()' in text


def test_what_the_gallery_has_otherwise() -> None:
    calling = Calling("function_gemma", "auto", TOOLS)
    assert joins(calling)
    assert differences(calling) == ("it has no show_map (it has show_location_on_map(location))",)
    own = parse_tools([{"name": "lamp"}], where="tools.json")
    assert not joins(Calling("function_gemma", "auto", own))
    assert not joins(Calling("json", "auto", TOOLS))
    assert not joins(None) and note(None) is None
    same = tuple(tool for tool in TOOLS if tool.name != "show_map")
    assert note(Calling("function_gemma", "auto", same)) == (
        "listed for llm_mobile_actions: the Gallery has all its tools"
    )
