package dev.edgekit.core.answers

import dev.edgekit.core.AnswerFormat
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Cards that fill while the model streams, in words that people use. */
@RunWith(RobolectricTestRunner::class)
class AnswerCardTest {
    private val navigator = """{"type": "object", "properties": {
        "screen": {"enum": ["display", "sound"]},
        "setting": {"enum": ["brightness", "auto_brightness", "volume"], "title": "What"},
        "note": {"type": "string"},
        "action": {"oneOf": [{"const": "increase", "title": "Turn up"}, {"const": "open"}]}
    }, "required": ["screen", "setting", "note", "action"]}"""
    private val whole = """{"screen": "display", "setting": "auto_brightness", "note": "a \"b\" \u00e9\\", "action": "increase"}"""

    private fun card(text: String, schema: String = navigator, ended: Boolean = false) =
        readAnswer(text, AnswerFormat.JsonSchema(schema), emptyList(), ended) as Answer.Card

    @Test
    fun `names and values are those of the schema, or made of its names`() {
        val fields = listOf("Screen" to "Display", "What" to "Auto brightness", "Note" to "a \"b\" é\\", "Action" to "Turn up")
        assertEquals(fields, card(whole, ended = true).fields.map { it.name to it.value })
    }

    @Test
    fun `a card has all its lines from the first token on, and fills`() {
        assertEquals(List(4) { "" }, card("{").fields.map { it.value })
        assertEquals(listOf("Display", "", "", ""), card("""{"screen": "display", "set""").fields.map { it.value })
        val writing = card("""{"screen": "display", "setting": "volume", "note": "half a te""").fields
        assertEquals(listOf("Display", "Volume", "half a te", ""), writing.map { it.value })
        assertEquals(listOf(false, false, true, true), writing.map { it.isComing })
    }

    @Test
    fun `one of a few values is shown as soon as it can be no other`() {
        assertEquals("", card("""{"screen": "display", "setting": """").fields[1].value)
        assertEquals("Brightness", card("""{"screen": "display", "setting": "br""").fields[1].value)
        assertEquals("", card("""{"screen": "display", "setting": "x""").fields[1].value)
    }

    @Test
    fun `wherever it breaks off, what is shown stays true`() {
        val last = card(whole, ended = true).fields
        for (length in 1..whole.length) {
            val fields = card(whole.take(length)).fields
            assertEquals(whole.take(length), last.map { it.name }, fields.map { it.name })
            fields.zip(last).filterNot { it.first.isComing }.forEach { (now, then) -> assertEquals(whole.take(length), then.value, now.value) }
            fields.zip(last).forEach { (now, then) -> assertTrue("${whole.take(length)}: $now", then.value!!.startsWith(now.value!!)) }
        }
    }

    @Test
    fun `numbers, lists and objects come when they are whole`() {
        val schema = """{"properties": {"at": {"properties": {"x": {"title": "X value"}}}, "list": {}, "count": {}}}"""
        val text = """{"at": {"x": 12}, "list": [1, 2], "count": 34}"""
        assertEquals(emptyList<Field>(), card("""{"at": {"x": 1""", schema).fields.filter { it.value != null })
        assertEquals("12", card("""{"at": {"x": 12,""", schema).fields.last().value)
        assertEquals("1", card(text.take(text.indexOf("2]") + 1), schema).fields.last().value)
        assertEquals(listOf("At", "X value", "List", "Count"), card(text, schema, ended = true).fields.map { it.name })
    }

    @Test
    fun `text that is no JSON, or has something after it, is no card`() {
        val format = AnswerFormat.JsonSchema(navigator)
        for (text in listOf("{\"a\": 1} x", "{]", "words", "{\"a\" 1")) {
            assertTrue(text, readAnswer(text, format, emptyList(), ended = true) is Answer.Plain)
        }
        readAnswer("{\"a\":".repeat(20_000), format, emptyList(), ended = false)
    }

    @Test
    fun `the thing and what is done with it make a sentence`() {
        assertEquals("Auto brightness: turn up", card(whole, ended = true).sentence)
        assertNull(card("""{"screen": "display", "setting": "volume"}""", ended = true).sentence)
        assertNull(card("""{"a": "x", "b": "y"}""", "{}", ended = true).sentence)
        assertNull(card("""{"a": "x"}""", "no schema", ended = true).sentence)
    }

    @Test
    fun `a description with names in braces is the sentence`() {
        val schema = navigator.replaceFirst("{", """{"description": "{action} the {setting} on {screen}", """)
        assertEquals("Turn up the auto brightness on display", card(whole, schema, ended = true).sentence)
        assertNull(card("""{"screen": "display"}""", schema, ended = true).sentence)
        val foreign = navigator.replaceFirst("{", """{"description": "in {curly} braces", """)
        assertEquals("Auto brightness: turn up", card(whole, foreign, ended = true).sentence)
    }

    @Test
    fun `references within the schema are followed`() {
        val schema = """{"${'$'}defs": {"mood": {"enum": ["very_good"], "title": "Mood"}}, "properties": {"m": {"${'$'}ref": "#/${'$'}defs/mood"}}}"""
        assertEquals(listOf(Field("Mood", "Very good")), card("""{"m": "very_good"}""", schema, ended = true).fields)
    }

    @Test
    fun `a value that is no name stays as it is`() {
        val schema = """{"properties": {"language": {"enum": ["en-US", "iOS"]}, "free": {"type": "string"}}}"""
        val fields = card("""{"language": "en-US", "free": "as_it_is"}""", schema, ended = true).fields
        assertEquals(listOf("en-US", "as_it_is"), fields.map { it.value })
    }
}
