package dev.edgekit.core.calls

import dev.edgekit.core.bundle.Dialect
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Calls as the two dialects write them, and what only looks like one. */
@RunWith(RobolectricTestRunner::class)
class CallsTest {
    private fun gemma(text: String) = readCalls(text, Dialect.FUNCTION_GEMMA)

    private fun json(text: String) = readCalls(text, Dialect.JSON)

    private fun fenced(body: String) = "<start_function_call>$body<end_function_call>"

    @Test
    fun `a call in FunctionGemma's tokens, with every kind of value`() {
        val body = "call:create_event{at:<escape>2026-03-05T10:00:00<escape>,deep:{list:[1,-2.5,true,null]},title:<escape>Zahnarzt, {8}: 歯<escape>}"
        val expected = Call(
            "create_event",
            mapOf("at" to "2026-03-05T10:00:00", "deep" to mapOf("list" to listOf(1L, -2.5, true)), "title" to "Zahnarzt, {8}: 歯"),
        )
        assertEquals(Said(listOf(expected), ""), gemma(fenced(body)))
    }

    @Test
    fun `parallel calls abut, words may stand around them, and the end of the turn is none`() {
        val said = gemma("At once. ${fenced("call:a{}")}${fenced("call:b{n:3}")}<start_function_response>")
        assertEquals(listOf(Call("a", emptyMap()), Call("b", mapOf("n" to 3L))), said.calls)
        assertEquals("At once.", said.text)
    }

    @Test
    fun `what cannot be read is said to be so`() {
        val broken = listOf(
            "<start_function_call>call:a{}",
            fenced("a{}"),
            fenced("call:{}"),
            fenced("call:a{n:3,}"),
            fenced("call:a{n:\"x\"}"),
            fenced("call:a{t:<escape>x}"),
            fenced("call:a{n:1,n:2}"),
            fenced("call:a{n:1}}"),
            fenced("call:a{n:" + "[".repeat(5000)),
            "call:a{}",
        )
        for (text in broken) {
            val said = gemma(text)
            assertNotNull(text, said.problem)
            assertTrue(said.calls.isEmpty())
        }
    }

    @Test
    fun `calls in JSON, one or several, alone or fenced`() {
        val one = Call("set_timer", mapOf("minutes" to 5, "label" to "tea"))
        val text = """{"name": "set_timer", "arguments": {"minutes": 5, "label": "tea", "other": null}}"""
        assertEquals(Said(listOf(one), ""), json(text))
        assertEquals(listOf(one), json("```json\n$text\n```").calls)
        assertEquals(2, json("[$text, $text]").calls.size)
    }

    @Test
    fun `words, and JSON that is no call, are an answer`() {
        for (text in listOf("It is raining.", "", """{"a": 1}""", "[]", "{not JSON")) {
            val said = json(text)
            assertNull(said.problem)
            assertEquals(text, said.text)
            assertTrue(said.calls.isEmpty())
        }
    }

    @Test
    fun `half a JSON call is none`() {
        assertNotNull(json("""{"name": "a", "arguments": {""").problem)
        assertNotNull(json("""{"name": "a", "arguments": 3}""").problem)
        assertNotNull(json("""{"name": "a", "arguments": {}} and more""").problem)
    }
}
